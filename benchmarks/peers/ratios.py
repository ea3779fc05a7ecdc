"""Rates and ratios of repeats that were timed in turn, with their spread."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of some figures, the smallest and the largest."""

    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """Raises: ValueError if there are none."""
        if not figures:
            raise ValueError("no figures, so they have no spread")
        return cls(statistics.median(figures), min(figures), max(figures))

    def text(self, digits: int = 1) -> str:
        """Returns e.g. `12.3 (11.9 to 12.5)`."""
        return f"{self.middle:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def rates(work: float, seconds: Sequence[float]) -> Spread:
    """Returns units of work a second over the repeats."""
    return Spread.of([work / one for one in seconds])


def speedups(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Returns how many times faster ours is, from the seconds of repeats that ran one after the other.

    Each repeat is compared with its neighbour in time, so that a machine that is busy for a while slows both.

    Raises: ValueError if the numbers of repeats differ.
    """
    return Spread.of([their_seconds / our_seconds for our_seconds, their_seconds in zip(ours, theirs, strict=True)])


def best(theirs: dict[str, Sequence[float]]) -> str:
    """Returns the name with the smallest median of seconds; the first on a tie."""
    return min(theirs, key=lambda name: statistics.median(theirs[name]))
