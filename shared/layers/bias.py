"""Adding a bias to every token."""

from keras import ops

from shared.layers.gradient import with_gradient


@with_gradient
def add_bias(x, bias):
    """Returns x + bias. The gradient of the bias is summed in float32 by a matrix product.

    TensorFlow's own sums bfloat16 numbers in bfloat16 on a CPU: over 4,096 tokens it is off by up to a tenth.

    Args: x: (..., dim) float. bias: (dim,), same dtype. Returns: (..., dim), same dtype.
    """

    def gradient(upstream):
        rows = ops.reshape(upstream, (-1, bias.shape[0]))
        ones = ops.ones((1, ops.shape(rows)[0]), rows.dtype)
        return upstream, ops.reshape(ops.matmul(ones, rows), (-1,))

    return x + bias, gradient
