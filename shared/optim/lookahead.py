"""Lookahead: slow weights that follow the fast ones every few steps."""

from typing import Any

from keras import ops

from shared.optim.wrapper import DisplacementWrapper, value


class Lookahead(DisplacementWrapper):
    """After every `steps` steps: slow <- slow + share * (theta - slow), theta <- slow.

    The jump is part of the displacement: what scales or stops displacements goes inside. The slow weights start where
    the weights are when the first step begins. (bert4keras with tf.keras starts them at 0 and takes their first step at
    once, which halves the weights.)

    Args: steps: int. share: float, of the way that the slow weights take.
    Reference: Zhang et al. 2019, https://arxiv.org/abs/1907.08610
    """

    def __init__(self, inner: Any, steps: int, share: float):
        super().__init__(inner)
        self.steps, self.way = steps, share

    def build(self, variables: list) -> None:
        super().build(variables)
        self.touched = list(range(len(variables)))
        self._slow = [self.add_variable(variable, "slow") for variable in variables]

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        slow = ops.where(ops.equal(step, 1), old, value(self._slow[index]))
        due = ops.equal(step % self.steps, 0)
        slow = ops.where(due, slow + self.way * (new - slow), slow)
        self._slow[index].assign(slow)
        return ops.where(due, slow, new)
