"""A tagger in two steps: subjects first, then for a given subject the objects of every relation.

Reference: Wei et al. 2020, CasRel, https://arxiv.org/abs/1909.03227 ; with the subject as condition of a normalization
and powers of sigmoids: Su Jianlin, https://kexue.fm/archives/7161. Where this differs: several subjects in one step.
"""

from dataclasses import dataclass

import keras
from keras import ops

from competitions.lic2020_re import gplinker
from competitions.lic2020_re.settings import Settings
from shared.backbones.settings import build_backbone
from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from shared.losses.divergence import bernoulli
from shared.losses.focal import binary_focal
from shared.losses.multilabel_softmax import cross_entropy_over_tokens
from shared.losses.sigmoid_power import binary_cross_entropy
from shared.task import Labels
from shared.text.vocabulary import Vocabulary
from shared.training.loss import Loss


@dataclass(frozen=True)
class Parts:
    """The two steps of the network as models that share its weights, so that a sentence is encoded once.

    encoder: token_ids (batch, length) int32 -> subject_logits (batch, length, 2) float32, hidden_sum (batch, length,
        dim), compute dtype.
    objects: hidden_sum (pairs, length, dim) and subjects (pairs, 2) int32 -> object_logits (pairs, length, 2 *
        relations) float32.
    """

    encoder: keras.Model
    objects: keras.Model


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed; its attribute `parts` is a `Parts`.

    With model.head gplinker it is that of `gplinker.build`; what follows is the pointers'.

    Inputs: token_ids: (batch, length) int32, 0 where padded; subjects: (batch, S, 2) int32, first and last token.
    Outputs: subject_logits: (batch, length, 2) float32, start and end; object_logits: (batch, S, length, 2 * relations)
        float32, start and end of each relation in turn.
    """
    if settings.model.head == "gplinker":
        return gplinker.build(settings, vocabulary, labels)
    model, seed = settings.model, settings.train.seed
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    subjects = keras.Input((None, 2), dtype="int32", name="subjects")
    backbone = build_backbone(model.backbone, len(vocabulary), seed, model.last_layers)
    mask = ops.not_equal(token_ids, 0)
    hidden, hidden_sum = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=mask, return_sum=True)
    start = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + 1001)
    subject_logits = keras.layers.Dense(2, kernel_initializer=start, dtype="float32", name="subject_head")(hidden)
    head = ObjectHead(2 * len(labels["relations"]), backbone.architecture.epsilon, seed=seed + 1002, name="object_head")
    outputs = {"subject_logits": subject_logits, "object_logits": head(hidden_sum, subjects)}
    network = keras.Model({"token_ids": token_ids, "subjects": subjects}, outputs, name="lic2020_re")

    encoded = {"subject_logits": subject_logits, "hidden_sum": hidden_sum}
    given = keras.Input((None, backbone.hidden_dim), dtype=hidden_sum.dtype, name="hidden_sum")
    pairs = keras.Input((2,), dtype="int32", name="subjects")
    logits = head(given, ops.expand_dims(pairs, 1))[:, 0]
    network.parts = Parts(
        keras.Model({"token_ids": token_ids}, encoded, name="encoder"),
        keras.Model({"hidden_sum": given, "subjects": pairs}, {"object_logits": logits}, name="objects"),
    )
    return network


@keras.saving.register_keras_serializable("baseline_kit")
class ObjectHead(keras.layers.Layer):
    """Object logits for each given subject: a projection of what a normalization conditioned on the subject makes.

    The condition is the subject's first and last vector, side by side; all subjects of a row are folded into the batch.

    Args: units: int, logits a token. epsilon: float, of the normalization. seed: int or None, of the start.
    Call arguments: hidden_sum: (batch, length, dim) float; subjects: (batch, S, 2) int, first and last token.
    Returns: (batch, S, length, units) float32.
    """

    def __init__(self, units, epsilon=1e-12, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.epsilon, self.seed = units, epsilon, seed
        self.norm = ConditionalLayerNormalization(epsilon, name="norm", dtype=self.dtype_policy)
        start = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed)
        self.project = keras.layers.Dense(units, kernel_initializer=start, dtype="float32", name="projection")

    def build(self, hidden_sum_shape, subjects_shape=None):
        """Makes the weights."""
        dim = hidden_sum_shape[-1]
        self.norm.build((None, None, dim), (None, 2 * dim))
        self.project.build((None, None, dim))

    def call(self, hidden_sum, subjects):
        """See the class."""
        batch, length, dim = ops.shape(hidden_sum)
        count = ops.shape(subjects)[1]
        places = ops.reshape(subjects, (batch, 2 * count, 1))
        chosen = ops.cast(ops.equal(places, ops.arange(length, dtype=subjects.dtype)), hidden_sum.dtype)
        condition = ops.reshape(ops.matmul(chosen, hidden_sum), (batch * count, 2 * dim))
        repeated = ops.broadcast_to(ops.expand_dims(hidden_sum, 1), (batch, count, length, dim))
        x = self.norm(ops.reshape(repeated, (batch * count, length, dim)), condition)
        return ops.reshape(self.project(x), (batch, count, length, self.units))

    def compute_output_spec(self, hidden_sum, subjects):
        """See the class."""
        return keras.KerasTensor((hidden_sum.shape[0], subjects.shape[1], hidden_sum.shape[1], self.units), "float32")

    def get_config(self):
        """See the class."""
        return {**super().get_config(), "units": self.units, "epsilon": self.epsilon, "seed": self.seed}


def loss(settings: Settings) -> Loss:
    """Returns subject loss plus object loss; targets as made by `feed`. With model.head gplinker: `gplinker.loss`.

    A token's subject loss is the mean cross-entropy of start and end; its object loss, for a subject, the same summed
    over relations. train.loss_reduction says how they are averaged: `original`: over all real tokens of the batch, and
    over all real tokens of all subjects; `sentence`: first over each sentence's tokens, and over its subjects, then
    over the sentences; a sentence without a subject has no object loss. Rows of weight 0 count nothing.

    train.loss focal takes the focal loss of each mark; multilabel_softmax: see `multilabel_loss`.
    """
    if settings.model.head == "gplinker":
        return gplinker.loss(settings)
    if settings.train.loss == "multilabel_softmax":
        return multilabel_loss()
    model, train = settings.model, settings.train
    by_sentence = train.loss_reduction == "sentence"

    def places(targets):
        """Returns 1 at the places that count, by term: (batch, places) float32."""
        tokens, asked = ops.cast(targets["token_mask"], "float32"), ops.cast(targets["subject_mask"], "float32")
        pairs = ops.expand_dims(asked, 2) * ops.expand_dims(tokens, 1)  # (batch, S, length)
        return {"subjects": tokens, "objects": ops.reshape(pairs, (ops.shape(tokens)[0], -1))}

    def weights(targets, sample_weight):
        counts = {name: ops.sum(real, axis=1) for name, real in places(targets).items()}  # (batch,)
        if by_sentence:
            counts = {name: ops.cast(count > 0, "float32") for name, count in counts.items()}
        return {name: ops.sum(count * sample_weight) for name, count in counts.items()}

    def added_up(targets, subject, objects, sample_weight):
        """Returns the terms. subject: (batch, length, 2); objects: (batch, S, length, 2 * relations): at each mark."""
        objects = ops.sum(objects, axis=-1) / 2.0  # (batch, S, length): mean of start and end, sum over relations
        losses = {
            "subjects": ops.mean(subject, axis=-1),
            "objects": ops.reshape(objects, (ops.shape(objects)[0], -1)),
        }
        result = {}
        for name, real in places(targets).items():
            by_row = ops.sum(losses[name] * real, axis=1)
            if by_sentence:
                by_row = by_row / ops.maximum(ops.sum(real, axis=1), 1.0)
            result[name] = ops.sum(by_row * sample_weight)
        return result

    def sums(targets, outputs, sample_weight):
        marks = [
            (targets["subject_labels"], outputs["subject_logits"], model.subject_power),
            (targets["object_labels"], outputs["object_logits"], model.object_power),
        ]
        if train.loss == "focal":
            subject, objects = (binary_focal(*one, train.focal_gamma) for one in marks)
        else:
            subject, objects = (binary_cross_entropy(*one) for one in marks)
        return added_up(targets, subject, objects, sample_weight)

    def divergence(targets, outputs, other_outputs, sample_weight):
        subject, objects = (
            bernoulli(outputs[name], other_outputs[name], power)
            for name, power in (("subject_logits", model.subject_power), ("object_logits", model.object_power))
        )
        return added_up(targets, subject, objects, sample_weight)

    return Loss(weights, sums, divergence)


def multilabel_loss() -> Loss:
    """Returns the multi-label softmax loss of pointers; targets as made by `feed`.

    The classes of a mark are the tokens of the sentence. Subjects: the mean of start and end, mean over sentences;
    objects: the same, summed over relations, mean over all subjects of the batch. Rows of weight 0 count nothing. The
    divergence is that of each mark's yes or no, p = sigmoid(x), summed over tokens and relations.
    """
    marks = (("subjects", "subject"), ("objects", "object"))

    def asked(targets, sample_weight):
        """Returns the weight of each sentence, (batch,), and of each subject, (batch, S): float32, by term."""
        subjects = ops.cast(targets["subject_mask"], "float32") * ops.expand_dims(sample_weight, 1)
        return {"subjects": sample_weight, "objects": subjects}

    def weights(targets, sample_weight):
        return {name: ops.sum(weight) for name, weight in asked(targets, sample_weight).items()}

    def sums(targets, outputs, sample_weight):
        counts, result = asked(targets, sample_weight), {}
        for term, name in marks:
            labels, logits = targets[f"{name}_labels"], outputs[f"{name}_logits"]  # (batch, [S,] length, marks)
            losses = cross_entropy_over_tokens(labels, logits, _tokens(targets, logits))  # (batch, [S,] marks)
            result[term] = ops.sum(ops.sum(losses, axis=-1) / 2.0 * counts[term])
        return result

    def divergence(targets, outputs, other_outputs, sample_weight):
        counts, result = asked(targets, sample_weight), {}
        for term, name in marks:
            logits, other = outputs[f"{name}_logits"], other_outputs[f"{name}_logits"]
            apart = bernoulli(logits, other) * _tokens(targets, logits)
            result[term] = ops.sum(ops.sum(apart, axis=(-1, -2)) / 2.0 * counts[term])
        return result

    return Loss(weights, sums, divergence)


def _tokens(targets, logits):
    """Returns 1 at real tokens, in a shape that goes with the logits, ([..., 1,] length, 1): float32."""
    tokens = ops.expand_dims(ops.cast(targets["token_mask"], "float32"), -1)
    return tokens if len(logits.shape) == 3 else ops.expand_dims(tokens, 1)
