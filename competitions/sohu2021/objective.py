"""What training makes small."""

from typing import Any

from keras import ops

from competitions.sohu2021.settings import COUPLED, Settings, TrainSettings
from competitions.sohu2021.variants import VARIANTS
from shared.losses.cross_entropy import cross_entropy
from shared.losses.divergence import categorical
from shared.losses.focal import focal
from shared.losses.ghm import ghm
from shared.losses.policy_gradient import accuracy_rewards, f1_rewards, policy_gradient
from shared.losses.soft_f1 import soft_f1
from shared.training.loss import Loss

CLASSES = 2


def loss(settings: Settings) -> Loss:
    """Returns the mean over rows of train.loss and, with its weight, of the auxiliary loss.

    targets: label (batch,) int32; for class_balanced also class_weight (batch,) float32; for soft_f1 and the auxiliary
    loss also variant (batch,) int32. outputs: those of the network. The divergence is that of the label's
    probabilities; the auxiliary loss has none.
    """
    train = settings.train

    def weights(targets: Any, sample_weight: Any) -> Any:
        return {"rows": ops.sum(sample_weight)}

    def sums(targets: Any, outputs: Any, sample_weight: Any) -> Any:
        samples = _samples(outputs)
        losses = [_row_losses(train, targets, logits, sample_weight) for logits in samples]
        mean = sum(losses[1:], losses[0]) / len(losses) if len(losses) > 1 else losses[0]  # (batch,)
        if train.auxiliary_weight:
            auxiliary = cross_entropy(outputs["variant_logits"], targets["variant"])
            mean = mean + train.auxiliary_weight * auxiliary
        return {"rows": ops.sum(mean * sample_weight)}

    def divergence(targets: Any, outputs: Any, others: Any, sample_weight: Any) -> Any:
        pairs = zip(_samples(outputs), _samples(others), strict=True)
        apart = [categorical(logits, other) for logits, other in pairs]  # (batch,) each
        return {"rows": ops.sum(sum(apart[1:], apart[0]) * sample_weight) / len(apart)}

    return Loss(weights, sums, divergence, divisible=train.loss not in COUPLED)


def _samples(outputs: Any) -> list[Any]:
    """Returns the logits of each dropout mask: (batch, 2) each."""
    if "samples" not in outputs:
        return [outputs["logits"]]
    return [outputs["samples"][:, number] for number in range(outputs["samples"].shape[1])]


def _row_losses(train: TrainSettings, targets: Any, logits: Any, sample_weight: Any) -> Any:
    """Returns the loss of each row: (batch,) float32; of soft_f1, which has none, that of all rows of its class."""
    labels = targets["label"]
    if train.loss == "focal":
        return focal(logits, labels, train.focal_gamma)
    if train.loss == "ghm":
        return ghm(logits, labels, sample_weight, train.ghm_bins)
    plain = cross_entropy(logits, labels, train.label_smoothing)
    if train.loss == "cross_entropy":
        return plain
    if train.loss == "class_balanced":
        return plain * targets["class_weight"]
    if train.loss == "soft_f1":
        metric = _soft_f1_by_class(targets, logits, sample_weight)
    elif train.policy_reward == "f1":
        metric = policy_gradient(logits, f1_rewards(labels, train.policy_f1))
    else:
        metric = policy_gradient(logits, accuracy_rewards(labels, CLASSES))
    if train.metric_share == 1:
        return metric
    return train.metric_share * metric + (1.0 - train.metric_share) * plain


def _soft_f1_by_class(targets: Any, logits: Any, sample_weight: Any) -> Any:
    """Returns for each row the soft F1 loss over the rows of its class, A or B, as the official score has it."""
    is_b = ops.take(ops.convert_to_tensor([float(one.kind == "b") for one in VARIANTS]), targets["variant"])
    result = ops.zeros_like(is_b)
    for mine in (is_b, 1.0 - is_b):  # (batch,) float32
        result = result + mine * soft_f1(logits, targets["label"], sample_weight * mine)
    return result
