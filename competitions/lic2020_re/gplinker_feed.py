"""Training batches of GPLinker: which places of its matrices are positive, and the same as scores without an error."""

from dataclasses import dataclass

import numpy as np

from competitions.lic2020_re.encoding import LENGTH_FIELD
from competitions.lic2020_re.spans import spans_of
from shared.arrays import Split
from shared.decoding.gplinker import PairScores
from shared.training.feed import Arrays

FEWEST_PLACES = 8  # of a matrix, so that there are few shapes
SURE = 1e6  # of a perfect score, above every threshold


@dataclass(frozen=True)
class LinkFeed:
    """The rows of a split with the positive places of their matrices; nothing is drawn."""

    split: Split
    num_relations: int

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row."""
        return self.split.ragged(LENGTH_FIELD).lengths

    def batch(self, units: np.ndarray, width: int, rng: np.random.Generator) -> tuple[Arrays, Arrays]:
        """Returns inputs and targets of the rows.

        Inputs: token_ids: (batch, width) int32. Targets: entities: (batch, 2, P) int32, heads and tails: (batch,
        relations, P) int32, the positive places of each matrix, first token * width + second one; entities_mask,
        heads_mask, tails_mask: the same shapes, uint8, 1 where there is such a place. P is the power of two that holds
        the most places of a matrix.
        """
        spans, row = spans_of(self.split, units)
        tables = {name: (places(spans, row, name), count) for name, count in self._matrices()}
        most = max(_largest(table) for table, _ in tables.values())
        size = max(FEWEST_PLACES, 1 << (most - 1).bit_length())
        targets = {}
        for name, (table, count) in tables.items():
            targets[name], targets[f"{name}_mask"] = packed(table, (len(units), count, size), width)
        return {"token_ids": self.split.ragged(LENGTH_FIELD).padded(units, width)}, targets

    def _matrices(self) -> list[tuple[str, int]]:
        return [("entities", 2), ("heads", self.num_relations), ("tails", self.num_relations)]


def places(spans: np.ndarray, row: np.ndarray, name: str) -> np.ndarray:
    """Returns the positive places of one kind of matrix: (places, 4) int64, row, matrix, first and second token.

    They rise and are different from each other.

    Args: spans, row: see `spans_of`. name: entities | heads | tails.
    """
    subject, subject_end, object_, object_end, relation = spans.T
    last, object_last = subject_end - 1, object_end - 1
    if name == "entities":
        subjects, objects = (row, np.zeros_like(row), subject, last), (row, np.ones_like(row), object_, object_last)
        table = np.concatenate([np.column_stack(subjects), np.column_stack(objects)])
    else:
        ends = (subject, object_) if name == "heads" else (last, object_last)
        table = np.column_stack([row, relation, *ends])
    return np.unique(table, axis=0)


def packed(table: np.ndarray, shape: tuple[int, int, int], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns places as numbers, first * width + second, and which of them are real; the others are 0.

    Args: table: as made by `places`. shape: rows, matrices, P.
    Returns: both of that shape, int32 and uint8.
    """
    positives, real = np.zeros(shape, np.int32), np.zeros(shape, np.uint8)
    row, matrix, first, second = table.T
    column = _column(table)
    positives[row, matrix, column] = first * width + second
    real[row, matrix, column] = 1
    return positives, real


def perfect_scores(
    spans: np.ndarray, row: np.ndarray, shape: tuple[int, ...], num_relations: int
) -> tuple[np.ndarray, PairScores, PairScores]:
    """Returns the scores of a network without errors, as `shared.decoding.gplinker.decode` takes them.

    Args: spans, row: see `spans_of`. shape: rows and width of the batch.
    """
    rows, width = shape
    entities = np.full((rows, 2, width, width), -SURE, np.float32)
    entities[tuple(places(spans, row, "entities").T)] = SURE
    heads, tails = (_perfect_links(places(spans, row, name), width, num_relations) for name in ("heads", "tails"))
    return entities, heads, tails


def _perfect_links(table: np.ndarray, width: int, num_relations: int) -> PairScores:
    """Returns which links are in the table, without the matrices, which would take a gigabyte for 64 rows."""

    def number(row: np.ndarray, relation: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return ((row * num_relations + relation) * width + first) * width + second

    known = number(*table.T)

    def scores(row: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        asked = number(row[:, None], np.arange(num_relations), first[:, None], second[:, None])
        return np.where(np.isin(asked, known), np.float32(SURE), np.float32(-SURE))

    return scores


def _column(table: np.ndarray) -> np.ndarray:
    """Returns for each place how many of its matrix come before it: (places,)."""
    _, first, group = np.unique(table[:, :2], axis=0, return_index=True, return_inverse=True)
    return np.arange(len(table)) - first[group.reshape(-1)]


def _largest(table: np.ndarray) -> int:
    """Returns the most places of a matrix, at least 1."""
    return int(_column(table).max(initial=0)) + 1
