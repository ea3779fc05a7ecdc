"""Rotary position embedding: queries and keys are rotated by an angle that grows with their position."""

import numpy as np
from keras import ops


def rotate(x, base: float = 10000.0):
    """Rotates each pair (x_2i, x_2i+1) at position m by the angle m * base ** (-2i / head_dim).

    The pairs are interleaved, as in the published RoFormer weights, not halves. The product of a rotated query and a
    rotated key depends on the difference of their positions alone.

    Args: x: (batch, length, num_heads, head_dim), any float dtype; head_dim is even. The angles are float32.
    Returns: the same shape and dtype.
    Raises: ValueError if head_dim is odd.
    Reference: Su et al. 2021, RoFormer, https://arxiv.org/abs/2104.09864; https://kexue.fm/archives/8265
    """
    head_dim = x.shape[-1]
    if head_dim % 2:
        raise ValueError(f"rotary positions need an even head dimension, got {head_dim}.")
    frequency = base ** (-np.arange(0, head_dim, 2, dtype="float32") / head_dim)  # (head_dim / 2,)
    position = ops.cast(ops.arange(ops.shape(x)[1]), "float32")
    angle = ops.expand_dims(position, -1) * frequency  # (length, head_dim / 2)
    angle = ops.expand_dims(ops.repeat(angle, 2, axis=-1), 1)  # (length, 1, head_dim)
    cos, sin = ops.cast(ops.cos(angle), x.dtype), ops.cast(ops.sin(angle), x.dtype)
    pairs = ops.reshape(x, (*ops.shape(x)[:-1], head_dim // 2, 2))
    turned = ops.reshape(ops.stack([-pairs[..., 1], pairs[..., 0]], axis=-1), ops.shape(x))  # (-x1, x0, -x3, x2, ...)
    return x * cos + turned * sin
