"""Focal loss: what is right already counts little."""

from typing import Any

from keras import ops

from shared.losses.cross_entropy import cross_entropy
from shared.losses.sigmoid_power import log_losses


def focal(logits: Any, labels: Any, gamma: float) -> Any:
    """Returns -(1 - p) ** gamma * log p, where p is the probability of the label.

    1 - p is taken as the sum of the other classes' probabilities, so that nothing cancels where p is near 1.

    Args: logits: (..., classes) float; labels: (...) int; gamma: float, 1 or more (below, the gradient of the power is
        infinite at p = 1).
    Returns: (...) float32.
    Raises: ValueError if gamma is below 1.
    Reference: Lin et al. 2017, https://arxiv.org/abs/1708.02002, whose best gamma is 2; without its class weights
    """
    _check(gamma)
    others = 1.0 - ops.one_hot(labels, ops.shape(logits)[-1], dtype="float32")
    missing = ops.sum(others * ops.softmax(ops.cast(logits, "float32")), axis=-1)  # 1 - p
    return missing**gamma * cross_entropy(logits, labels)


def binary_focal(targets: Any, logits: Any, power: int, gamma: float) -> Any:
    """Returns -(1 - q) ** gamma * log q per element, q being p = sigmoid(x) ** power where the target is 1, else 1 - p.

    Args: targets: any shape, 0 or 1, any dtype; logits: the same shape, float; power: int, see
        `shared.losses.sigmoid_power`; gamma: as in `focal`.
    Returns: float32, the same shape.
    Raises: ValueError if gamma or power is below 1.
    """
    _check(gamma)
    targets = ops.cast(targets, "float32")
    yes, no = log_losses(logits, power)  # -log p, -log(1 - p)
    return targets * ops.exp(-gamma * no) * yes + (1.0 - targets) * ops.exp(-gamma * yes) * no


def _check(gamma: float) -> None:
    if gamma < 1.0:
        raise ValueError(f"gamma must be 1 or more, got {gamma}.")
