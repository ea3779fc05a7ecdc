"""Stochastic weight averaging: the plain mean of weights along the way."""

from typing import Any

from keras import ops

from shared.optim.wrapper import AverageWrapper


class Swa(AverageWrapper):
    """The mean of the weights after the steps start, start + every, start + 2 every ...; before, the last weights.

    Args: start, every: int, steps. (The paper takes the weights once an epoch of its last quarter.)
    Reference: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407
    """

    def __init__(self, inner: Any, start: int, every: int):
        super().__init__(inner)
        self.start, self.every = start, every

    def share(self, step: Any) -> Any:
        since = ops.maximum(step - self.start, 0)
        taken = ops.cast(since // self.every + 1, "float32")  # so many with this one
        return ops.where(ops.equal(since % self.every, 0), 1.0 / taken, 0.0)
