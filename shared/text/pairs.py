"""Packs two texts into one sequence: [CLS] first [SEP] second [SEP]."""

from collections.abc import Sequence

import numpy as np

SPECIALS = 3  # [CLS] and two [SEP]


def truncated_lengths(first: np.ndarray, second: np.ndarray, budget: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lengths after trimming the longer text token by token until both fit into `budget` tokens.

    In closed form: a text shorter than half of the budget stays whole and the other gets the rest; if both are longer,
    each gets half, the second one more when the budget is odd (on a tie the first is trimmed).

    Args: first, second: (rows,) int lengths. budget: int >= 0. Returns: two (rows,) int64.
    """
    first, second = np.asarray(first, np.int64), np.asarray(second, np.int64)
    low, high = budget // 2, budget - budget // 2
    fits = first + second <= budget
    kept_first = np.where(
        fits, first, np.where(second <= high, np.minimum(first, budget - second), np.minimum(first, low))
    )
    kept_second = np.where(fits, second, np.minimum(second, budget - kept_first))
    return kept_first, kept_second


def pack_pairs(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], cls_id: int, sep_id: int, max_length: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Joins token ids to `[CLS] first [SEP] second [SEP]`, at most max_length tokens, the longer text trimmed.

    Args: first, second: lists of (tokens,) int arrays. max_length: int >= 3.
    Returns: token_ids and segment_ids (0 up to and with the first [SEP], then 1), lists of (length,) int32.
    """
    lengths, others = (np.fromiter(map(len, texts), np.int64, len(texts)) for texts in (first, second))
    keep_first, keep_second = truncated_lengths(lengths, others, max_length - SPECIALS)
    token_ids, segment_ids = [], []
    for a, b, n, m in zip(first, second, keep_first.tolist(), keep_second.tolist(), strict=True):
        token_ids.append(np.concatenate([[cls_id], a[:n], [sep_id], b[:m], [sep_id]]).astype(np.int32))
        segment_ids.append(np.repeat(np.array([0, 1], np.int32), [n + 2, m + 1]))
    return token_ids, segment_ids
