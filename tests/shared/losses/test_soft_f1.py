import numpy as np
import pytest

from shared.losses.soft_f1 import soft_f1
from tests.conftest import to_numpy
from tests.shared.losses.reference import softmax, tensors

LOGITS = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, -1.0], [0.0, 0.5]])
LABELS = np.array([1, 0, 1, 1])
WEIGHT = np.array([1.0, 1.0, 1.0, 0.0])


def loss(logits, labels, weight):
    return float(to_numpy(soft_f1(*tensors(logits, labels, weight))))


def test_equals_the_definition_without_rows_of_weight_zero():
    p, y = softmax(LOGITS)[:3, 1], LABELS[:3]
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    assert loss(LOGITS, LABELS, WEIGHT) == pytest.approx(1 - 2 * tp / (2 * tp + fp + fn), rel=1e-6)


def test_sure_answers_give_the_f1_of_answers():
    sure = np.array([[0.0, 100.0], [0.0, 100.0], [100.0, 0.0], [0.0, 100.0]])  # tp 1, fp 1, fn 1
    assert loss(sure, LABELS, WEIGHT) == pytest.approx(0.5)


def test_a_batch_of_weight_zero_has_loss_zero():
    assert loss(LOGITS, LABELS, 0 * WEIGHT) == 0.0
