"""What training draws its batches from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from shared.arrays import Split
from shared.training.batches import collate

Arrays = dict[str, Any]  # name -> array, the batch axis first


class Feed(Protocol):
    """A set of training units: rows of a split, or what a competition makes of them, such as windows of long texts."""

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each unit, (units,) int64; they decide which units share a batch."""

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns the inputs of the network and the targets of the loss, by name.

        Args: units: (batch,) int, their numbers. width: tokens that texts are padded to. rng: the one source of chance,
            equal for the same step of an equal run.
        """


@dataclass(frozen=True)
class FieldFeed:
    """The rows of a split as they are: named fields, ragged ones padded with 0."""

    split: Split
    length_field: str
    inputs: Sequence[str]
    targets: Sequence[str]

    @property
    def lengths(self) -> np.ndarray:
        """Row lengths of `length_field`."""
        return self.split.ragged(self.length_field).lengths

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns the fields named; nothing is drawn."""
        return collate(self.split, self.inputs, (units, width)), collate(self.split, self.targets, (units, width))
