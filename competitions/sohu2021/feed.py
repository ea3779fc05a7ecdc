"""What training draws its batches from: the pairs as they are, swapped, or with what follows from their labels."""

from dataclasses import dataclass

import numpy as np

from competitions.sohu2021.encoding import LENGTH_FIELD
from competitions.sohu2021.implication import implied_rows
from competitions.sohu2021.settings import Settings
from shared.arrays import Split
from shared.losses.class_balance import class_weights
from shared.task import Labels
from shared.training.batches import collate
from shared.training.feed import Arrays, Feed, FieldFeed

TEXT_FIELDS = ("token_ids", "segment_ids")
CLASSES = 2


def feed(split: Split, settings: Settings, labels: Labels) -> Feed:
    """Returns what training draws from: all rows as they are, unless the settings ask for more."""
    train = settings.train
    targets = ("label", "variant") if train.auxiliary_weight or train.loss == "soft_f1" else ("label",)
    if train.swap == "none" and not train.implied_labels and train.loss != "class_balanced":
        return FieldFeed(split, LENGTH_FIELD, inputs=(*TEXT_FIELDS, "variant"), targets=targets)
    rows, variant, label = np.arange(split.rows), split.dense("variant"), split.dense("label")
    if train.implied_labels:
        more = implied_rows(split)
        rows, variant = np.concatenate([rows, more.row]), np.concatenate([variant, more.variant])
        label = np.concatenate([label, more.label])
    chance = np.full(len(rows), 0.5 if train.swap == "half" else 0.0)
    if train.swap == "both":
        rows, variant, label = (np.tile(array, 2) for array in (rows, variant, label))
        chance = np.concatenate([chance, np.ones(len(chance))])
    fields = {"label": label, "variant": variant}
    if train.loss == "class_balanced":
        weights = class_weights(np.bincount(label, minlength=CLASSES), train.balance_beta)
        fields["class_weight"] = weights[label]
        targets = (*targets, "class_weight")
    return PairFeed(split, rows, fields, chance, targets)


@dataclass(frozen=True)
class PairFeed:
    """Units made of the rows of a split.

    rows: (units,) int64, whose texts they have. fields: name -> (units,), `label`, `variant` and what else is a target.
    chance: (units,) float, of source and target to change places. targets: the fields that the loss is given.
    """

    split: Split
    rows: np.ndarray
    fields: dict[str, np.ndarray]
    chance: np.ndarray
    targets: tuple[str, ...]

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each unit; swapping does not change them."""
        return self.split.ragged(LENGTH_FIELD).lengths[self.rows]

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns token_ids, segment_ids, variant and the targets; drawn is only which pairs are swapped."""
        texts = collate(self.split, TEXT_FIELDS, (self.rows[units], width))
        chosen = rng.random(len(units)) < self.chance[units]
        token_ids, segment_ids = swapped(texts["token_ids"], texts["segment_ids"], self.lengths[units], chosen)
        inputs = {"token_ids": token_ids, "segment_ids": segment_ids, "variant": self.fields["variant"][units]}
        return inputs, {name: self.fields[name][units] for name in self.targets}


def swapped(
    token_ids: np.ndarray, segment_ids: np.ndarray, lengths: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows with [CLS] first [SEP] second [SEP] made [CLS] second [SEP] first [SEP] where they are chosen.

    Args: token_ids, segment_ids: (batch, width) int, padded behind `lengths`, (batch,) int. chosen: (batch,) bool.
    """
    place = np.arange(token_ids.shape[1])
    length = lengths[:, None]
    second = segment_ids.sum(axis=1)[:, None]  # tokens of the second text with its [SEP]
    first = length - second  # of the first, with [CLS] and [SEP]
    source = np.where(place <= second, place + first - 1, place - second)
    source = np.where((place == 0) | (place >= length), place, source)
    segments = ((place > second) & (place < length)).astype(segment_ids.dtype)
    chosen = chosen[:, None]
    ids = np.where(chosen, np.take_along_axis(token_ids, source, axis=1), token_ids)
    return ids, np.where(chosen, segments, segment_ids)
