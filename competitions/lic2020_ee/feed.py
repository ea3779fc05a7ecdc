"""Training batches of the tagger: labels made from the sparse spans."""

from dataclasses import dataclass

import numpy as np

from competitions.lic2020_ee.encoding import LENGTH_FIELD
from competitions.lic2020_ee.labelling import SCHEMES, Roles, Scheme
from competitions.lic2020_ee.settings import Settings
from competitions.lic2020_ee.span_labels import (
    GPLINKER,
    SPAN_SCHEMES,
    Most,
    gold_of,
    link_labels,
    most_of,
    num_heads,
    span_labels,
)
from shared.arrays import Split
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
        targets = self.scheme.labels(
            gold_of(self.split, units, self.roles, triggers=False).spans, len(units), width, self.roles
        )
        return {"token_ids": token_ids}, {"token_mask": (token_ids != 0).astype(np.uint8), **targets}


@dataclass(frozen=True)
class SpanFeed:
    """The rows of a split with the spans and links of `global_pointer` or `gplinker`; nothing is drawn.

    most: of all rows, so that batches of one width have one shape.
    """

    split: Split
    scheme: str
    roles: Roles
    most: Most

    @classmethod
    def of(cls, split: Split, scheme: str, roles: Roles) -> "SpanFeed":
        """Returns the feed of all rows."""
        gold = gold_of(split, np.arange(split.rows), roles, triggers=scheme == GPLINKER)
        longest = int(split.ragged(LENGTH_FIELD).lengths.max(initial=1))
        return cls(split, scheme, roles, most_of(gold, longest, num_heads(scheme, roles)))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return self.split.ragged(LENGTH_FIELD).lengths

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns inputs and targets of the rows.

        Inputs: token_ids: (batch, width) int32, 0 where padded. Targets: those of `span_labels` and, of gplinker,
        `link_labels`.
        """
        gold = gold_of(self.split, units, self.roles, triggers=self.scheme == GPLINKER)
        heads = num_heads(self.scheme, self.roles)
        targets = span_labels(gold.spans, len(units), width, heads, self.most.spans)
        if self.scheme == GPLINKER:
            targets |= link_labels(gold, len(units), width, self.most.links)
        return {"token_ids": self.split.ragged(LENGTH_FIELD).padded(units, width)}, targets


def feed(split: Split, settings: Settings, labels: Labels) -> LabelFeed | SpanFeed:
    """Returns what training draws from."""
    scheme, roles = labels["scheme"], Roles.of(labels["roles"])
    return SpanFeed.of(split, scheme, roles) if scheme in SPAN_SCHEMES else LabelFeed(split, SCHEMES[scheme], roles)
