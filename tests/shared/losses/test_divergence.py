import numpy as np
import pytest

from shared.losses.divergence import bernoulli, categorical
from tests.conftest import to_numpy


def kl(p, q, axis):
    return np.where(p > 0, p * np.log(np.maximum(p, 1e-300) / np.maximum(q, 1e-300)), 0.0).sum(axis=axis)


def symmetrical(p, q, axis=-1):
    return (kl(p, q, axis) + kl(q, p, axis)) / 2


def softmax(x, axis):
    x = np.exp(np.float64(x) - np.max(x, axis=axis, keepdims=True))
    return x / x.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("axis", [-1, 1])
def test_categorical_is_the_mean_of_both_divergences(rng, axis):
    x, y = rng.normal(0.0, 3.0, size=(2, 3, 4, 5)).astype("float32")
    want = symmetrical(softmax(x, axis), softmax(y, axis), axis)
    np.testing.assert_allclose(to_numpy(categorical(x, y, axis)), want, rtol=1e-4, atol=1e-6)


def test_masked_classes_count_nothing():
    x, y = np.float32([[1.0, 2.0, -1e9]]), np.float32([[2.0, 0.0, -1e9]])
    np.testing.assert_allclose(to_numpy(categorical(x, y)), to_numpy(categorical(x[:, :2], y[:, :2])), rtol=1e-6)


@pytest.mark.parametrize("power", [1, 2, 4])
def test_bernoulli_is_the_mean_of_both_divergences_of_each_element(rng, power):
    x, y = rng.normal(0.0, 3.0, size=(2, 3, 4)).astype("float32")
    p, q = ((1 / (1 + np.exp(-np.float64(z)))) ** power for z in (x, y))
    want = symmetrical(np.stack([p, 1 - p], -1), np.stack([q, 1 - q], -1))
    np.testing.assert_allclose(to_numpy(bernoulli(x, y, power)), want, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("function", [categorical, bernoulli])
def test_equal_outputs_are_not_apart_and_others_are_by_a_finite_number(function):
    sure, opposite = np.float32([[60.0, -60.0]]), np.float32([[-60.0, 60.0]])
    assert to_numpy(function(sure, sure)).sum() == 0.0
    got = to_numpy(function(sure, opposite))
    assert np.isfinite(got).all()
    assert (got > 50.0).all()
