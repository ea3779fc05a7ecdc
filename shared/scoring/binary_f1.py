"""Counts, precision, recall and F1 of label 1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Counts:
    """Confusion of two classes, label 1 being the positive one. A quotient with denominator 0 is 0."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.tp + self.fp + self.fn + self.tn

    @property
    def positives(self) -> int:
        """Number of rows whose gold label is 1."""
        return self.tp + self.fn

    @property
    def precision(self) -> float:
        """Share of the rows predicted 1 that are 1."""
        return _quotient(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """Share of the rows that are 1 that are predicted 1."""
        return _quotient(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 tp / (2 tp + fp + fn)."""
        return _quotient(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def binary_counts(gold: ArrayLike, predicted: ArrayLike) -> Counts:
    """Returns the confusion of two arrays of labels 0 and 1 (integers or booleans), both of shape (rows,).

    Raises: ValueError if the shapes differ or a label is neither 0 nor 1.
    """
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    if gold.ndim != 1 or gold.shape != predicted.shape:
        raise ValueError(f"gold is of shape {gold.shape}, predicted of shape {predicted.shape}; both should be (rows,)")
    for name, labels in (("gold", gold), ("predicted", predicted)):
        if not np.isin(labels, (0, 1)).all():
            raise ValueError(f"{name} holds a label that is neither 0 nor 1")
    tn, fp, fn, tp = np.bincount(2 * gold.astype(np.int64) + predicted.astype(np.int64), minlength=4).tolist()
    return Counts(tp=tp, fp=fp, fn=fn, tn=tn)


def _quotient(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0
