"""An encoder and a tagging head for one of the label schemes: a CRF, a softmax or pairs of start and end marks.

Reference: Su Jianlin, https://kexue.fm/archives/7321 (bio with a CRF) and https://kexue.fm/archives/7196 (its rate).
Where this differs: the other schemes, and weights from scratch, which start out with few arguments (`RARE`).
"""

import math

import keras
import numpy as np
from keras import ops

from competitions.lic2020_ee.labelling import Roles
from competitions.lic2020_ee.settings import Settings
from shared.backbones.settings import build_backbone
from shared.decoding.bio import OUTSIDE, num_labels
from shared.layers.crf import CRF, hide_missing_labels, log_likelihood
from shared.layers.dropout import Dropout
from shared.losses.sigmoid_power import binary_cross_entropy
from shared.task import Labels
from shared.text.vocabulary import Vocabulary
from shared.training.loss import Loss

RARE = 0.001  # how likely an argument is at first, against being outside; from 0.5 on, the first epochs teach only this


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed.

    Inputs: token_ids: (batch, length) int32, 0 where padded.
    Outputs, float32, by the label scheme:
        bio: logits (batch, length, labels); with a CRF also transitions (labels, labels);
        bio_per_type: logits (batch, types, length, labels), at -1e9 for labels that a type lacks; with a CRF also
            transitions (types, labels, labels);
        pointer: start_logits, end_logits (batch, length, roles).
    """
    model, seed, roles = settings.model, settings.train.seed, Roles.of(labels["roles"])
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    backbone = build_backbone(model.backbone, len(vocabulary), seed)
    hidden = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=ops.not_equal(token_ids, 0))
    hidden = Dropout(model.backbone.dropout, seed=seed + 1001, name="dropout")(hidden)

    def dense(bias, name):
        kernel = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + 1002)
        bias = np.ravel(bias).astype("float32")
        start = {"kernel_initializer": kernel, "bias_initializer": keras.initializers.Constant(bias)}
        return keras.layers.Dense(len(bias), **start, dtype="float32", name=name)(hidden)

    if labels["scheme"] == "pointer":
        rare = -math.log(RARE ** (-1 / model.power) - 1)  # where sigmoid(x) ** power = RARE
        marks = dense(np.full(2 * len(roles), rare), "marks")
        outputs = {"start_logits": marks[..., : len(roles)], "end_logits": marks[..., len(roles) :]}
        return keras.Model({"token_ids": token_ids}, outputs, name="lic2020_ee")
    if labels["scheme"] == "bio":
        counts: int | list[int] = num_labels(len(roles))
        logits = dense(_outside_first(counts), "labels")
    else:
        counts = roles.num_labels
        logits = dense([_outside_first(max(counts))] * len(counts), "labels")
        logits = keras.layers.Reshape((-1, len(counts), max(counts)), name="types")(logits)
        logits = ops.transpose(logits, (0, 2, 1, 3))  # (batch, types, length, labels)
    if model.head == "crf":
        logits, transitions = CRF(counts, model.crf_rate, dtype="float32", name="crf")(logits)
        outputs = {"logits": logits, "transitions": transitions}
    else:
        outputs = {"logits": hide_missing_labels(logits, counts)}
    return keras.Model({"token_ids": token_ids}, outputs, name="lic2020_ee")


def _outside_first(count):
    """Returns the first logits of so many labels: (count,) float64."""
    return -math.log(RARE) * (np.arange(count) == OUTSIDE)


def loss(settings: Settings) -> Loss:
    """Returns the loss; targets as made by `feed`; the outputs tell which it is.

    CRF: the negative log-likelihood of a sentence's labels, summed over event types, mean over sentences. Softmax: the
    cross-entropy of a token's label, summed over event types, mean over tokens. Marks: the mean cross-entropy of start
    and end, summed over roles, mean over tokens. Rows of weight 0 and padding count nothing.
    """
    model = settings.model
    by_sentence = model.head == "crf" and settings.data.scheme != "pointer"

    def places(targets, sample_weight):
        """Returns the weight of each sentence, (batch,), or of each token, (batch, length): float32."""
        tokens = ops.cast(targets["token_mask"], "float32")
        return sample_weight if by_sentence else tokens * ops.expand_dims(sample_weight, 1)

    def weights(targets, sample_weight):
        return {"labels": ops.sum(places(targets, sample_weight))}

    def sums(targets, outputs, sample_weight):
        if by_sentence:
            mask = ops.cast(targets["token_mask"], "float32")
            losses = -log_likelihood(outputs["logits"], outputs["transitions"], targets["labels"], mask)
            losses = ops.sum(ops.reshape(losses, (ops.shape(mask)[0], -1)), axis=1)
        else:
            losses = _token_losses(targets, outputs, model.power)
        return {"labels": ops.sum(losses * places(targets, sample_weight))}

    return Loss(weights, sums)


def _token_losses(targets, outputs, power):
    """Returns the loss of each token: (batch, length) float32."""
    if "logits" not in outputs:
        marks = [
            binary_cross_entropy(targets[f"{name}s"], outputs[f"{name}_logits"], power) for name in ("start", "end")
        ]
        return ops.sum(marks[0] + marks[1], axis=-1) / 2.0
    one_hot = ops.one_hot(targets["labels"], outputs["logits"].shape[-1], dtype="float32")
    losses = -ops.sum(one_hot * ops.log_softmax(outputs["logits"], axis=-1), axis=-1)  # (batch, [types,] length)
    return losses if len(losses.shape) == 2 else ops.sum(losses, axis=1)
