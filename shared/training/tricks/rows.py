"""What a trick makes small in a pass: an objective, computed from some of a batch's rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from shared.layers.draws import Draws
from shared.training.loss import Loss, Terms, total


class Rows:
    """Some rows of a batch, those of one device and micro-batch, in one pass.

    Args:
        forward: (offset, second) -> outputs of the network for these rows: offset, of the table's shape, is added to
            the embedding table, None: nothing; second: with other dropout than else.
        loss: of the task. targets, weight: of these rows, see Loss. weights: Loss.weights of the whole batch.
    """

    def __init__(
        self, forward: Callable[[Any, bool], Any], loss: Loss, targets: Any, weight: Any, weights: Terms
    ) -> None:
        self._forward, self._loss, self._targets = forward, loss, targets
        self._weight, self._weights = weight, weights
        self._plain: Any = None

    def outputs(self, offset: Any = None, second: bool = False) -> Any:
        """Returns the network's outputs; those without offset are computed once."""
        if offset is not None or second:
            return self._forward(offset, second)
        if self._plain is None:
            self._plain = self._forward(None, False)
        return self._plain

    def loss(self, outputs: Any) -> Any:
        """Returns the loss of these rows as part of that of the whole batch: float32 scalar."""
        return total(self._loss.sums(self._targets, outputs, self._weight), self._weights)

    def divergence(self, outputs: Any, other: Any) -> Any:
        """Returns how far two outputs are apart, as part of the whole batch, like `loss`: float32 scalar."""
        if self._loss.divergence is None:
            raise ValueError("this loss has no divergence.")
        return total(self._loss.divergence(self._targets, outputs, other, self._weight), self._weights)


# Returns what to make small, and the loss to report: float32 scalars, as parts of the whole batch.
Objective = Callable[[Rows, Any], tuple[Any, Any]]  # of rows and the offset on the table, or None


def plain(rows: Rows, offset: Any = None) -> tuple[Any, Any]:
    """The objective without any trick: the loss."""
    loss = rows.loss(rows.outputs(offset))
    return loss, loss


def second_draws(draws: Draws) -> Draws:
    """Returns a source of chance that differs from `draws`, and from those of all other steps of a run."""
    # Keys of two steps differ by an odd multiple of their distance: by 2 ** 31 only if that is 2 ** 31 too.
    half = ops.convert_to_tensor(np.uint32(2**31))
    return Draws(ops.cast(draws.key, "uint32") + half, draws.first_row, draws.rows, draws.part)
