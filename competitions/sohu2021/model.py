"""One matching model for six subtasks: the subtask conditions every layer normalization of the encoder.

Reference: Su Jianlin, https://kexue.fm/archives/8337. Where this differs: `exact_match`, and weights from scratch.
"""

import keras
from keras import ops

from competitions.sohu2021.encoding import LENGTH_FIELD
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.backbones.settings import build_backbone
from shared.layers.dropout import Dropout
from shared.layers.exact_match_embedding import ExactMatchEmbedding
from shared.layers.masked_mean_pooling import MaskedMeanPooling
from shared.task import Labels, Outputs
from shared.text.vocabulary import MASK, Vocabulary
from shared.training.loss import Loss
from shared.training.predict import predict_rows

CLASSES = 2


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed.

    Inputs: token_ids, segment_ids: (batch, length) int32, 0 where padded; variant: (batch,) int32, 0 to 5.
    Output: logits: (batch, 2) float32, for labels 0 and 1.
    """
    model, seed = settings.model, settings.train.seed
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
    variant = keras.Input((), dtype="int32", name="variant")
    tokens, segments, condition = token_ids, segment_ids, None
    backbone = build_backbone(model.backbone, len(vocabulary), seed)
    if model.condition == "token":  # [CLS] [MASK] source [SEP] target [SEP], and the variant's vector on [MASK]
        mark = ops.full_like(token_ids[:, :1], vocabulary.ids[MASK])
        tokens = ops.concatenate([token_ids[:, :1], mark, token_ids[:, 1:]], axis=1)
        segments = ops.concatenate([segment_ids[:, :1], segment_ids], axis=1)
    extra = None
    if model.exact_match:
        embedding = ExactMatchEmbedding(backbone.embedding_width, vocabulary.special_ids, name="exact_match")
        extra = embedding(tokens, segments)
    if model.condition != "none":
        size = model.condition_dim if model.condition == "cln" else backbone.embedding_width
        uniform = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed + 1001)
        told = keras.layers.Embedding(len(VARIANTS), size, uniform, name="variant_embedding")(variant)
        if model.condition == "cln":
            condition = told
        else:
            second = ops.equal(ops.cumsum(ops.ones_like(tokens), axis=1), 2)  # (batch, length): the second token
            told = ops.cast(second, told.dtype)[:, :, None] * told[:, None, :]
            extra = told if extra is None else extra + told
    padding_mask = ops.not_equal(tokens, 0)  # (batch, length)
    hidden = backbone(tokens, segments, padding_mask=padding_mask, condition=condition, extra=extra)
    if model.pooling == "mean":
        pooled = MaskedMeanPooling(name="pooling")(hidden, padding_mask)  # (batch, hidden_dim)
    else:
        pooled = hidden[:, 0]
    pooled = Dropout(model.backbone.dropout, seed=seed + 1002, name="dropout")(pooled)
    start = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed + 1003)
    logits = keras.layers.Dense(CLASSES, kernel_initializer=start, dtype="float32", name="classifier")(pooled)
    inputs = {"token_ids": token_ids, "segment_ids": segment_ids, "variant": variant}
    return keras.Model(inputs, {"logits": logits}, name="sohu2021")


def loss(settings: Settings) -> Loss:
    """Returns the mean cross-entropy over rows; targets: label (batch,) int32; outputs: logits."""
    label_smoothing = settings.train.label_smoothing

    def weights(targets, sample_weight):
        return {"rows": ops.sum(sample_weight)}

    def sums(targets, outputs, sample_weight):
        labels = ops.one_hot(targets["label"], CLASSES, dtype="float32")
        labels = labels * (1.0 - label_smoothing) + label_smoothing / CLASSES
        losses = -ops.sum(labels * ops.log_softmax(outputs["logits"]), axis=-1)  # (batch,)
        return {"rows": ops.sum(losses * sample_weight)}

    return Loss(weights, sums)


def infer(network: keras.Model, split: Split, settings: Settings, labels: Labels, label: str | None = None) -> Outputs:
    """Returns the network's outputs for all rows: logits (rows, 2) float32. label: text of a progress bar."""
    return predict_rows(network, split, LENGTH_FIELD, settings, label)
