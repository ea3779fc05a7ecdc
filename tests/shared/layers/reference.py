"""The encoder's formulas in NumPy, float64, one pair of loops instead of a batched product where that is plainer."""

import math

import numpy as np


def layer_norm(x, gamma, beta, epsilon):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + epsilon) + beta


def conditional_layer_norm(x, weights, condition, epsilon):
    """weights: gamma, beta, gamma_kernel, beta_kernel, as the layer lists them; condition: (batch, condition_dim)."""
    gamma, beta, gamma_kernel, beta_kernel = weights
    return np.stack(
        [
            layer_norm(row, gamma + c @ gamma_kernel, beta + c @ beta_kernel, epsilon)
            for row, c in zip(x, condition, strict=True)
        ]
    )


def gelu(x):
    return x * np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def rotate_vector(vector, position):
    """The pair (2i, 2i + 1) is a complex number; it is turned by position * 10000 ** (-2i / d)."""
    d = len(vector)
    result = np.empty(d)
    for i in range(d // 2):
        turn = np.exp(1j * position * 10000 ** (-2 * i / d))
        turned = (vector[2 * i] + 1j * vector[2 * i + 1]) * turn
        result[2 * i], result[2 * i + 1] = turned.real, turned.imag
    return result


def rms_norm(x, epsilon):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon)


def distance_vector(distance, clip, size):
    """Sinusoids of a clipped distance: even places hold the sine, odd ones the cosine of the same angle."""
    place = min(max(distance, -clip), clip) + clip
    return np.array([(math.cos if i % 2 else math.sin)(place / 10000 ** (2 * (i // 2) / size)) for i in range(size)])


def self_attention(x, weights, num_heads, mask=None, rotary=False, clip=None):
    """weights: qkv_kernel, qkv_bias, output_kernel, output_bias; mask: (batch, length), True at real tokens.

    clip: of relative positions, or None.
    """
    qkv_kernel, qkv_bias, output_kernel, output_bias = weights
    batch, length, dim = x.shape
    size = dim // num_heads
    context = np.zeros_like(x)
    for b in range(batch):
        query, key, value = np.split(x[b] @ qkv_kernel + qkv_bias, 3, axis=-1)  # each (length, dim)
        for head in range(num_heads):
            part = slice(head * size, (head + 1) * size)
            q, k = query[:, part], key[:, part]
            if rotary:
                q = np.stack([rotate_vector(row, m) for m, row in enumerate(q)])
                k = np.stack([rotate_vector(row, m) for m, row in enumerate(k)])
            visible = np.flatnonzero(mask[b]) if mask is not None else np.arange(length)
            for m in range(length):
                told = np.zeros((len(visible), size))
                if clip is not None:
                    told = np.stack([distance_vector(n - m, clip, size) for n in visible])
                shares = softmax((k[visible] + told) @ q[m] / math.sqrt(size))
                context[b, m, part] = shares @ (value[visible][:, part] + told)
    return context @ output_kernel + output_bias


def transformer_block(x, weights, num_heads, condition, epsilon, mask=None, rotary=False):
    """weights: 4 of the attention, 4 of its norm, 2 of each dense layer, 4 of the last norm; see `block_weights`."""
    attention, attention_norm, expand, reduce, ffn_norm = weights
    x = conditional_layer_norm(
        x + self_attention(x, attention, num_heads, mask, rotary), attention_norm, condition, epsilon
    )
    y = gelu(x @ expand[0] + expand[1]) @ reduce[0] + reduce[1]
    return conditional_layer_norm(x + y, ffn_norm, condition, epsilon)
