"""An encoder as it was published: the backbone with its pooler and its masked language model head."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from shared.backbones.architecture import Architecture
from shared.backbones.backbone import Backbone
from shared.layers.mlm_head import MlmHead

BACKBONE, POOLER, MLM_HEAD = "backbone", "pooler", "mlm_head"


@dataclass(frozen=True)
class Encoder:
    """An encoder with weights, and all that a folder of it holds beside them.

    model: see `build_encoder`. vocabulary_file: None if the checkpoint has none. tokenizer: the JSON document
    tokenizer_config.json, {} if there is none. audit: of the load, None for weights from elsewhere.
    """

    model: keras.Model
    architecture: Architecture
    vocabulary_size: int
    vocabulary_file: Path | None = None
    tokenizer: dict[str, Any] = field(default_factory=dict)
    audit: Any = None


def build_encoder(
    architecture: Architecture,
    vocabulary_size: int,
    pooler: bool = False,
    mlm: bool = False,
    *,
    dropout: float = 0.0,
    attention_dropout: float = 0.0,
    hierarchical_alpha: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """Returns a network of the layers backbone and, if asked for, pooler and mlm_head, with first weights.

    Inputs: token_ids, segment_ids: (batch, length) int32; padding_mask: (batch, length) bool, True at real tokens.
    Outputs: hidden: (batch, length, hidden_dim); with pooler: pooled: (batch, hidden_dim), the tanh of a linear map of
    the first token; with mlm: mlm_logits: (batch, length, vocabulary_size).

    Args: dropout, attention_dropout, hierarchical_alpha, seed: as in Backbone.
    """
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    segment_ids = keras.Input((None,), dtype="int32", name="segment_ids")
    padding_mask = keras.Input((None,), dtype="bool", name="padding_mask")
    backbone = Backbone(
        architecture, vocabulary_size, dropout, attention_dropout, hierarchical_alpha, seed, name=BACKBONE
    )
    hidden = backbone(token_ids, segment_ids, padding_mask)
    outputs = {"hidden": hidden}
    if pooler:
        start = keras.initializers.TruncatedNormal(stddev=architecture.initializer_range, seed=_seed(seed, 2001))
        dense = keras.layers.Dense(architecture.hidden_dim, "tanh", kernel_initializer=start, name=POOLER)
        outputs["pooled"] = dense(hidden[:, 0])
    if mlm:
        head = build_mlm_head(architecture, vocabulary_size, _seed(seed, 2002))
        outputs["mlm_logits"] = apply_mlm_head(head, backbone, hidden)
    inputs = {"token_ids": token_ids, "segment_ids": segment_ids, "padding_mask": padding_mask}
    return keras.Model(inputs, outputs, name="encoder")


def build_mlm_head(architecture: Architecture, vocabulary_size: int, seed: int | None = None) -> MlmHead:
    """Returns the head that belongs to an architecture; its weights are made at the first call."""
    embedding_dim = architecture.embedding_dim or architecture.hidden_dim
    return MlmHead(
        vocabulary_size,
        embedding_dim if architecture.projection == "after" else architecture.hidden_dim,
        architecture.activation,
        plain=architecture.norm == "rms",
        epsilon=architecture.epsilon,
        initializer_range=architecture.initializer_range,
        seed=seed,
        name=MLM_HEAD,
    )


def apply_mlm_head(head: MlmHead, backbone: Backbone, hidden: Any) -> Any:
    """Returns scores over the vocabulary, (..., length, vocabulary_size), by the backbone's own token embeddings.

    Args: hidden: (..., length, hidden_dim): all vectors of the backbone, or only those at masked tokens, which is
        far cheaper.
    """
    embedding = backbone.embedding
    before = embedding.widen if embedding.projection == "before" else None
    return head(hidden, embedding.token_table, None if before is None else before.kernel)


def narrowed(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """Returns the same network with only those of the outputs `names` that it has; others are not computed."""
    return keras.Model(model.input, {name: value for name, value in model.output.items() if name in names})


def outputs_of(model: keras.Model, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the outputs of an encoder for one batch, float32.

    JAX compiles the network for each new shape as a whole, which takes a second where its operations one by one take
    many. TensorFlow runs them one by one, at once.
    """
    if keras.backend.backend() == "jax":
        outputs = model.predict_on_batch(dict(inputs))
    else:
        outputs = model(dict(inputs), training=False)
    return {name: np.asarray(ops.convert_to_numpy(ops.cast(value, "float32"))) for name, value in outputs.items()}


def _seed(seed: int | None, index: int) -> int | None:
    return None if seed is None else seed + index
