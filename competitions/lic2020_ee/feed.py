"""Training batches of the tagger: labels made from the sparse spans."""

from dataclasses import dataclass

import numpy as np

from competitions.lic2020_ee.encoding import LENGTH_FIELD, SPAN_FIELDS
from competitions.lic2020_ee.labelling import SCHEMES, Roles, Scheme
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.decoding.pointers import Spans
from shared.task import Labels
from shared.training.feed import Arrays


@dataclass(frozen=True)
class LabelFeed:
    """The rows of a split with the labels of a scheme; nothing is drawn."""

    split: Split
    scheme: Scheme
    roles: Roles

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return self.split.ragged(LENGTH_FIELD).lengths

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns inputs and targets of the rows.

        Inputs: token_ids: (batch, width) int32, 0 where padded. Targets: token_mask: (batch, width) uint8, 1 at tokens,
        [CLS] and [SEP] too; and those that `Scheme.labels` makes.
        """
        token_ids = self.split.ragged(LENGTH_FIELD).padded(units, width)
        targets = self.scheme.labels(gold_spans(self.split, units), len(units), width, self.roles)
        return {"token_ids": token_ids}, {"token_mask": (token_ids != 0).astype(np.uint8), **targets}


def feed(split: Split, settings: Settings, labels: Labels) -> LabelFeed:
    """Returns what training draws from."""
    return LabelFeed(split, SCHEMES[labels["scheme"]], Roles.of(labels["roles"]))


def gold_spans(split: Split, units: np.ndarray) -> Spans:
    """Returns the arguments of rows, with the place of each row among `units`, which may hold a row twice.

    Args: units: (batch,) int, row numbers.
    """
    field = split.ragged("spans")
    table, first = field.values.reshape(-1, SPAN_FIELDS).astype(np.int64), field.offsets[units] // SPAN_FIELDS
    counts = field.lengths[units] // SPAN_FIELDS
    row = np.repeat(np.arange(len(units)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    start, end, role, _ = table[first[row] + within].T
    return Spans(row, role, start, end)
