"""Rotary position embedding: queries and keys are rotated by an angle that grows with their position."""

import numpy as np
from keras import ops


def rotate(x, base: float = 10000.0):
    """Rotates each pair (x_i, x_(i + head_dim / 2)) at position m by the angle m * base ** (-2i / head_dim).

    The product of a rotated query and a rotated key depends on the difference of their positions alone. Published
    RoFormer weights make the pairs (x_2i, x_(2i + 1)); `pairs_apart` brings them here.

    Args: x: (batch, num_heads, length, head_dim), any float dtype; head_dim is even. The angles are float32.
    Returns: the same shape and dtype.
    Raises: ValueError if head_dim is odd.
    Reference: Su et al. 2021, RoFormer, https://arxiv.org/abs/2104.09864; https://kexue.fm/archives/8265
    """
    cos, sin = (ops.cast(one, x.dtype) for one in _cos_and_sin(ops.shape(x)[2], x.shape[-1], base))
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def rotations(length, head_dim: int, dtype, base: float = 10000.0):
    """Returns the matrices that `rotate` by a product: (length, head_dim, head_dim), the places' of the last but one.

    (batch, length, num_heads, head_dim) times these is one pass over memory, where `rotate` takes several; it needs
    head_dim / 2 times the arithmetic.
    """
    cos, sin = _cos_and_sin(length, head_dim, base)
    half = head_dim // 2
    turn = np.zeros((head_dim, head_dim), "float32")
    turn[np.arange(half), np.arange(half) + half], turn[np.arange(half) + half, np.arange(half)] = 1.0, -1.0
    cos, sin = (ops.expand_dims(ops.concatenate([one, one], axis=-1), 1) for one in (cos, sin))
    return ops.cast(cos * np.eye(head_dim, dtype="float32") + sin * turn, dtype)


def _cos_and_sin(length, head_dim: int, base: float):
    """Returns both of every angle, (length, head_dim / 2) float32."""
    frequency = base ** (-np.arange(0, _even(head_dim), 2, dtype="float32") / head_dim)  # (head_dim / 2,)
    angle = ops.expand_dims(ops.cast(ops.arange(length), "float32"), -1) * frequency
    return ops.cos(angle), ops.sin(angle)


def pairs_apart(weight, num_heads: int):
    """Returns weights that make query, key and value, with the columns of each query and key head reordered.

    Even columns come first, odd ones after: 0, 2, 4, ..., 1, 3, 5, ... It does not change the products of queries and
    keys. Taking every other number of each token's vectors instead, and the gradient of that, is slow on a CPU.

    Args: weight: (3 * dim,) or (rows, 3 * dim), columns by query, key, value, then head, then place.
    Raises: ValueError if head_dim is odd.
    """
    dim = weight.shape[-1] // 3
    paired, value = ops.split(weight, (2 * dim,), axis=-1)
    rows = weight.shape[:-1]
    pairs = ops.reshape(paired, (-1, _even(dim // num_heads) // 2, 2))
    paired = ops.reshape(ops.transpose(pairs, (0, 2, 1)), (*rows, 2 * dim))
    return ops.concatenate([paired, value], axis=-1)


def _even(head_dim: int) -> int:
    if head_dim % 2:
        raise ValueError(f"rotary positions need an even head dimension, got {head_dim}.")
    return head_dim
