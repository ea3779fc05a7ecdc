"""Forms of operations that TensorFlow's graph optimizer turns into single ones of oneDNN, for prediction on a CPU.

There an operation that only adds or scales takes as long as memory needs for all tokens, and between them two such take
as long as a matrix product. Operation by operation, outside of a compiled function, these forms are right but not fast.
They keep as many digits as a graph that is fused computes inside in float32. Gradients are those that TensorFlow
derives, which training does not use.
"""

import functools
import math

import keras


def fuses(training) -> bool:
    """Whether to use these forms: for prediction by the TensorFlow backend where it has nothing but CPUs."""
    return not training and _on_cpus()


@functools.cache
def _on_cpus() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU") and not tf.config.list_logical_devices("TPU")


def dense_gelu(x, kernel, bias):
    """Returns gelu(x kernel + bias), the exact gelu; (batch, length, dim) to (batch, length, columns), same dtype."""
    import tensorflow as tf

    x, kernel, bias = map(tf.convert_to_tensor, (x, kernel, bias))
    rows = tf.nn.bias_add(tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel), bias)
    rows = rows * ((tf.math.erf(rows * math.sqrt(0.5)) + 1.0) * 0.5)
    return tf.reshape(rows, tf.concat([tf.shape(x)[:-1], kernel.shape[-1:]], 0))


def standardized(x, epsilon, gamma=None, beta=None):
    """Returns (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, in the dtype of x.

    Args: x: (batch, length, dim). gamma, beta: (dim,), of the dtype of x; None: 1, 0.
    """
    import tensorflow as tf

    shape, dim = tf.shape(x), x.shape[-1]
    rows = shape[0] * shape[1]
    one, zero = tf.fill([rows], 1.0), tf.fill([rows], 0.0)
    ones_and_zeros = tf.ones(dim, x.dtype), tf.zeros(dim, x.dtype)
    y = tf.reshape(x, [1, rows, dim, 1])
    y = tf.raw_ops.FusedBatchNormV3(
        x=y, scale=one, offset=zero, mean=[], variance=[], epsilon=epsilon, data_format="NCHW", is_training=True
    ).y
    y = tf.reshape(y, shape)  # any other tensor here, of the same numbers, would not be fused
    if gamma is None:
        # Plain constants of one and zero would be left out before the operations are fused.
        gamma, beta = (tf.raw_ops.PlaceholderWithDefault(input=one, shape=[dim]) for one in ones_and_zeros)
    return y * gamma + beta


def attention_weights(query, key, bias, scale):
    """Returns softmax(scale query key^T + bias); (batch, num_heads, length, head_dim) each, bias (batch, 1, 1, length).

    Args: scale: float; not 1, which TensorFlow would leave out and not fuse.
    """
    import tensorflow as tf

    return tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * tf.constant(scale, query.dtype) + bias)
