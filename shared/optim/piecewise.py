"""A learning rate that is linear between given points."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from keras import ops

from shared.optim.wrapper import DisplacementWrapper

Points = Sequence[tuple[int, float]]


class Piecewise(DisplacementWrapper):
    """theta <- theta + d * factor(step), d the inner displacement.

    Args: points: see `factor`.
    Reference: Su Jianlin, https://kexue.fm/archives/7094. There the first step has the number 0 and is lost.
    """

    def __init__(self, inner: Any, points: Points):
        super().__init__(inner)
        self.points = points

    def build(self, variables: list) -> None:
        super().build(variables)
        self.touched = list(range(len(variables)))

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        return old + (new - old) * ops.cast(factor(self.points, step), new.dtype)


def factor(points: Points, step: Any) -> Any:
    """Returns the factor of a step, () float32: linear between the points, flat behind the last.

    Args: points: pairs of a step and its factor, steps rising; (0, 0) is implied if there is none for step 0.
        step: its number from 1.
    """
    if points[0][0] > 0:
        points = [(0, 0.0), *points]
    step = ops.cast(step, "float32")
    result = ops.convert_to_tensor(points[0][1], "float32")
    for (start, low), (end, high) in pairwise(points):
        result = result + (high - low) * ops.clip((step - start) / (end - start), 0.0, 1.0)
    return result
