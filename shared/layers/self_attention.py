"""Multi-head self-attention that leaves positions to the embeddings, rotates by them or adds relative ones."""

import keras
from keras import ops

from shared.layers.relative_position import relative_sinusoids
from shared.layers.rotary_position import rotate

_MASKED = -1e9  # finite, so that a row without any visible key gives a mean instead of nan


@keras.saving.register_keras_serializable("baseline_kit")
class SelfAttention(keras.layers.Layer):
    """Multi-head scaled dot-product self-attention; query, key and value come from one matrix product.

    Args:
        num_heads: int. Must divide the input's last dimension.
        position: str. absolute: none here | rotary: queries and keys are rotated by their position (RoFormer) |
            relative: fixed sinusoids of the clipped distance are added to keys and values (NEZHA).
        relative_range: int. Of `relative`: distances are clipped to -range .. range.
        bias: bool. Whether the projections have biases.
        dropout: float in [0, 1). On the attention probabilities.
        initializer_range: float. Standard deviation of the truncated normal start.
        seed: int or None. Of the dropout and the start.
    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length) bool, True at real tokens, or
        None.
    Returns: (batch, length, dim), compute dtype; the softmax is in float32. The mask of `inputs` passes through.
    Raises: ValueError if num_heads does not divide dim.
    Reference: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762 ; rotary: Su et al. 2021,
        https://arxiv.org/abs/2104.09864 ; relative: Wei et al. 2019, NEZHA, https://arxiv.org/abs/1909.00204
    """

    def __init__(
        self,
        num_heads,
        position="absolute",
        relative_range=64,
        bias=True,
        dropout=0.0,
        initializer_range=0.02,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.position, self.relative_range, self.bias = num_heads, position, relative_range, bias
        self.dropout, self.initializer_range, self.seed = dropout, initializer_range, seed
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
        if self.bias:
            self.qkv_bias = self.add_weight(name="qkv_bias", shape=(3 * dim,), initializer="zeros")
        self.output_kernel = self.add_weight(name="output_kernel", shape=(dim, dim), initializer=output_start)
        if self.bias:
            self.output_bias = self.add_weight(name="output_bias", shape=(dim,), initializer="zeros")

    def call(self, inputs, padding_mask=None, training=None):
        batch, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        qkv = ops.matmul(inputs, self.qkv_kernel)  # (batch, length, 3 * dim)
        if self.bias:
            qkv = qkv + self.qkv_bias
        qkv = ops.reshape(qkv, (batch, length, 3 * self.num_heads, self.head_dim))
        query, key, value = ops.split(qkv, 3, axis=2)  # each (batch, length, num_heads, head_dim)
        if self.position == "rotary":
            query, key = rotate(query), rotate(key)
        query = ops.transpose(query * self.head_dim**-0.5, (0, 2, 1, 3))
        scores = ops.matmul(query, ops.transpose(key, (0, 2, 3, 1)))  # (batch, num_heads, length, length)
        relative = None
        if self.position == "relative":
            relative = relative_sinusoids(length, self.relative_range, self.head_dim, query.dtype)
            scores = scores + ops.einsum("bhid,ijd->bhij", query, relative)
        scores = ops.cast(scores, "float32")
        if padding_mask is not None:
            hidden_keys = ops.logical_not(ops.cast(padding_mask, "bool"))[:, None, None, :]  # (batch, 1, 1, length)
            scores = scores + ops.cast(hidden_keys, "float32") * _MASKED
        weights = ops.cast(ops.softmax(scores, axis=-1), self.compute_dtype)
        weights = self.drop(weights, training=training)
        context = ops.matmul(weights, ops.transpose(value, (0, 2, 1, 3)))  # (batch, num_heads, length, head_dim)
        if relative is not None:
            context = context + ops.einsum("bhij,ijd->bhid", weights, relative)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (batch, length, self.dim))
        output = ops.matmul(context, self.output_kernel)
        return output + self.output_bias if self.bias else output

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return inputs_shape

    def get_config(self):
        own = ("num_heads", "position", "relative_range", "bias", "dropout", "initializer_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
