"""Zeroth-order search of decision numbers, with what it gains on rows that it has not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from shared.optim.zeroth_order import maximize
from shared.search.numbers import Number

Score = Callable[[dict[str, float]], float]  # values by key -> the measure, larger is better
SCALE = 0.15  # of the first steps, in units


@dataclass(frozen=True)
class Found:
    """The best values of a search. before, after: the measure on the rows searched."""

    values: dict[str, float]
    before: float
    after: float


def with_effect(numbers: Sequence[Number], score: Score) -> list[Number]:
    """Returns the numbers that change the measure if they are moved by a quarter or half of a unit, either way."""
    start = {number.key: number.value for number in numbers}
    usual = score(start)
    return [
        number
        for number in numbers
        if any(
            score(start | {number.key: number.within(number.value + step * number.unit)}) != usual
            for step in (-0.25, 0.25, -0.5, 0.5)
        )
    ]


def search(numbers: Sequence[Number], score: Score, rng: np.random.Generator, rounds: int, samples: int = 4) -> Found:
    """Climbs from the present values by evolution strategies; see `shared.optim.zeroth_order.maximize`.

    A value that in the end could as well be the present one goes back to it.
    """
    units = np.array([number.unit for number in numbers])

    def values(point: np.ndarray) -> dict[str, float]:
        return {one.key: one.within(value) for one, value in zip(numbers, point * units, strict=True)}

    def project(point: np.ndarray) -> np.ndarray:
        return np.array(list(values(point).values())) / units

    present = {number.key: number.value for number in numbers}
    start = np.array([number.value for number in numbers]) / units
    before = score(present)
    best = maximize(
        lambda point: score(values(point)), start, rng, scale=SCALE, samples=samples, rounds=rounds, project=project
    )
    chosen, after = (values(best.point), best.value) if best.value > before else (present, before)
    for key, value in present.items():
        if chosen[key] != value and (score_back := score(chosen | {key: value})) >= after:
            chosen, after = chosen | {key: value}, score_back
    return Found(chosen, before, after)


def halves(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers of the rows in two parts by chance, each in rising order."""
    order = rng.permutation(rows)
    return np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])
