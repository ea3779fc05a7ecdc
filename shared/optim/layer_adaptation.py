"""Layer adaptation: each weight moves in proportion to its own norm."""

from typing import Any

from keras import ops

from shared.optim.weight_decay import all_but_excluded
from shared.optim.wrapper import DisplacementWrapper


class LayerAdaptation(DisplacementWrapper):
    """theta <- theta + d * rate * |theta| / |d|, d the inner displacement, with norms over the whole weight.

    The ratio is 1 if either norm is 0, as for weights that start at 0; norms and biases are left alone. Around Adam
    with decay it is LAMB. Keras' own Lamb takes the ratio before the decay and adapts biases too.

    Reference: You et al. 2019, https://arxiv.org/abs/1904.00962
    """

    def build(self, variables: list) -> None:
        super().build(variables)
        self.touched = all_but_excluded(variables)

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        displacement = new - old
        weight_norm, norm = ops.sqrt(ops.sum(ops.square(old))), ops.sqrt(ops.sum(ops.square(displacement)))
        both = ops.logical_and(weight_norm > 0, norm > 0)
        adapted = ops.cast(rate, new.dtype) * weight_norm / ops.where(both, norm, ops.ones_like(norm))
        return old + displacement * ops.where(both, adapted, ops.ones_like(norm))
