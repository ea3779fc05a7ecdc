"""An embedding that tells a token whether, and in how long a run, it also stands in the pair's other text."""

import keras
from keras import ops

LEVELS = 4  # no match, a single token, part of a run of two, part of a run of three or more


@keras.saving.register_keras_serializable("baseline_kit")
class ExactMatchEmbedding(keras.layers.Layer):
    """Embeds for each token the longest run of tokens around it that also occurs in the other segment (0, 1, 2, 3+).

    Without pretrained weights an encoder must learn from scratch that equal tokens match; this hands it that fact. The
    table starts at zero, so the encoder is unchanged before the first update.

    Args: hidden_dim: int. special_ids: ints, tokens that never match: padding, [UNK], [CLS], [SEP] ...
    Call arguments: token_ids, segment_ids: (batch, length) int.
    Returns: (batch, length, hidden_dim), compute dtype.
    Reference: the exact-match feature of Chen et al. 2017, https://arxiv.org/abs/1704.00051, section 3.2; runs are ours
    """

    def __init__(self, hidden_dim, special_ids, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim, self.special_ids = hidden_dim, tuple(special_ids)

    def build(self, token_ids_shape, segment_ids_shape=None):
        self.table = self.add_weight(name="embedding", shape=(LEVELS, self.hidden_dim), initializer="zeros")

    def call(self, token_ids, segment_ids):
        levels = match_levels(token_ids, segment_ids, self.special_ids)
        return ops.matmul(ops.one_hot(levels, LEVELS, dtype=self.compute_dtype), self.table)

    def compute_output_shape(self, token_ids_shape, segment_ids_shape=None):
        return (*token_ids_shape, self.hidden_dim)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim, "special_ids": list(self.special_ids)}


def match_levels(token_ids, segment_ids, special_ids):
    """Returns per token the length, at most 3, of the longest run containing it that the other segment also contains.

    Args: token_ids, segment_ids: (batch, length) int. special_ids: tokens that never match.
    Returns: (batch, length) int32, 0 to 3.
    """
    other = ops.not_equal(segment_ids[:, :, None], segment_ids[:, None, :])
    same = ops.equal(token_ids[:, :, None], token_ids[:, None, :])
    special = ops.expand_dims(ops.convert_to_tensor(special_ids, dtype=token_ids.dtype), (0, 1))  # (1, 1, specials)
    word = ops.logical_not(ops.any(ops.equal(token_ids[:, :, None], special), axis=-1))[:, :, None]
    one = ops.logical_and(ops.logical_and(same, other), word)  # (batch, length, length): i and j are equal
    two = ops.logical_and(one[:, :-1, :-1], one[:, 1:, 1:])  # runs of two begin at i and j
    three = ops.logical_and(two[:, :-1, :-1], one[:, 2:, 2:])
    level = ops.cast(ops.any(one, axis=-1), "int32")
    for run, matches in ((2, two), (3, three)):
        starts = ops.any(matches, axis=-1)  # (batch, length - run + 1)
        for shift in range(run):
            covered = ops.pad(starts, ((0, 0), (shift, run - 1 - shift)))[:, : ops.shape(token_ids)[1]]
            level = ops.maximum(level, ops.cast(covered, "int32") * run)
    return level
