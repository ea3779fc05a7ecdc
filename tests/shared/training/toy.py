"""A task of a few milliseconds for the tests of training: which of two groups the tokens of a row belong to."""

import keras
import numpy as np
from keras import ops

from shared.arrays import Ragged, Split
from shared.layers.dropout import Dropout
from shared.training.feed import FieldFeed
from shared.training.loss import Loss
from shared.training.settings import TrainSettings

JIT = keras.backend.backend() != "tensorflow"


def train_settings(**changes) -> TrainSettings:
    defaults = {"seed": 0, "epochs": 4, "batch_size": 8, "bucket_lengths": (8, 16), "learning_rate": 0.05}
    return TrainSettings(**defaults | {"ema_momentum": 0.0, "warmup_share": 0.0} | changes)


def split(rows: int = 30, seed: int = 0) -> Split:
    """Rows of 1 to 12 tokens from 1 to 4 (label 0) or from 5 to 8 (label 1)."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2, rows)
    tokens = [rng.integers(1, 5, rng.integers(1, 13)) + 4 * one for one in label]
    return Split({"token_ids": Ragged.of(tokens, np.uint16), "label": label.astype(np.int32)})


def feed(split: Split) -> FieldFeed:
    return FieldFeed(split, "token_ids", inputs=("token_ids",), targets=("label",))


def network(dropout: float = 0.0, seed: int = 0) -> keras.Model:
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    start = keras.initializers.RandomNormal(seed=seed)
    x = keras.layers.Embedding(9, 4, embeddings_initializer=start, name="embedding")(token_ids)
    mask = ops.cast(ops.expand_dims(ops.not_equal(token_ids, 0), -1), "float32")
    x = ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
    x = Dropout(dropout, seed=7, name="dropout")(x)
    logits = keras.layers.Dense(2, kernel_initializer=keras.initializers.RandomNormal(seed=seed + 1), name="out")(x)
    return keras.Model({"token_ids": token_ids}, {"logits": logits})


def _weights(targets, sample_weight):
    return {"rows": ops.sum(sample_weight)}


def _sums(targets, outputs, sample_weight):
    rows = -ops.sum(ops.one_hot(targets["label"], 2) * ops.log_softmax(outputs["logits"]), axis=-1)
    return {"rows": ops.sum(rows * sample_weight)}


loss = Loss(_weights, _sums)
