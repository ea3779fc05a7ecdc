"""A matrix product for every token, with a bias."""

import keras
from keras import ops

from shared.layers.gradient import with_gradient


def dense(x, kernel, bias=None):
    """Returns x kernel + bias. Args: x: (..., rows) float. kernel: (rows, columns). bias: (columns,), or None; all of
    one dtype. Returns: (..., columns), same dtype.

    The gradient of the bias is summed in float32 by a matrix product. TensorFlow and JAX by themselves sum bfloat16
    numbers in bfloat16 on a CPU: over 4,096 tokens TensorFlow is off by up to a tenth, and JAX stops at half of the sum
    in some shapes; there the addition in float32 makes the sum so too.
    """
    return ops.matmul(x, kernel) if bias is None else _with_bias(x, kernel, bias)


@with_gradient
def _with_bias(x, kernel, bias):
    rows, columns = kernel.shape
    flat = ops.reshape(x, (-1, rows))
    shape = (*(ops.shape(x)[axis] for axis in range(len(x.shape) - 1)), columns)

    def gradient(upstream):
        above = ops.reshape(upstream, (-1, columns))
        ones = ops.ones((1, ops.shape(above)[0]), above.dtype)
        x_gradient = ops.reshape(ops.matmul(above, ops.transpose(kernel)), ops.shape(x))
        return x_gradient, ops.matmul(ops.transpose(flat), above), ops.reshape(ops.matmul(ones, above), (-1,))

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return ops.reshape(tf.nn.bias_add(tf.matmul(flat, kernel), bias), shape), gradient  # fused into one operation
    result = ops.cast(ops.matmul(x, kernel), "float32") + ops.cast(bias, "float32")
    return ops.cast(result, x.dtype), gradient
