import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score

from shared.scoring.binary_f1 import Counts, binary_counts

ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=40)


def test_figures_worked_out_by_hand():
    counts = binary_counts([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0])
    assert counts == Counts(tp=2, fp=1, fn=1, tn=2)
    assert (counts.precision, counts.recall, counts.f1) == (2 / 3, 2 / 3, 2 / 3)
    assert (counts.n, counts.positives) == (6, 3)


def test_a_quotient_with_denominator_zero_is_zero():
    for gold, predicted in (([], []), ([0, 0], [0, 0]), ([1], [0]), ([0], [1])):
        counts = binary_counts(gold, predicted)
        assert (counts.precision, counts.recall, counts.f1) == (0, 0, 0)


def test_booleans_are_labels_too():
    assert binary_counts(np.array([True, False]), np.array([True, True])) == Counts(tp=1, fp=1, fn=0, tn=0)


@given(ROWS)
def test_equals_scikit_learn(rows):
    gold, predicted = [row[0] for row in rows], [row[1] for row in rows]
    counts = binary_counts(gold, predicted)
    assert counts.n == len(rows)
    if rows:
        assert confusion_matrix(gold, predicted, labels=[0, 1]).ravel().tolist() == [
            *(counts.tn, counts.fp),
            *(counts.fn, counts.tp),
        ]
        assert counts.precision == precision_score(gold, predicted, zero_division=0)
        assert counts.recall == recall_score(gold, predicted, zero_division=0)
        assert counts.f1 == pytest.approx(f1_score(gold, predicted, zero_division=0), abs=1e-15)


@pytest.mark.parametrize(
    ("gold", "predicted", "message"),
    [
        ([1, 0], [1], "shape"),
        ([[1]], [[1]], "shape"),
        ([1, 2], [1, 0], "gold holds a label"),
        ([1, 0], [0.5, 0], "predicted holds a label"),
        ([1, 0], [-1, 0], "predicted holds a label"),
        ([1, 0], [np.nan, 0], "predicted holds a label"),
    ],
)
def test_other_shapes_and_labels_are_refused(gold, predicted, message):
    with pytest.raises(ValueError, match=message):
        binary_counts(gold, predicted)
