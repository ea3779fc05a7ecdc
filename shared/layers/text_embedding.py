"""The input of an encoder: token, segment and, for absolute positions, position embeddings."""

import keras
from keras import ops

from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from shared.layers.dropout import Dropout
from shared.layers.offsets import shifted


@keras.saving.register_keras_serializable("baseline_kit")
class TextEmbedding(keras.layers.Layer):
    """norm(token + segment [+ position] [+ extra]), then dropout, as in BERT (with positions) and RoFormer (without).

    Args:
        vocabulary_size: int. hidden_dim: int. segment_count: int.
        max_positions: int, rows of the position table; 0 means no position embedding (rotary and relative models).
        dropout: float in [0, 1). epsilon: float, of the normalization. initializer_range: float. seed: int or None.
        embedding_dim: int or None. Width of the tables, widened to hidden_dim by a projection; None: hidden_dim, and no
            projection (ALBERT, ELECTRA).
        projection: str. after: everything above has embedding_dim and is widened at the end, with bias | before: only
            tokens have embedding_dim; they are widened, without bias, before anything is added (albert_zh).
        rms: bool, of the normalization, see ConditionalLayerNormalization.
        hierarchical_alpha: float in [0, 1) but not 0.5. Above 0: place i * n + j, n = max_positions, has the embedding
            a u_i + (1 - a) u_j, u = (p - a p_0) / (1 - a), so that n * n places can be told apart and the first n
            keep their rows p. 0: off; 0.4 is usual.
    Call arguments: token_ids, segment_ids: (batch, length) int; extra: (batch, length, width) float, added before
        the normalization, or None; condition: (batch, condition_dim) float or None.
    Returns: (batch, length, hidden_dim), compute dtype.
    Raises: ValueError if a static length exceeds max_positions (its square with hierarchical_alpha).
    Tables: token_embedding, segment_embedding and position_embedding, to which `shared.layers.offsets.shifting` adds.
    Reference: hierarchical positions: Su Jianlin, https://kexue.fm/archives/7947
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
        embedding_dim=None,
        projection="after",
        rms=False,
        hierarchical_alpha=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size, self.hidden_dim, self.segment_count = vocabulary_size, hidden_dim, segment_count
        self.max_positions, self.dropout, self.epsilon = max_positions, dropout, epsilon
        self.initializer_range, self.seed = initializer_range, seed
        self.embedding_dim, self.projection, self.rms = embedding_dim, projection, rms
        self.hierarchical_alpha = hierarchical_alpha
        self.norm = ConditionalLayerNormalization(epsilon, rms, name="norm", dtype=self.dtype_policy)
        self.drop = Dropout(dropout, seed=seed, name="dropout", dtype=self.dtype_policy)
        self.widen = None
        if embedding_dim is not None:
            kernel_seed = None if seed is None else seed + 3
            start = keras.initializers.TruncatedNormal(stddev=initializer_range, seed=kernel_seed)
            self.widen = keras.layers.Dense(
                hidden_dim,
                use_bias=projection == "after",
                kernel_initializer=start,
                name="projection",
                dtype=self.dtype_policy,
            )

    @property
    def width(self):
        """Width of segment and position tables, of the normalization and of `extra`."""
        return self.embedding_dim if self.embedding_dim and self.projection == "after" else self.hidden_dim

    @property
    def max_length(self):
        """Tokens that can be told apart by their place, or None for any number."""
        if not self.max_positions:
            return None
        return self.max_positions**2 if self.hierarchical_alpha else self.max_positions

    @property
    def tables(self):
        """The variables that `shared.layers.offsets.shifting` can add to, by name."""
        tables = (self.token_table, self.segment_table, self.position_table)
        return {table.name: table for table in tables if table is not None}

    def build(self, token_ids_shape, segment_ids_shape=None, extra_shape=None, condition_shape=None):
        def table(index, name, rows, width, **options):
            seed = None if self.seed is None else self.seed + index
            start = keras.initializers.TruncatedNormal(stddev=self.initializer_range, seed=seed)
            return self.add_weight(name=name, shape=(rows, width), initializer=start, **options)

        token_dim, width = self.embedding_dim or self.hidden_dim, self.width
        # Rows are cast, not the table: the gradients of a frequent token then add up in float32.
        self.token_table = table(0, "token_embedding", self.vocabulary_size, token_dim, autocast=False)
        self.segment_table = table(1, "segment_embedding", self.segment_count, width)
        rows = self.max_positions
        self.position_table = table(2, "position_embedding", rows, width) if rows else None
        self.norm.build((*token_ids_shape, width), condition_shape)
        if self.widen is not None:
            self.widen.build((*token_ids_shape, token_dim))

    def call(self, token_ids, segment_ids, extra=None, condition=None, training=None):
        tokens = shifted("token_embedding", self.token_table)
        x = ops.take(tokens, token_ids, axis=0)  # (batch, length, embedding_dim or hidden_dim)
        x = ops.cast(x, self.compute_dtype)
        if self.widen is not None and self.projection == "before":
            x = self.widen(x)
        # Few segments: a product with one-hot rows has a dense gradient, which is far cheaper than a scatter.
        segments = shifted("segment_embedding", self.segment_table)
        x = x + ops.matmul(ops.one_hot(segment_ids, self.segment_count, dtype=x.dtype), segments)
        if self.position_table is not None:
            length = token_ids.shape[1]
            if length is not None and length > self.max_length:
                raise ValueError(f"length {length} exceeds max_positions={self.max_length}.")
            x = x + self._positions(ops.shape(token_ids)[1])
        if extra is not None:
            x = x + ops.cast(extra, x.dtype)
        x = self.drop(self.norm(x, condition), training=training)
        return self.widen(x) if self.widen is not None and self.projection == "after" else x

    def _positions(self, length):
        """Returns the embeddings of the places 0 to length - 1: (length, width)."""
        table = ops.convert_to_tensor(shifted("position_embedding", self.position_table))
        if not self.hierarchical_alpha:
            return table[:length]
        alpha, places = self.hierarchical_alpha, ops.arange(length, dtype="int32")
        base = (table - alpha * table[:1]) / (1.0 - alpha)
        coarse, fine = ops.floor_divide(places, self.max_positions), ops.mod(places, self.max_positions)
        return alpha * ops.take(base, coarse, axis=0) + (1.0 - alpha) * ops.take(base, fine, axis=0)

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
            "embedding_dim",
            "projection",
            "rms",
            "hierarchical_alpha",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
