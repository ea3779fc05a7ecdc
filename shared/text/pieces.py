"""The pieces of words, cut once and then looked up: most words of a text have come before."""

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

CHARACTERS_KEPT = 1 << 22  # in words that are remembered: some 200 MB of memory when all are used up
NEW = -1


class Pieces(NamedTuple):
    """The pieces of several words, one word after the other.

    counts: (words,) int32, pieces of each word, may be 0. ids: (pieces,) int32. offsets: (pieces, 2) int32, half-open
    character ranges counted from the start of the piece's word.
    """

    counts: np.ndarray
    ids: np.ndarray
    offsets: np.ndarray


NONE = Pieces(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros((0, 2), np.int32))


class PieceStore:
    """Remembers what `cut` made of each word.

    Args: cut: returns the pieces of words; what it makes of one must not depend on the others.
    """

    def __init__(self, cut: Callable[[list[str]], Pieces]):
        self._cut = cut
        self._numbers: dict[str, int] = {}
        self._characters = 0
        self._pieces = NONE
        self._starts = np.zeros(0, np.int64)

    def __call__(self, words: Sequence[str]) -> Pieces:
        """Returns the pieces of all words in their order."""
        if self._characters > CHARACTERS_KEPT:
            self._numbers, self._characters, self._pieces = {}, 0, NONE
        numbers = self._look_up(words)
        if (numbers == NEW).any():
            self._add([word for word, number in zip(words, numbers.tolist(), strict=True) if number == NEW])
            numbers = self._look_up(words)
        counts = self._pieces.counts[numbers]
        places = ranges(self._starts[numbers], counts)
        return Pieces(counts, self._pieces.ids[places], self._pieces.offsets[places])

    def _look_up(self, words: Sequence[str]) -> np.ndarray:
        return np.fromiter(map(self._numbers.get, words, repeat(NEW)), np.int64, len(words))

    def _add(self, words: list[str]) -> None:
        new = list(dict.fromkeys(words))
        self._pieces = Pieces(*map(np.concatenate, zip(self._pieces, self._cut(new), strict=True)))
        self._starts = np.cumsum(self._pieces.counts) - self._pieces.counts
        self._numbers.update(zip(new, range(len(self._numbers), len(self._numbers) + len(new)), strict=True))
        self._characters += sum(map(len, new))


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns starts[0], starts[0] + 1, ... (counts[0] numbers), then those from starts[1] on, and so forth.

    Args: starts, counts: (n,) int. Returns: (sum of counts,) int64.
    """
    ends = np.cumsum(counts, dtype=np.int64)
    return np.repeat(starts - ends + counts, counts) + np.arange(ends[-1] if len(ends) else 0)
