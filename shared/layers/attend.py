"""Scaled dot-product attention from queries, keys and values to contexts."""

import keras
from keras import ops

from shared.layers.gradient import with_gradient


def attend(query, key, value, bias, multiplier=None):
    """Returns softmax(query key^T + bias) value, the softmax times `multiplier` if there is one.

    Args: query (scaled already), key, value: (batch, num_heads, length, head_dim) float, of one dtype. bias: (batch, 1,
        1, length), same dtype, 0 or very negative at keys that nobody should see. multiplier: (batch, num_heads,
        length, length), same dtype: dropout's zeros and scale.
    Returns: the shape and dtype of query. The softmax is in float32.
    """
    if multiplier is None:
        return _attend(query, key, value, bias)
    return _attend_dropped(query, key, value, bias, multiplier)


@with_gradient
def _attend(query, key, value, bias):
    weights = _weights(query, key, bias)
    context = ops.matmul(weights, value)

    def gradient(upstream):
        value_gradient = ops.matmul(_turned(weights), upstream)
        return *_query_key(query, key, value, weights, context, upstream, None), value_gradient, ops.zeros_like(bias)

    return context, gradient


@with_gradient
def _attend_dropped(query, key, value, bias, multiplier):
    weights = _weights(query, key, bias)
    dropped = weights * multiplier
    context = ops.matmul(dropped, value)

    def gradient(upstream):
        value_gradient = ops.matmul(_turned(dropped), upstream)
        pair = _query_key(query, key, value, weights, context, upstream, multiplier)
        return *pair, value_gradient, ops.zeros_like(bias), ops.zeros_like(multiplier)

    return context, gradient


def _weights(query, key, bias):
    scores = ops.matmul(query, _turned(key)) + bias
    if keras.backend.backend() == "tensorflow":  # its softmax takes and gives bfloat16, and computes in float32
        return ops.softmax(scores, axis=-1)
    return ops.cast(ops.softmax(ops.cast(scores, "float32"), axis=-1), query.dtype)


def _query_key(query, key, value, weights, context, upstream, multiplier):
    """Returns the gradients of query and key.

    That of the scores is weights * (g - sum over keys of weights * g), g the gradient of the weights; the sum is that
    over head_dim of upstream * context, which is far smaller (Dao et al. 2022, https://arxiv.org/abs/2205.14135).
    """
    gradient = ops.matmul(upstream, _turned(value))  # (batch, num_heads, length, length)
    if multiplier is not None:
        gradient = gradient * multiplier
    products = ops.cast(upstream, "float32") * ops.cast(context, "float32")
    mean = ops.cast(ops.sum(products, axis=-1, keepdims=True), query.dtype)
    scores = weights * (gradient - mean)
    return ops.matmul(scores, key), ops.matmul(_turned(scores), query)


def _turned(x):
    return ops.transpose(x, (0, 1, 3, 2))
