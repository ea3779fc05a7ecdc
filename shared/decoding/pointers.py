"""Start and end marks into spans: half-pointer, half-tagging decoding."""

from typing import NamedTuple

import numpy as np


class Spans(NamedTuple):
    """Spans of a batch as columns of equal length, int64: tokens start to end, half-open, of a label in a row."""

    row: np.ndarray
    label: np.ndarray
    start: np.ndarray
    end: np.ndarray


def pair_spans(starts: np.ndarray, ends: np.ndarray) -> Spans:
    """Pairs each start with the nearest end at or behind it of the same row and label; a start without one is dropped.

    Two starts before one end share it; of nested spans with one start only the shorter comes out.

    Args: starts, ends: (rows, length, labels) bool; an end stands on the last token of a span.
    Returns: Spans by rising row, label and start.
    Reference: the decoding of CasRel, Wei et al. 2020, https://arxiv.org/abs/1909.03227, section 3.2
    """
    length = starts.shape[1]
    start_keys, end_keys = _keys(starts), _keys(ends)
    nearest = np.searchsorted(end_keys, start_keys)
    found = nearest < len(end_keys)
    start_keys, last_keys = start_keys[found], end_keys[nearest[found]]
    same = start_keys // length == last_keys // length
    group, start = np.divmod(start_keys[same], length)
    row, label = np.divmod(group, starts.shape[2])
    return Spans(row, label, start, last_keys[same] % length + 1)


def _keys(marks: np.ndarray) -> np.ndarray:
    """Returns a number for each mark that rises with row, label and token, in this order: (marks,) int64, sorted."""
    _, length, labels = marks.shape
    row, token, label = np.nonzero(marks)
    return np.sort((row * labels + label) * length + token)
