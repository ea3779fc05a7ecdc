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
    _, length, labels = starts.shape
    start_keys, end_keys = (_keys(np.flatnonzero(marks), length, labels) for marks in (starts, ends))
    return _paired(start_keys, end_keys, length, labels)


def pair_alternating(marks: np.ndarray) -> Spans:
    """Does what `pair_spans` does on (rows, length, 2 * labels) bool, start and end of each label in turn."""
    length, labels = marks.shape[1], marks.shape[2] // 2
    places = np.flatnonzero(marks)  # few: all that follows is cheap
    starts, ends = (_keys(places[places % 2 == end] // 2, length, labels) for end in (0, 1))
    return _paired(starts, ends, length, labels)


def _keys(places: np.ndarray, length: int, labels: int) -> np.ndarray:
    """Returns for places in (rows, length, labels) a number each that rises with row, label and token, sorted."""
    token, label = np.divmod(places, labels)
    row, token = np.divmod(token, length)
    return np.sort((row * labels + label) * length + token)


def _paired(start_keys: np.ndarray, end_keys: np.ndarray, length: int, labels: int) -> Spans:
    nearest = np.searchsorted(end_keys, start_keys)
    found = nearest < len(end_keys)
    start_keys, last_keys = start_keys[found], end_keys[nearest[found]]
    same = start_keys // length == last_keys // length
    group, start = np.divmod(start_keys[same], length)
    row, label = np.divmod(group, labels)
    return Spans(row, label, start, last_keys[same] % length + 1)
