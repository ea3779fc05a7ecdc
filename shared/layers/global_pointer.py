"""Scores of all spans of a text, or of all pairs of its tokens, for several labels at once."""

import keras
import numpy as np
from keras import ops

from shared.layers.dense import dense
from shared.layers.rotary_position import rotate

_MASKED = -1e9  # finite, so that no gradient becomes nan


@keras.saving.register_keras_serializable("baseline_kit")
class GlobalPointer(keras.layers.Layer):
    """Efficient GlobalPointer: score of head h for first token i and last token j, a single number for the span.

    [q_i; k_i] = W x_i + b is one vector a token for all heads, and
    s_h(i, j) = (R_i q_i) . (R_j k_j) / sqrt(head_dim) + start_h(i) + end_h(j), where start and end are linear in [q; k]
    of their own token and R turns by the position, so that a head tells spans by their length too. A head adds 4
    head_dim weights, not 2 dim head_dim as in the original. As in the author's code start and end are halved.

    The result takes batch * heads * length ** 2 * 4 bytes: 206 MB for 16 texts of 256 tokens and 49 heads, and its
    gradient as much again.

    Args:
        heads: int, labels. head_dim: int, of q and k; even if rotary.
        rotary: bool. False: no positions; the scores then know the distance by the inputs alone.
        triangular: bool. Hides pairs whose last token comes before the first: for spans. False: for pairs of any order.
        seed: int or None, of the start.
    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length), true at real tokens, or None.
        factored: bool. True: what the scores are sums of, for predictions that look at few of them.
    Returns: (batch, heads, length, length) float32, [b, h, i, j] of i to j inclusive; -1e9 where i or j is padding or,
        with triangular, j < i. The scores are computed in float32, [q; k] in the compute dtype. With factored, instead,
        (batch, length + 2 * heads, length) float32, nothing hidden: the products, below them start, then end, of each
        head. (One tensor, as Keras expects of a layer that is called twice the same number of outputs.)
    Raises: ValueError if head_dim is odd and rotary.
    Reference: Su et al. 2022, https://arxiv.org/abs/2208.03054 ; https://kexue.fm/archives/8877 ; the original:
        https://kexue.fm/archives/8373
    """

    def __init__(self, heads, head_dim=64, rotary=True, triangular=True, seed=None, **kwargs):
        super().__init__(**kwargs)
        if rotary and head_dim % 2:
            raise ValueError(f"rotary positions need an even head dimension, got {head_dim}.")
        self.heads, self.head_dim, self.rotary = heads, head_dim, rotary
        self.triangular, self.seed = triangular, seed

    def build(self, inputs_shape, padding_mask_shape=None):
        """Makes the weights."""
        seeds = (None, None) if self.seed is None else (self.seed, self.seed + 5)
        pair_start, head_start = (keras.initializers.LecunNormal(seed=seed) for seed in seeds)
        pair, heads = 2 * self.head_dim, 2 * self.heads
        self.pair_kernel = self.add_weight(name="pair_kernel", shape=(inputs_shape[-1], pair), initializer=pair_start)
        self.pair_bias = self.add_weight(name="pair_bias", shape=(pair,), initializer="zeros")
        self.head_kernel = self.add_weight(name="head_kernel", shape=(pair, heads), initializer=head_start)
        self.head_bias = self.add_weight(name="head_bias", shape=(heads,), initializer="zeros")

    def call(self, inputs, padding_mask=None, factored=False):
        """See the class."""
        pair = dense(inputs, self.pair_kernel, self.pair_bias)  # (batch, length, 2 * head_dim)
        ends = ops.cast(dense(pair, self.head_kernel, self.head_bias), "float32") / 2.0
        ends = ops.transpose(ends, (0, 2, 1))  # (batch, 2 * heads, length)
        pair = ops.expand_dims(ops.cast(pair, "float32"), 1)
        query, key = ops.split(pair, 2, axis=-1)  # (batch, 1, length, head_dim)
        if self.rotary:
            query, key = rotate(query), rotate(key)
        products = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * self.head_dim**-0.5
        if factored:
            return ops.concatenate([products[:, 0], ends], axis=1)
        visible = self._visible(ops.shape(inputs)[1], padding_mask)
        start, end = ends[:, : self.heads, :, None], ends[:, self.heads :, None, :]
        # Start and end first: of product, scale and a sum with `start` alone TensorFlow makes one oneDNN operation that
        # has no fast form for its shape and takes 300 times as long.
        logits = products + (start + end)  # (batch, heads, length, length)
        return logits if visible is None else ops.where(visible, logits, np.float32(_MASKED))

    def _visible(self, length, padding_mask):
        """Returns which pairs may be chosen: bool, (batch or 1, 1, length, length), or None for all."""
        places = ops.arange(length)
        ordered = ops.less_equal(places[:, None], places)[None, None] if self.triangular else None
        if padding_mask is None:
            return ordered
        real = ops.cast(padding_mask, "bool")
        both = ops.logical_and(real[:, None, :, None], real[:, None, None, :])
        return both if ordered is None else ops.logical_and(both, ordered)

    def compute_output_spec(self, inputs, padding_mask=None, factored=False):
        """See the class."""
        batch, length = inputs.shape[:2]
        below = None if length is None else length + 2 * self.heads
        shape = (batch, below, length) if factored else (batch, self.heads, length, length)
        return keras.KerasTensor(shape, "float32")

    def get_config(self):
        """See the class."""
        own = ("heads", "head_dim", "rotary", "triangular", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
