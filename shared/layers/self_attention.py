"""Multi-head self-attention that leaves positions to the embeddings, rotates by them or adds relative ones."""

import keras
import numpy as np
from keras import ops

from shared.layers.attend import attend
from shared.layers.dense import dense
from shared.layers.dropout import Dropout
from shared.layers.fused import attention_weights, fuses
from shared.layers.relative_position import relative_sinusoids
from shared.layers.rotary_position import pairs_apart, rotate, rotations

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
        self.drop = Dropout(dropout, seed=seed, name="dropout", dtype=self.dtype_policy)

    def build(self, inputs_shape, padding_mask_shape=None):
        dim = inputs_shape[-1]
        if dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} does not divide the hidden dimension {dim}.")
        self.dim, self.head_dim = dim, dim // self.num_heads
        seeds = (None, None) if self.seed is None else (self.seed, self.seed + 5)
        start, output_start = (keras.initializers.TruncatedNormal(stddev=self.initializer_range, seed=s) for s in seeds)
        self.qkv_kernel = self.add_weight(name="qkv_kernel", shape=(dim, 3 * dim), initializer=start, autocast=False)
        self.qkv_bias = self.output_bias = None
        if self.bias:
            self.qkv_bias = self.add_weight(name="qkv_bias", shape=(3 * dim,), initializer="zeros", autocast=False)
        self.output_kernel = self.add_weight(name="output_kernel", shape=(dim, dim), initializer=output_start)
        if self.bias:
            self.output_bias = self.add_weight(name="output_bias", shape=(dim,), initializer="zeros")

    def call(self, inputs, padding_mask=None, training=None):
        batch, length = ops.shape(inputs)[0], ops.shape(inputs)[1]
        fused = self.position != "relative" and self.head_dim > 1 and fuses(training)
        scale = self.head_dim**-0.5 if fused else 1.0  # of the scores
        kernel, bias = (self._projection(weight, scale) for weight in (self.qkv_kernel, self.qkv_bias))
        if fused and self.position == "rotary":
            query, key, value = self._rotated(inputs, kernel, bias)
        else:
            qkv = self._by_head(dense(inputs, kernel, bias))  # (batch, 3 * num_heads, length, head_dim)
            if self.position == "rotary":
                both, value = ops.split(qkv, (2 * self.num_heads,), axis=1)
                query, key = ops.split(rotate(both), 2, axis=1)
            else:
                query, key, value = ops.split(qkv, 3, axis=1)  # each (batch, num_heads, length, head_dim)
        bias = ops.zeros((batch, 1, 1, length), query.dtype)
        if padding_mask is not None:
            hidden_keys = ops.logical_not(ops.cast(padding_mask, "bool"))[:, None, None, :]
            bias = ops.where(hidden_keys, ops.cast(_MASKED, query.dtype), bias)
        if fused:
            context = ops.matmul(attention_weights(query, key, bias, scale), value)
        elif self.position == "relative":
            context = self._attend_relative(query, key, value, bias, training)
        else:
            multiplier = self.drop.multiplier((batch, self.num_heads, length, length), query.dtype, training)
            context = attend(query, key, value, bias, multiplier)
        context = ops.reshape(ops.transpose(context, (0, 2, 1, 3)), (batch, length, self.dim))
        return dense(context, self.output_kernel, self.output_bias)

    def _rotated(self, inputs, kernel, bias):
        """Returns query, key and value, each (batch, num_heads, length, head_dim), with the fewest passes over them."""
        rotated, plain = slice(None, 2 * self.dim), slice(2 * self.dim, None)
        both, value = (
            dense(inputs, kernel[:, part], None if bias is None else bias[part]) for part in (rotated, plain)
        )
        both = ops.reshape(both, (*ops.shape(both)[:2], 2 * self.num_heads, self.head_dim))
        both = ops.transpose(ops.matmul(both, rotations(ops.shape(both)[1], self.head_dim, both.dtype)), (0, 2, 1, 3))
        return *ops.split(both, 2, axis=1), self._by_head(value)

    def _by_head(self, x):
        """Returns (batch, length, heads * head_dim) as (batch, heads, length, head_dim)."""
        x = ops.reshape(x, (*ops.shape(x)[:2], x.shape[-1] // self.head_dim, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def _attend_relative(self, query, key, value, bias, training):
        """Returns the contexts, (batch, num_heads, length, head_dim), with sinusoids of the distance added."""
        relative = relative_sinusoids(ops.shape(query)[2], self.relative_range, self.head_dim, query.dtype)
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + ops.einsum("bhid,ijd->bhij", query, relative)
        weights = ops.softmax(ops.cast(scores, "float32") + ops.cast(bias, "float32"), axis=-1)
        weights = self.drop(ops.cast(weights, query.dtype), training=training)
        return ops.matmul(weights, value) + ops.einsum("bhij,ijd->bhid", weights, relative)

    def _projection(self, weight, scale):
        """Returns qkv_kernel or qkv_bias, in compute dtype, with what would cost a pass over all tokens done to it.

        Queries are scaled by 1 / sqrt(head_dim), less what the scores are scaled by later; for rotary positions the
        pairs of queries and keys are taken apart.
        """
        if weight is None:
            return None
        scale = np.repeat([self.head_dim**-0.5 / scale, 1.0, 1.0], self.dim).astype("float32")
        weight = ops.cast(ops.cast(weight, "float32") * scale, self.compute_dtype)
        return pairs_apart(weight, self.num_heads) if self.position == "rotary" else weight

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return inputs_shape

    def get_config(self):
        own = ("num_heads", "position", "relative_range", "bias", "dropout", "initializer_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
