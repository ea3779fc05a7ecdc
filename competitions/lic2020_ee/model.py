"""An encoder and a head for one of the label schemes: a CRF, a softmax, pairs of start and end marks, scores of spans.

Reference: Su Jianlin, https://kexue.fm/archives/7321 (bio with a CRF), https://kexue.fm/archives/7196 (its rate),
https://kexue.fm/archives/8877 (global_pointer) and https://kexue.fm/archives/8926 (gplinker).
Where this differs: the other schemes, and weights from scratch, which start out with few arguments (`RARE`).
"""

import math

import keras
import numpy as np
from keras import ops

from competitions.lic2020_ee.labelling import Roles
from competitions.lic2020_ee.settings import Settings
from competitions.lic2020_ee.span_labels import GPLINKER, SPAN_SCHEMES, num_heads
from shared.backbones.settings import build_backbone
from shared.decoding.bio import OUTSIDE, num_labels
from shared.layers.crf import CRF, hide_missing_labels, log_likelihood
from shared.layers.dropout import Dropout
from shared.layers.global_pointer import GlobalPointer
from shared.losses.cross_entropy import cross_entropy
from shared.losses.divergence import bernoulli, categorical
from shared.losses.focal import binary_focal, focal
from shared.losses.multilabel_softmax import cross_entropy_over_tokens, sparse_cross_entropy
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
        pointer: start_logits, end_logits (batch, length, roles);
        global_pointer: span_logits (batch, roles, length, length), by first and last token, -1e9 where there is none;
        gplinker: the same with a head for the trigger of each event type behind the roles, and start_link_logits,
            end_link_logits (batch, 1, length, length), by the first and by the last tokens i <= j of two arguments.

    The span schemes' network has an attribute `factors`, for prediction: a network with span_factors, see
    GlobalPointer, in place of span_logits, which are sums of them.

    span_logits are 74 MB for a sentence of 256 tokens and the 282 heads of DuEE, and 5 MB for one of 64. A training
    step holds about eight such arrays: 10 GB for 16 sentences of 256 tokens, 0.6 GB for 16 of 64. Where that does not
    fit, the engine computes the batch in parts.
    """
    model, seed, roles = settings.model, settings.train.seed, Roles.of(labels["roles"])
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    backbone = build_backbone(model.backbone, len(vocabulary), seed, model.last_layers)
    hidden = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=ops.not_equal(token_ids, 0))
    hidden = Dropout(model.backbone.dropout, seed=seed + 1001, name="dropout")(hidden)

    def dense(bias, name):
        kernel = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + 1002)
        bias = np.ravel(bias).astype("float32")
        start = {"kernel_initializer": kernel, "bias_initializer": keras.initializers.Constant(bias)}
        return keras.layers.Dense(len(bias), **start, dtype="float32", name=name)(hidden)

    if labels["scheme"] in SPAN_SCHEMES:
        outputs, factors = _span_logits(hidden, ops.not_equal(token_ids, 0), settings, labels)
        network = keras.Model({"token_ids": token_ids}, outputs, name="lic2020_ee")
        network.factors = keras.Model({"token_ids": token_ids}, factors, name="factors")
        return network
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


def _span_logits(hidden, padding_mask, settings, labels):
    """Returns the outputs of the span schemes, and of `factors`. Links have no rotary positions: an event knows no
    order."""
    scheme, dim, seed = labels["scheme"], settings.model.head_dim, settings.train.seed + 1003
    spans = GlobalPointer(num_heads(scheme, Roles.of(labels["roles"])), dim, seed=seed, name="spans")
    links = {}
    if scheme == GPLINKER:
        for number, name in enumerate(("start_link", "end_link"), start=1):
            layer = GlobalPointer(1, dim, rotary=False, seed=seed + number, name=f"{name}s")
            links[f"{name}_logits"] = layer(hidden, padding_mask=padding_mask)
    factors = spans(hidden, padding_mask=padding_mask, factored=True)
    return {"span_logits": spans(hidden, padding_mask=padding_mask), **links}, {"span_factors": factors, **links}


def loss(settings: Settings) -> Loss:
    """Returns the loss; targets as made by `feed`.

    CRF: the negative log-likelihood of a sentence's labels, summed over event types, mean over sentences. Softmax: the
    cross-entropy of a token's label, or its focal loss, summed over event types, mean over tokens. Marks: the mean
    cross-entropy, or focal loss, of start and end, summed over roles, mean over tokens; with multilabel_softmax the
    mean of that of a role's starts and that of its ends, each over the tokens of a sentence, summed over roles, mean
    over sentences. Spans and links: see `span_loss`. Rows of weight 0 and padding count nothing.

    The divergence is summed in the same way: of the label of each token by softmax, also of a CRF, whose transitions
    two passes share; of each mark by itself.
    """
    if settings.data.scheme in SPAN_SCHEMES:
        return span_loss(settings.data.scheme)
    model, train = settings.model, settings.train
    crf = model.head == "crf" and settings.data.scheme != "pointer"
    by_sentence = crf or train.loss == "multilabel_softmax"

    def places(targets, sample_weight):
        """Returns the weight of each sentence, (batch,), or of each token, (batch, length): float32."""
        tokens = ops.cast(targets["token_mask"], "float32")
        return sample_weight if by_sentence else tokens * ops.expand_dims(sample_weight, 1)

    def weights(targets, sample_weight):
        return {"labels": ops.sum(places(targets, sample_weight))}

    def sums(targets, outputs, sample_weight):
        if train.loss == "multilabel_softmax":
            losses = _sentence_losses(targets, outputs)
        elif crf:
            mask = ops.cast(targets["token_mask"], "float32")
            losses = -log_likelihood(outputs["logits"], outputs["transitions"], targets["labels"], mask)
            losses = ops.sum(ops.reshape(losses, (ops.shape(mask)[0], -1)), axis=1)
        else:
            losses = _token_losses(targets, outputs, settings)
        return {"labels": ops.sum(losses * places(targets, sample_weight))}

    def divergence(targets, outputs, other_outputs, sample_weight):
        by_token = _token_divergences(outputs, other_outputs, model.power)
        tokens = ops.cast(targets["token_mask"], "float32") * ops.expand_dims(sample_weight, 1)
        return {"labels": ops.sum(by_token * tokens)}

    return Loss(weights, sums, divergence)


def span_loss(scheme: str) -> Loss:
    """Returns the loss of `global_pointer` or `gplinker`; targets as made by `SpanFeed`.

    Of spans, and of gplinker also of start and of end links, each a term: softmax cross-entropy for any number of right
    classes, over the pairs of tokens of a head, summed over heads, mean over sentences, as published. The divergence is
    that of each pair's own yes or no, p = sigmoid(x), summed over pairs and heads.
    """
    names = ("span", "start_link", "end_link") if scheme == GPLINKER else ("span",)

    def weights(targets, sample_weight):
        return {name: ops.sum(sample_weight) for name in names}

    def sums(targets, outputs, sample_weight):
        return {name: ops.sum(_span_losses(name, targets, outputs) * sample_weight) for name in names}

    def divergence(targets, outputs, other_outputs, sample_weight):
        terms = {}
        for name in names:
            by_pair = bernoulli(outputs[f"{name}_logits"], other_outputs[f"{name}_logits"])
            terms[name] = ops.sum(ops.sum(by_pair, axis=(1, 2, 3)) * sample_weight)
        return terms

    return Loss(weights, sums, divergence)


def _span_losses(name, targets, outputs):
    """Returns the loss of each sentence: (batch,) float32."""
    logits, positives = outputs[f"{name}_logits"], targets[f"{name}_positives"]
    batch, heads, length, _ = ops.shape(logits)
    by_head = sparse_cross_entropy(
        positives, targets[f"{name}_is_positive"], ops.reshape(logits, (batch, heads, length * length))
    )
    return ops.sum(by_head, axis=1)


def _token_divergences(outputs, other, power):
    """Returns the divergence of two outputs at each token: (batch, length) float32."""
    if "logits" not in outputs:
        marks = [bernoulli(outputs[name], other[name], power) for name in ("start_logits", "end_logits")]
        return ops.sum(marks[0] + marks[1], axis=-1) / 2.0
    by_token = categorical(outputs["logits"], other["logits"])  # (batch, [types,] length)
    return by_token if len(by_token.shape) == 2 else ops.sum(by_token, axis=1)


def _sentence_losses(targets, outputs):
    """Returns the multi-label softmax loss of each sentence's marks: (batch,) float32."""
    tokens = ops.expand_dims(targets["token_mask"], 2)  # (batch, length, 1)
    start, end = (
        cross_entropy_over_tokens(targets[f"{name}s"], outputs[f"{name}_logits"], tokens) for name in ("start", "end")
    )
    return ops.sum(start + end, axis=-1) / 2.0


def _token_losses(targets, outputs, settings):
    """Returns the loss of each token: (batch, length) float32."""
    train, power = settings.train, settings.model.power
    if "logits" not in outputs:
        marks = [(targets[f"{name}s"], outputs[f"{name}_logits"]) for name in ("start", "end")]
        if train.loss == "focal":
            start, end = (binary_focal(*one, power, train.focal_gamma) for one in marks)
        else:
            start, end = (binary_cross_entropy(*one, power) for one in marks)
        return ops.sum(start + end, axis=-1) / 2.0
    if train.loss == "focal":
        losses = focal(outputs["logits"], targets["labels"], train.focal_gamma)  # (batch, [types,] length)
    else:
        losses = cross_entropy(outputs["logits"], targets["labels"], train.label_smoothing)
    return losses if len(losses.shape) == 2 else ops.sum(losses, axis=1)
