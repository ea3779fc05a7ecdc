"""Passages cut into windows that fit the network, each one packed as [CLS] question [SEP] passage part [SEP]."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from competitions.lic2020_mrc.settings import NUM_SPECIAL
from shared.arrays import Ragged, Split
from shared.task import Labels


class Windows(NamedTuple):
    """Parts of passages as columns of equal length, int64: row number; passage tokens start to end, half-open."""

    row: np.ndarray
    start: np.ndarray
    end: np.ndarray


def windows_of(question_lengths: np.ndarray, passage_lengths: np.ndarray, window: int, stride: int) -> Windows:
    """Returns windows over all tokens of every passage, by rising row and start; one at least a row.

    A window begins `stride` passage tokens behind the one before; the last is moved back so far that it is as full as
    the others and ends with the passage. Every stretch of up to window - 3 - question - stride + 1 tokens lies whole
    in some window.

    Args:
        question_lengths, passage_lengths: (rows,) int, in tokens. window: tokens of a packed window, at most. stride:
            at most window - 3 - question; 0: each passage's first window only, whatever is behind it.
    """
    room = window - NUM_SPECIAL - np.asarray(question_lengths, np.int64)
    passage_lengths = np.asarray(passage_lengths, np.int64)
    last = np.maximum(passage_lengths - room, 0) if stride else np.zeros_like(passage_lengths)  # start of the last one
    counts = 1 + (-(-last // stride) if stride else last)
    row = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.minimum(within * stride, last[row])
    return Windows(row, start, np.minimum(start + room[row], passage_lengths[row]))


@dataclass(frozen=True)
class WindowedSplit:
    """The rows of a split as windows; a unit is a window's number.

    Args: split: as made by `encoding.encode_split`. labels: as made by `encoding.encode`.
    """

    split: Split
    labels: Labels

    @cached_property
    def questions(self) -> Ragged:
        """Token ids of each row's question."""
        return self.split.ragged("question_ids")

    @cached_property
    def passages(self) -> Ragged:
        """Token ids of each row's passage."""
        return self.split.ragged("passage_ids")

    @cached_property
    def windows(self) -> Windows:
        """All windows."""
        lengths = self.questions.lengths, self.passages.lengths
        return windows_of(*lengths, self.labels["window"], self.labels["stride"])

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of each packed window, (units,) int64."""
        row, start, end = self.windows
        return NUM_SPECIAL + self.questions.lengths[row] + end - start

    @cached_property
    def shift(self) -> np.ndarray:
        """What is added to a passage token's number to get its column in the window, (units,) int64."""
        row, start, _ = self.windows
        return self.questions.lengths[row] + 2 - start

    def inside(self, units: np.ndarray, width: int) -> np.ndarray:
        """Returns whether each column holds a passage token, (len(units), width) bool."""
        column, shift = np.arange(width), self.shift[units][:, None]
        start, end = (part[units][:, None] + shift for part in self.windows[1:])
        return (column >= start) & (column < end)

    def inputs(self, units: np.ndarray, width: int) -> dict[str, Any]:
        """Returns the windows packed, padded with 0: token_ids and segment_ids, (len(units), width) int32.

        segment_ids: 1 at the passage part and the [SEP] behind it.
        """
        row, column = self.windows.row[units], np.arange(width)
        question_end = self.questions.lengths[row][:, None] + 1  # column of the first [SEP]
        last = self.lengths[units][:, None] - 1  # column of the second one
        token_ids = np.zeros((len(units), width), np.int32)
        token_ids[:, 0] = self.labels["cls_id"]
        token_ids[(column == question_end) | (column == last)] = self.labels["sep_id"]
        for field, mask, shift in (
            (self.questions, (column > 0) & (column < question_end), 1),
            (self.passages, self.inside(units, width), self.shift[units][:, None]),
        ):
            token_ids[mask] = field.values[(field.offsets[row][:, None] + column - shift)[mask]]
        segment_ids = ((column > question_end) & (column <= last)).astype(np.int32)
        return {"token_ids": token_ids, "segment_ids": segment_ids}
