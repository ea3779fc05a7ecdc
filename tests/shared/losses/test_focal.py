import numpy as np
import pytest

from shared.losses.focal import binary_focal, focal
from tests.conftest import to_numpy
from tests.shared.losses.reference import LABELS, LOGITS, gradient, log_p, tensors


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_equals_the_definition(gamma):
    got = to_numpy(focal(*tensors(LOGITS, LABELS), gamma))
    assert got.dtype == np.float32
    logs = log_p(LOGITS, LABELS)
    np.testing.assert_allclose(got, -((-np.expm1(logs)) ** gamma) * logs, rtol=1e-5)


def test_the_gradient_is_finite_where_the_probability_is_0_or_1():
    logits, labels = np.array([[100.0, -100.0], [-100.0, 100.0]]), np.array([0, 0])
    got = gradient(lambda x: focal(x, tensors(labels)[0], 1.0), logits)
    np.testing.assert_allclose(got, [[0.0, 0.0], [-1.0, 1.0]], atol=1e-6)


def test_a_gamma_below_one_is_an_error():
    with pytest.raises(ValueError, match=r"gamma must be 1 or more, got 0\.5"):
        focal(*tensors(LOGITS, LABELS), 0.5)


def test_labels_may_have_any_axes_in_front():
    logits, labels = np.tile(LOGITS, (2, 3, 1, 1)), np.tile(LABELS, (2, 3, 1))
    got = to_numpy(focal(*tensors(logits, labels), 2.0))
    np.testing.assert_allclose(got, np.tile(to_numpy(focal(*tensors(LOGITS, LABELS), 2.0)), (2, 3, 1)), rtol=1e-6)


@pytest.mark.parametrize("power", [1, 3])
@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_of_marks_it_equals_the_definition(power, gamma):
    logits, targets = np.array([[-4.0, -0.5, 0.0], [0.3, 2.0, 6.0]]), np.array([[1, 0, 1], [0, 1, 0]])
    p = (1 / (1 + np.exp(-logits))) ** power
    right = np.where(targets == 1, p, 1 - p)
    got = to_numpy(binary_focal(*tensors(targets, logits), power, gamma))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, -((1 - right) ** gamma) * np.log(right), rtol=1e-4)


def test_the_gradient_of_marks_is_finite_where_the_probability_is_0_or_1():
    logits, targets = np.array([100.0, -100.0, 100.0, -100.0]), np.array([1, 1, 0, 0])
    for power in (1, 4):
        got = gradient(lambda x, n=power: binary_focal(tensors(targets)[0], x, n, 1.0), logits)
        np.testing.assert_allclose(got, [0.0, -power, 1.0, 0.0], atol=1e-6)


def test_a_gamma_below_one_is_an_error_for_marks_too():
    with pytest.raises(ValueError, match=r"gamma must be 1 or more, got 0"):
        binary_focal(*tensors(np.zeros(2), np.zeros(2)), 1, 0.0)
