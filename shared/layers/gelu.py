"""The Gaussian error linear unit, exact."""

import math

from keras import ops

from shared.layers.gradient import with_gradient


@with_gradient
def gelu(x):
    """Returns x P(X <= x), X standard normal: (x / 2) (1 + erf(x / sqrt 2)), computed in float32.

    On a CPU bfloat16 would make it more than twice as slow; elsewhere compilers fuse the casts.

    Args: x: any shape, float. Returns: the same shape and dtype.
    Reference: Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415
    """
    full = ops.cast(x, "float32")
    below = 0.5 * ops.erf(full * math.sqrt(0.5)) + 0.5

    def gradient(upstream):
        density = ops.exp(-0.5 * ops.square(full) - 0.5 * math.log(2.0 * math.pi))
        return upstream * ops.cast(below + full * density, x.dtype)

    return ops.cast(full * below, x.dtype), gradient
