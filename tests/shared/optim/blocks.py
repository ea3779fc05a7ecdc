"""The network of tests/shared/training/toy.py with a block, for wrappers that go by the names of weights."""

import keras
from keras import ops

from shared.layers.dropout import Dropout


def network(dropout: float = 0.0, seed: int = 0) -> keras.Model:
    start = [keras.initializers.RandomNormal(stddev=size, seed=seed + n) for n, size in enumerate((0.05, 0.05, 1.0))]
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    with keras.name_scope("backbone"):
        x = keras.layers.Embedding(9, 4, embeddings_initializer=start[0], name="embedding")(token_ids)
        mask = ops.cast(ops.expand_dims(ops.not_equal(token_ids, 0), -1), "float32")
        x = ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
        with keras.name_scope("block_0"):
            x = keras.layers.Dense(4, use_bias=False, kernel_initializer=start[2], name="dense")(x)
    x = Dropout(dropout, seed=7, name="dropout")(x)
    logits = keras.layers.Dense(2, kernel_initializer=start[1], name="out")(x)
    return keras.Model({"token_ids": token_ids}, {"logits": logits})
