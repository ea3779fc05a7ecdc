"""A batch as the engine takes it."""

from dataclasses import dataclass

import numpy as np

from shared.training.feed import Arrays


@dataclass(frozen=True)
class Batch:
    """Arrays by name, rows first. weight: (rows,) float32, 0 for rows that only fill up."""

    inputs: Arrays
    targets: Arrays
    weight: np.ndarray

    @property
    def shape(self) -> tuple:
        """What a step has to be compiled for."""
        return tuple((name, array.shape) for part in (self.inputs, self.targets) for name, array in part.items())


def filled(batch: Batch, multiple: int) -> Batch:
    """Returns the batch with rows of weight 0 added, copies of its first ones, up to a multiple of so many rows."""
    rows = len(batch.weight)
    missing = -rows % multiple
    if not missing:
        return batch
    chosen = np.arange(rows + missing) % rows
    inputs, targets = ({name: array[chosen] for name, array in part.items()} for part in (batch.inputs, batch.targets))
    return Batch(inputs, targets, np.concatenate([batch.weight, np.zeros(missing, np.float32)]))
