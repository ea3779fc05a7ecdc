"""Fixed sinusoids of the clipped distance between two tokens."""

import numpy as np
from keras import ops


def relative_sinusoids(length, clip, dim, dtype):
    """Returns for query i and key j the sinusoid of min(max(j - i, -clip), clip): (length, length, dim), `dtype`.

    Value 2k of distance d is sin((d + clip) / 10000^(2k / dim)), value 2k + 1 the cosine of the same angle.

    Args: length: int or scalar tensor. clip: int. dim: int, may be odd.
    Reference: Wei et al. 2019, NEZHA, https://arxiv.org/abs/1909.00204, section 2.1
    """
    rates = 10000.0 ** (-2.0 * (np.arange(dim) // 2) / dim)
    angles = np.arange(2 * clip + 1)[:, None] * rates  # (2 * clip + 1, dim)
    table = np.where(np.arange(dim) % 2, np.cos(angles), np.sin(angles))
    places = ops.arange(length, dtype="int32")
    distances = ops.clip(ops.expand_dims(places, 0) - ops.expand_dims(places, 1), -clip, clip) + clip
    return ops.take(ops.convert_to_tensor(table, dtype=dtype), distances, axis=0)
