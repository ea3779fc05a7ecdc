"""Decoupled weight decay at a place of one's own among the wrappers."""

from typing import Any

from keras import ops

from shared.optim.adamw import exclude_from_decay
from shared.optim.wrapper import DisplacementWrapper


class WeightDecay(DisplacementWrapper):
    """theta <- theta - rate * decay * theta beside the inner displacement; norms and biases are left alone.

    Args: inner: optimizer without decay of its own. decay: float.
    Reference: Loshchilov & Hutter 2017, https://arxiv.org/abs/1711.05101
    """

    def __init__(self, inner: Any, decay: float):
        super().__init__(inner)
        self.decay = decay

    def build(self, variables: list) -> None:
        super().build(variables)
        self.touched = all_but_excluded(variables)

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        return new - old * ops.cast(rate * self.decay, new.dtype)


def all_but_excluded(variables: list) -> list[int]:
    """Returns the numbers of the weights that are neither biases nor of normalizations."""
    excluded = {id(variable) for variable in exclude_from_decay(variables)}
    return [index for index, variable in enumerate(variables) if id(variable) not in excluded]
