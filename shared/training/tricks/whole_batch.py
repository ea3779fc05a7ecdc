"""The loss and gradient of a whole batch, as the tricks see them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras import ops

from shared.training.tricks.rows import Objective

Gradients = list[Any]  # of all trained weights, in their order


@dataclass(frozen=True)
class WholeBatch:
    """A batch in one optimizer step, whatever devices and micro-batches its rows are divided among.

    Every pass without `second` has the same dropout, so that two of them differ by what the trick changes alone.

    Args:
        compute: (objective, offset, along, only) -> (loss, gradients), added up over all rows; see the methods. only:
            number of the one weight whose gradient is wanted, or None.
        key: () uint32, of the step, for draws of a trick's own; equal on all devices.
        table: number of the embedding table among the weights, where a trick needs it.
    """

    compute: Callable[[Objective, Any, Any, int | None], tuple[Any, Gradients]]
    key: Any
    table: int = -1

    def gradient(self, objective: Objective, offset: Any = None) -> tuple[Any, Gradients]:
        """Returns the loss to report and the gradient of the objective, with `offset` added to the table."""
        return self.compute(objective, offset, None, None)

    def gradient_of_slope(self, objective: Objective, along: Any) -> Gradients:
        """Returns the gradient of the objective's derivative by t at 0, where t * along is added to the table."""
        return self.compute(objective, None, along, None)[1]

    def table_gradient(self, objective: Objective, offset: Any) -> Any:
        """Returns the gradient by the table alone, with `offset` added to it."""
        return self.compute(objective, offset, None, self.table)[1][0]


def direction(x: Any) -> Any:
    """Returns x / ||x||, the norm over all elements; zeros for zeros, and right where squares of x would underflow."""
    x = x / ops.maximum(ops.max(ops.abs(x)), 1e-30)
    return x / ops.maximum(ops.sqrt(ops.sum(ops.square(x))), 1e-30)


def added(gradients: Sequence[Any], others: Sequence[Any], factor: float = 1.0) -> Gradients:
    """Returns gradients + factor * others, weight by weight."""
    return [a + (b if factor == 1.0 else factor * b) for a, b in zip(gradients, others, strict=True)]
