"""Training batches of windows, each with the place of one golden answer in it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.arrays import Split
from shared.task import Labels
from shared.training.feed import Arrays


@dataclass(frozen=True)
class WindowFeed:
    """Windows to train on: those that hold a whole answer and, with no_answer, those of the same questions without one.

    Windows of a question none of whose answers has a place in the passage are never among them: nobody knows what is
    right there.

    Args: windowed. no_answer: whether windows without an answer are trained on too, their target being [CLS].
        at_random: which of several answers in a window is the target: one drawn anew each time, or the first.
    """

    windowed: WindowedSplit
    no_answer: bool
    at_random: bool

    @cached_property
    def answers(self) -> tuple[np.ndarray, np.ndarray]:
        """See `answers_of`."""
        return answers_of(self.windowed)

    @cached_property
    def units(self) -> np.ndarray:
        """Numbers of the windows to train on."""
        chosen = np.diff(self.answers[1]) > 0
        if self.no_answer:
            has_answers = self.windowed.split.ragged("spans").lengths > 0
            chosen |= has_answers[self.windowed.windows.row]
        return np.flatnonzero(chosen)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each window to train on."""
        return self.windowed.lengths[self.units]

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns inputs and targets of the windows.

        Inputs: token_ids, segment_ids: see `WindowedSplit.inputs`. Targets: start, end: (batch,) int32, the columns of
        the answer's first and last token; both 0, [CLS], in a window without an answer.
        """
        windows = self.units[units]
        columns, offsets = self.answers
        counts = offsets[windows + 1] - offsets[windows]
        draw = (rng.random(len(windows)) * counts).astype(np.int64) if self.at_random else np.zeros_like(counts)
        targets = np.zeros((len(windows), 2), np.int32)
        targets[counts > 0] = columns[(offsets[windows] + draw)[counts > 0]]
        return self.windowed.inputs(windows, width), {"start": targets[:, 0], "end": targets[:, 1]}


def feed(split: Split, settings: Settings, labels: Labels) -> WindowFeed:
    """Returns what training draws from."""
    train = settings.train
    return WindowFeed(WindowedSplit(split, labels), train.no_answer, train.answer_sampling == "random")


def answers_of(windowed: WindowedSplit) -> tuple[np.ndarray, np.ndarray]:
    """Returns the answers that lie whole in windows, in order of the windows and then of the split's `spans`.

    Returns: columns of their first and last token, (answers, 2) int64; offsets: (windows + 1,) int64: those of window u
        are columns[offsets[u]:offsets[u + 1]].
    """
    field, (row, start, end) = windowed.split.ragged("spans"), windowed.windows
    spans, first = field.values.reshape(-1, 2).astype(np.int64), field.offsets[row] // 2
    counts = field.lengths[row] // 2
    window = np.repeat(np.arange(len(row)), counts)
    number = np.arange(len(window)) - np.repeat(np.cumsum(counts) - counts, counts)
    found = spans[first[window] + number]  # all answers of the window's question
    whole = (found[:, 0] >= start[window]) & (found[:, 1] <= end[window])
    offsets = np.concatenate([[0], np.cumsum(np.bincount(window[whole], minlength=len(row)))])
    return found[whole] + windowed.shift[window[whole], None] - [0, 1], offsets
