"""Training batches of the tagger: labels made from the sparse spans, and the subjects whose objects are asked for."""

from dataclasses import dataclass

import numpy as np

from competitions.lic2020_re.encoding import LENGTH_FIELD
from competitions.lic2020_re.gplinker_feed import LinkFeed
from competitions.lic2020_re.settings import Settings
from competitions.lic2020_re.spans import spans_of
from shared.arrays import Split
from shared.task import Labels
from shared.training.feed import Arrays, Feed


@dataclass(frozen=True)
class PointerFeed:
    """The rows of a split with pointer labels.

    A step asks for the objects of some subjects of each sentence, see `sample_subjects`. A sentence without a subject
    trains the subject head alone.
    """

    split: Split
    num_relations: int
    all_subjects: bool
    separate: bool

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return self.split.ragged(LENGTH_FIELD).lengths

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns inputs and targets of the rows.

        Inputs: token_ids: (batch, width) int32; subjects: (batch, S, 2) int32, first and last token, 0 where there is
        none. Targets, uint8: token_mask: (batch, width); subject_labels: (batch, width, 2); subject_mask: (batch, S);
        object_labels: (batch, S, width, 2 * relations), see `object_labels`. S is 1 or, with all subjects, the power of
        two that holds the largest number of them, so that there are few shapes.
        """
        token_ids = self.split.ragged(LENGTH_FIELD).padded(units, width)
        spans, row = spans_of(self.split, units)
        gold, is_gold = gold_subjects(spans, row, len(units))
        subjects, asked = sample_subjects(gold, is_gold, self.all_subjects, self.separate, rng)
        inputs = {"token_ids": token_ids, "subjects": np.maximum(subjects - np.array([0, 1], np.int32), 0)}
        targets = {
            "token_mask": (token_ids != 0).astype(np.uint8),
            "subject_labels": subject_labels(spans, row, len(units), width),
            "subject_mask": asked.astype(np.uint8),
            "object_labels": object_labels(spans, row, subjects, width, self.num_relations),
        }
        return inputs, targets


def feed(split: Split, settings: Settings, labels: Labels) -> Feed:
    """Returns what training draws from, for the head of the settings."""
    train = settings.train
    if settings.model.head == "gplinker":
        return LinkFeed(split, len(labels["relations"]))
    return PointerFeed(
        split, len(labels["relations"]), train.subjects_per_step == "all", train.subject_sampling == "separate"
    )


def gold_subjects(spans: np.ndarray, row: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct subjects of each row, (rows, K, 2) int32 by rising start and end, and which are real.

    Args: spans, row: see `spans_of`. K is the largest number of subjects of a row, at least 1.
    """
    distinct = np.unique(np.column_stack([row, spans[:, :2]]), axis=0)
    counts = np.bincount(distinct[:, 0], minlength=rows)
    place = np.arange(len(distinct)) - (np.cumsum(counts) - counts)[distinct[:, 0]]
    subjects = np.zeros((rows, max(1, counts.max(initial=0)), 2), np.int32)
    subjects[distinct[:, 0], place] = distinct[:, 1:]
    return subjects, np.arange(subjects.shape[1])[None] < counts[:, None]


def sample_subjects(
    gold: np.ndarray, is_gold: np.ndarray, all_subjects: bool, separate: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the subjects of a step, (rows, S, 2) int32, and which of them count; the others are zero.

    One subject: drawn evenly from the row's. separate: its end is then drawn anew from the ends behind its start, so
    that now and then it is no subject and has no objects, as will happen in prediction (Su, https://kexue.fm/archives
    /7161). All subjects: with separate, such a draw is added, and does not count where it hits a subject.

    Args: gold, is_gold: see `gold_subjects`.
    """
    rows = np.arange(len(gold))
    drawn = gold[rows, _draw(is_gold, rng)]  # (rows, 2)
    if separate:
        behind = is_gold & (gold[..., 1] > drawn[:, :1])
        drawn = np.stack([drawn[:, 0], gold[rows, _draw(behind, rng), 1]], axis=1)
    exists = is_gold.sum(axis=1) > 0
    if not all_subjects:
        return drawn[:, None], exists[:, None]
    subjects, asked = gold, is_gold
    if separate:
        hit = (is_gold & (gold == drawn[:, None]).all(axis=-1)).any(axis=1)
        new = exists & ~hit
        subjects = np.concatenate([gold, (drawn * new[:, None])[:, None]], axis=1)
        asked = np.concatenate([is_gold, new[:, None]], axis=1)
    missing = (1 << (subjects.shape[1] - 1).bit_length()) - subjects.shape[1]
    return np.pad(subjects, ((0, 0), (0, missing), (0, 0))), np.pad(asked, ((0, 0), (0, missing)))


def _draw(eligible: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns for each row the number of one of its eligible columns, each as likely as the others: (rows,)."""
    return np.where(eligible, rng.random(eligible.shape), -1.0).argmax(axis=1)


def subject_labels(spans: np.ndarray, row: np.ndarray, rows: int, width: int) -> np.ndarray:
    """Returns 1 at the first token of each subject (last axis 0) and at its last one (1): (rows, width, 2) uint8."""
    labels = np.zeros((rows, width, 2), np.uint8)
    labels[row, spans[:, 0], 0] = 1
    labels[row, spans[:, 1] - 1, 1] = 1
    return labels


def object_labels(
    spans: np.ndarray, row: np.ndarray, subjects: np.ndarray, width: int, num_relations: int
) -> np.ndarray:
    """Returns the object labels of the given subjects: (rows, S, width, 2 * num_relations) uint8.

    Relation r has its starts at 2 r and its last tokens at 2 r + 1 of the last axis. A subject that is none of the
    row's has zeros only.

    Args: spans, row: see `spans_of`. subjects: (rows, S, 2) int, half-open.
    """
    labels = np.zeros((*subjects.shape[:2], width, 2 * num_relations), np.uint8)
    value, column = np.nonzero((subjects[row] == spans[:, None, :2]).all(axis=-1))
    start, end, relation = spans[value, 2:].T
    labels[row[value], column, start, 2 * relation] = 1
    labels[row[value], column, end - 1, 2 * relation + 1] = 1
    return labels
