"""What a label of one class says about the other: the same event (B) is the same topic (A), never the reverse."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split

# Variant -> that of the same lengths and the other class.
OTHER = np.array(
    [
        next(other.index for other in VARIANTS if other.length == one.length and other.kind != one.kind)
        for one in VARIANTS
    ],
    np.int32,
)
IS_B = np.array([one.kind == "b" for one in VARIANTS])


class Implied(NamedTuple):
    """Rows that follow from others: row: (n,) int64, whose texts they have; variant, label: (n,) int32."""

    row: np.ndarray
    variant: np.ndarray
    label: np.ndarray


def implied_rows(split: Split) -> Implied:
    """Returns what follows from the labels: B 1 gives A 1, A 0 gives B 0.

    Left out is what the split has already: rows with the same tokens and that variant, whatever their label.
    """
    variant, label, tokens = split.dense("variant"), split.dense("label"), split.ragged("token_ids")
    follows = np.flatnonzero(label == IS_B[variant])  # of B label 1, of A label 0
    there = {(int(variant[row]), tokens[row].tobytes()) for row in range(split.rows)}
    new = [row for row in follows.tolist() if (int(OTHER[variant[row]]), tokens[row].tobytes()) not in there]
    rows = np.array(new, np.int64)
    return Implied(rows, OTHER[variant[rows]], label[rows])


def consistent(labels: np.ndarray, margins: np.ndarray, split: Split) -> np.ndarray:
    """Returns the answers without contradictions: where a pair has B 1 and A 0, the surer answer decides.

    Args: labels: (rows,) 0 or 1. margins: (rows,) float, by how much the probability is above the threshold.
    Returns: (rows,), a copy.
    """
    result = labels.copy()
    for a, b in _in_both(split):
        sure_a, sure_b = -margins[a][labels[a] == 0], margins[b][labels[b] == 1]
        if len(sure_a) and len(sure_b):
            if sure_b.max() > sure_a.max():
                result[a] = 1
            else:
                result[b] = 0
    return result


def _in_both(split: Split) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields for each pair of texts that stands in A and in B the numbers of its rows there."""
    variant, source, target = split.dense("variant"), split.ragged("source"), split.ragged("target")
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    for row in range(split.rows):
        groups.setdefault((source[row].tobytes(), target[row].tobytes()), []).append(row)
    for group in groups.values():
        rows = np.array(group)
        in_b = IS_B[variant[rows]]
        if in_b.any() and not in_b.all():
            yield rows[~in_b], rows[in_b]
