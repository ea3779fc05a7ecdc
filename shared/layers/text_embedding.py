"""The input of an encoder: token, segment and, for absolute positions, position embeddings."""

import keras
from keras import ops

from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization


@keras.saving.register_keras_serializable("baseline_kit")
class TextEmbedding(keras.layers.Layer):
    """norm(token + segment [+ position] [+ extra]), then dropout, as in BERT (with positions) and RoFormer (without).

    Args:
        vocabulary_size: int. hidden_dim: int. segment_count: int.
        max_positions: int, rows of the position table; 0 means no position embedding (rotary models).
        dropout: float in [0, 1). epsilon: float, of the normalization. initializer_range: float. seed: int or None.
    Call arguments: token_ids, segment_ids: (batch, length) int; extra: (batch, length, hidden_dim) float, added before
        the normalization, or None; condition: (batch, condition_dim) float or None.
    Returns: (batch, length, hidden_dim), compute dtype.
    Raises: ValueError if a static length exceeds max_positions.
    """

    def __init__(
        self,
        vocabulary_size,
        hidden_dim,
        segment_count=2,
        max_positions=0,
        dropout=0.1,
        epsilon=1e-12,
        initializer_range=0.02,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size, self.hidden_dim, self.segment_count = vocabulary_size, hidden_dim, segment_count
        self.max_positions, self.dropout, self.epsilon = max_positions, dropout, epsilon
        self.initializer_range, self.seed = initializer_range, seed
        self.norm = ConditionalLayerNormalization(epsilon, name="norm", dtype=self.dtype_policy)
        self.drop = keras.layers.Dropout(dropout, seed=seed, name="dropout", dtype=self.dtype_policy)

    def build(self, token_ids_shape, segment_ids_shape=None, extra_shape=None, condition_shape=None):
        def table(index, name, rows):
            seed = None if self.seed is None else self.seed + index
            start = keras.initializers.TruncatedNormal(stddev=self.initializer_range, seed=seed)
            return self.add_weight(name=name, shape=(rows, self.hidden_dim), initializer=start)

        self.token_table = table(0, "token_embedding", self.vocabulary_size)
        self.segment_table = table(1, "segment_embedding", self.segment_count)
        self.position_table = table(2, "position_embedding", self.max_positions) if self.max_positions else None
        self.norm.build((*token_ids_shape, self.hidden_dim), condition_shape)

    def call(self, token_ids, segment_ids, extra=None, condition=None, training=None):
        x = ops.take(self.token_table, token_ids, axis=0)  # (batch, length, hidden_dim)
        # Few segments: a product with one-hot rows has a dense gradient, which is far cheaper than a scatter.
        x = x + ops.matmul(ops.one_hot(segment_ids, self.segment_count, dtype=x.dtype), self.segment_table)
        if self.position_table is not None:
            length = token_ids.shape[1]
            if length is not None and length > self.max_positions:
                raise ValueError(f"length {length} exceeds max_positions={self.max_positions}.")
            x = x + self.position_table[: ops.shape(token_ids)[1]]
        if extra is not None:
            x = x + ops.cast(extra, x.dtype)
        return self.drop(self.norm(x, condition), training=training)

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None, extra_shape=None, condition_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        own = (
            "vocabulary_size",
            "hidden_dim",
            "segment_count",
            "max_positions",
            "dropout",
            "epsilon",
            "initializer_range",
            "seed",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
