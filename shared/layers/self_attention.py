"""Multi-head self-attention with absolute or rotary positions."""

import keras
from keras import ops

from shared.layers.rotary_position import rotate

_MASKED = -1e9  # finite, so that a row without any visible key gives a mean instead of nan


@keras.saving.register_keras_serializable("baseline_kit")
class SelfAttention(keras.layers.Layer):
    """Multi-head scaled dot-product self-attention; query, key and value come from one matrix product.

    Args:
        num_heads: int. Must divide the input's last dimension.
        rotary: bool. Rotate queries and keys by their position (RoFormer).
        dropout: float in [0, 1). On the attention probabilities.
        initializer_range: float. Standard deviation of the truncated normal start.
        seed: int or None. Of the dropout and the start.
    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length) bool, True at real tokens, or
        None.
    Returns: (batch, length, dim), compute dtype; the softmax is in float32. The mask of `inputs` passes through.
    Raises: ValueError if num_heads does not divide dim.
    Reference: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
    """

    def __init__(self, num_heads, rotary=False, dropout=0.0, initializer_range=0.02, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_heads, self.rotary, self.dropout = num_heads, rotary, dropout
        self.initializer_range, self.seed = initializer_range, seed
        self.supports_masking = True
        self.drop = keras.layers.Dropout(dropout, seed=seed, name="dropout", dtype=self.dtype_policy)

    def build(self, inputs_shape, padding_mask_shape=None):
        dim = inputs_shape[-1]
        if dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} does not divide the hidden dimension {dim}.")
        self.dim, self.head_dim = dim, dim // self.num_heads
        seeds = (None, None) if self.seed is None else (self.seed, self.seed + 5)
        start, output_start = (keras.initializers.TruncatedNormal(stddev=self.initializer_range, seed=s) for s in seeds)
        self.qkv_kernel = self.add_weight(name="qkv_kernel", shape=(dim, 3 * dim), initializer=start)
        self.qkv_bias = self.add_weight(name="qkv_bias", shape=(3 * dim,), initializer="zeros")
        self.output_kernel = self.add_weight(name="output_kernel", shape=(dim, dim), initializer=output_start)
        self.output_bias = self.add_weight(name="output_bias", shape=(dim,), initializer="zeros")

    def call(self, inputs, padding_mask=None, training=None):
        batch, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        qkv = ops.matmul(inputs, self.qkv_kernel) + self.qkv_bias  # (batch, length, 3 * dim)
        qkv = ops.reshape(qkv, (batch, length, 3 * self.num_heads, self.head_dim))
        query, key, value = ops.split(qkv, 3, axis=2)  # each (batch, length, num_heads, head_dim)
        if self.rotary:
            query, key = rotate(query), rotate(key)
        query = ops.transpose(query * self.head_dim**-0.5, (0, 2, 1, 3))
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 3, 1)))  # (batch, num_heads, length, length)
        scores = ops.cast(scores, "float32")
        if padding_mask is not None:
            hidden_keys = ops.logical_not(ops.cast(padding_mask, "bool"))[:, None, None, :]  # (batch, 1, 1, length)
            scores = scores + ops.cast(hidden_keys, "float32") * _MASKED
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        weights = self.drop(weights, training=training)
        context = ops.matmul(weights, ops.transpose(value, (0, 2, 1, 3)))  # (batch, num_heads, length, head_dim)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (batch, length, self.dim))
        return ops.matmul(context, self.output_kernel) + self.output_bias

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return inputs_shape

    def get_config(self):
        own = ("num_heads", "rotary", "dropout", "initializer_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
