"""One matching model for six subtasks: the subtask conditions every layer normalization of the encoder.

Reference: Su Jianlin, https://kexue.fm/archives/8337. Where this differs: `exact_match`, and weights from scratch.
"""

import keras
import numpy as np
from keras import ops

from competitions.sohu2021 import evaluation
from competitions.sohu2021.encoding import LENGTH_FIELD
from competitions.sohu2021.objective import CLASSES
from competitions.sohu2021.objective import loss as loss
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.backbones.settings import build_backbone
from shared.layers.attention_pooling import AttentionPooling
from shared.layers.dropout import Dropout
from shared.layers.exact_match_embedding import ExactMatchEmbedding
from shared.layers.masked_mean_pooling import MaskedMeanPooling
from shared.task import Labels, Outputs
from shared.text.vocabulary import MASK, Vocabulary
from shared.training.predict import predict_rows


def build(settings: Settings, vocabulary: Vocabulary, labels: Labels) -> keras.Model:
    """Returns the network, initialised from scratch with train.seed.

    Inputs: token_ids, segment_ids: (batch, length) int32, 0 where padded; variant: (batch,) int32, 0 to 5.
    Outputs: logits: (batch, 2) float32, for labels 0 and 1; with model.dropout_samples above 1 also samples: (batch,
        samples, 2) float32, the logits of each dropout mask; with train.auxiliary_weight also variant_logits: (batch,
        6) float32.
    """
    model, seed = settings.model, settings.train.seed
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
    variant = keras.Input((), dtype="int32", name="variant")
    tokens, segments, condition = token_ids, segment_ids, None
    backbone = build_backbone(model.backbone, len(vocabulary), seed, model.last_layers)
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
    elif model.pooling == "attention":
        pooled = AttentionPooling(name="pooling")(hidden, padding_mask)
    else:
        pooled = hidden[:, 0]
    dropped = [Dropout(model.backbone.dropout, seed=seed + 1002, name="dropout")(pooled)]
    for number in range(1, model.dropout_samples):  # multi-sample dropout: Inoue 2019, https://arxiv.org/abs/1905.09788
        drop = Dropout(model.backbone.dropout, seed=seed + 2000 + number, name=f"dropout_{number}")
        dropped.append(drop(pooled))
    classifier = _classifier(CLASSES, seed + 1003, "classifier")
    logits = [classifier(one) for one in dropped]  # one classifier for all masks
    outputs = {"logits": logits[0]}
    if len(logits) > 1:
        outputs["samples"] = ops.stack(logits, axis=1)
    if settings.train.auxiliary_weight:
        outputs["variant_logits"] = _classifier(len(VARIANTS), seed + 1004, "variant_classifier")(dropped[0])
    inputs = {"token_ids": token_ids, "segment_ids": segment_ids, "variant": variant}
    return keras.Model(inputs, outputs, name="sohu2021")


def _classifier(classes, seed, name):
    start = keras.initializers.TruncatedNormal(stddev=0.02, seed=seed)
    return keras.layers.Dense(classes, kernel_initializer=start, dtype="float32", name=name)


def infer(network: keras.Model, split: Split, settings: Settings, labels: Labels, label: str | None = None) -> Outputs:
    """Returns the network's outputs for all rows: logits (rows, 2) float32. label: text of a progress bar.

    With predict.can also probability: (rows,) float64, of label 1, corrected.
    """
    outputs: dict[str, np.ndarray] = {"logits": predict_rows(network, split, LENGTH_FIELD, settings, label)["logits"]}
    if settings.predict.can:
        outputs["probability"] = evaluation.corrected(evaluation.probability(outputs), split, settings)
    return outputs
