"""A loss as sums and weights, so that it can be computed in parts and is the same as in one piece."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

Terms = dict[str, Any]  # name of a term -> float32 scalar


@dataclass(frozen=True)
class Loss:
    """The sum over terms of sums / max(weights, 1), where sums and weights add up over the rows of a batch.

    A mean over rows, tokens or pairs is such a term. Devices and micro-batches each sum over their own rows and divide
    by the weights of the whole batch, so that the loss and its gradient do not depend on how the batch is divided.

    weights(targets, sample_weight) -> Terms: they depend on no output, so that they are known before the first part.
    sums(targets, outputs, sample_weight) -> Terms: losses times weights, added up.

    divergence(targets, outputs, other_outputs, sample_weight) -> Terms: how far two outputs of the network for the same
        rows are apart, with the names and weights of `sums`: symmetrical Kullback-Leibler divergences times weights,
        added up (shared.losses.divergence). None: the task has none, and tricks that need it are refused.

    divisible: whether sums over parts of a batch add up to those over all of it. False: such a batch cannot be
        computed in parts when the memory does not suffice.

    targets and outputs are dicts of tensors, rows first; sample_weight is (batch,) float32, 0 for rows that only fill
    up a batch.
    """

    weights: Callable[[Any, Any], Terms]
    sums: Callable[[Any, Any, Any], Terms]
    divergence: Callable[[Any, Any, Any, Any], Terms] | None = None
    divisible: bool = True

    def __call__(self, targets: Any, outputs: Any, sample_weight: Any) -> Any:
        """Returns the loss of a whole batch: float32 scalar."""
        return total(self.sums(targets, outputs, sample_weight), self.weights(targets, sample_weight))


def total(sums: Terms, weights: Terms) -> Any:
    """Returns the loss of the rows that `sums` were made from, as part of the batch whose `weights` are given."""
    parts = [sums[name] / ops.maximum(weights[name], 1.0) for name in sums]
    return sum(parts[1:], parts[0])
