"""A tagger in one step: spans of subjects and objects, and under each relation the links of their ends.

Reference: Su Jianlin, GPLinker, https://kexue.fm/archives/8888 , with the efficient GlobalPointer. Where this differs:
one matrix of links for each (predicate, slot), so that objects of several slots are found as the pointers find them.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from competitions.lic2020_re.settings import Settings
from shared.backbones.settings import build_backbone
from shared.layers.global_pointer import GlobalPointer
from shared.losses.divergence import bernoulli
from shared.losses.multilabel_softmax import sparse_cross_entropy
from shared.task import Labels
from shared.text.vocabulary import Vocabulary
from shared.training.feed import Arrays
from shared.training.loss import Loss, Terms

MATRICES = ("entities", "heads", "tails")
LINKS = ("heads", "tails")  # of first tokens, of last tokens


@dataclass(frozen=True)
class Parts:
    """What prediction calls.

    factors: token_ids (batch, length) int32 -> entities (batch, 2, length, length), the spans' scores; for each of
        LINKS the factors of the links' scores, (batch, length + 2 * relations, length), see GlobalPointer; float32.
    """

    factors: keras.Model


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed; its attribute `parts` is a `Parts`.

    The matrices of links take batch * relations * length ** 2 * 4 bytes each, and their gradients as much: 231 MB for
    16 sentences of 256 tokens and 55 relations. Prediction makes none of them. Links have no rotary positions, as
    published.

    Inputs: token_ids: (batch, length) int32, 0 where padded.
    Outputs, float32, -1e9 at padding: entities: (batch, 2, length, length), of first to last token being a subject (0)
        or an object (1), -1e9 where the last comes before the first; heads, tails: (batch, relations, length, length),
        links from the first token of a subject to the first of its object, and from last to last.
    """
    model, seed = settings.model, settings.train.seed
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    backbone = build_backbone(model.backbone, len(vocabulary), seed, model.last_layers)
    mask = ops.not_equal(token_ids, 0)
    hidden = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=mask)
    entities = GlobalPointer(2, model.head_dim, seed=seed + 1001, name="entities")
    links = {
        name: GlobalPointer(
            len(labels["relations"]), model.head_dim, rotary=False, triangular=False, seed=seed + number, name=name
        )
        for number, name in enumerate(LINKS, start=1002)
    }
    spans = entities(hidden, mask)
    outputs = {"entities": spans} | {name: layer(hidden, mask) for name, layer in links.items()}
    network = keras.Model({"token_ids": token_ids}, outputs, name="lic2020_re")
    factors = {"entities": spans} | {name: layer(hidden, factored=True) for name, layer in links.items()}
    network.parts = Parts(keras.Model({"token_ids": token_ids}, factors, name="factors"))
    return network


def loss(settings: Settings) -> Loss:
    """Returns the mean over sentences of the multi-label softmax losses of all matrices; targets as made by `feed`.

    Of each kind of matrix the losses are added up, and a third of each kind's sum counts, as published. Rows of weight
    0 count nothing. The divergence takes each place of a matrix for a yes or no of its own, as the loss has no
    probabilities.
    """

    def weights(targets: Arrays, sample_weight: Any) -> Terms:
        return dict.fromkeys(MATRICES, ops.sum(sample_weight))

    def sums(targets: Arrays, outputs: Arrays, sample_weight: Any) -> Terms:
        result = {}
        for name in MATRICES:
            losses = sparse_cross_entropy(targets[name], targets[f"{name}_mask"], _flat(outputs[name]))
            result[name] = ops.sum(ops.sum(losses, axis=1) * sample_weight) / 3.0
        return result

    def divergence(targets: Arrays, outputs: Arrays, other_outputs: Arrays, sample_weight: Any) -> Terms:
        result = {}
        for name in MATRICES:
            apart = ops.sum(bernoulli(outputs[name], other_outputs[name]), axis=(1, 2, 3))
            result[name] = ops.sum(apart * sample_weight) / 3.0
        return result

    return Loss(weights, sums, divergence)


def _flat(matrices: Any) -> Any:
    """Returns (batch, heads, length, length) as (batch, heads, length ** 2)."""
    return ops.reshape(matrices, (*ops.shape(matrices)[:2], -1))
