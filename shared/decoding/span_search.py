"""The best spans of a batch by start and end scores: exact, without a table of all pairs of tokens."""

from typing import NamedTuple

import numpy as np


class ScoredSpans(NamedTuple):
    """Spans of each row from best to worst: tokens start to end, half-open, (rows, n) int64; score (rows, n) float.

    A row with fewer than n spans is filled up with empty ones of score -inf.
    """

    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


def best_spans(start: np.ndarray, end: np.ndarray, mask: np.ndarray, max_length: int, n: int = 1) -> ScoredSpans:
    """Returns the n spans of each row with the largest sum of scores; on a tie the earlier start, then the shorter.

    The n best spans start at the n starts whose own best spans are best, so only the spans of these are laid out:
    (rows, n, max_length) numbers. The best span of every start comes from a sliding maximum.

    Args:
        start, end: (rows, length) float, of the same dtype: a span's score is start at its first token plus end at its
            last one. mask: (rows, length) bool, tokens at which a span may start and end. max_length: of a span, in
            tokens, at least 1. n: at least 1.
    """
    rows, length = start.shape
    width, n = min(max_length, length), max(n, 1)
    none = np.zeros((rows, n), np.int64)
    result = ScoredSpans(none, none.copy(), np.full((rows, n), -np.inf, start.dtype))
    if not rows or width < 1:
        return result
    start, end = np.where(mask, start, -np.inf), np.where(mask, end, -np.inf)
    starts = _first_largest(start + sliding_maximum(end, width), min(n, length))  # (rows, k), k at most n
    behind = np.pad(end, ((0, 0), (0, width - 1)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(behind, width, axis=1)  # (rows, length, width), a view
    row = np.arange(rows)
    scores = (np.take_along_axis(start, starts, 1)[..., None] + windows[row[:, None], starts]).reshape(rows, -1)
    for place in range(min(n, scores.shape[1])):
        best = scores.argmax(axis=1)  # the first of equal ones, by start and end
        found = scores[row, best] > -np.inf
        result.start[:, place] = np.where(found, starts[row, best // width], 0)
        result.end[:, place] = np.where(found, result.start[:, place] + best % width + 1, 0)
        result.score[:, place] = scores[row, best]
        scores[row, best] = -np.inf
    return result


def sliding_maximum(values: np.ndarray, width: int) -> np.ndarray:
    """Returns the maximum of values[:, i : i + width] for each column i: the shape of values, (rows, length) float.

    Windows of a power of two are made of two halves, others of two that overlap.
    """
    result, covered = values.copy(), 1
    while covered < min(width, values.shape[1]):
        step = min(covered, width - covered)
        result[:, :-step] = np.maximum(result[:, :-step], result[:, step:])
        covered += step
    return result


def _first_largest(values: np.ndarray, n: int) -> np.ndarray:
    """Returns the columns of the n largest values of each row, the first ones of equal values, by rising column."""
    least = -np.partition(-values, n - 1, axis=1)[:, n - 1 : n]  # the n-th largest, (rows, 1)
    above, equal = values > least, values == least
    missing = n - above.sum(axis=1, keepdims=True)
    chosen = above | (equal & (np.cumsum(equal, axis=1) <= missing))
    return np.nonzero(chosen)[1].reshape(-1, n)
