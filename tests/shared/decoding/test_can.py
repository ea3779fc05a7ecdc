import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding import can
from shared.decoding.can import alternating_normalization, top_k_entropy


def one_by_one(p, prior, threshold, iterations, alpha, k):
    """The definition, a row and a column at a time."""
    result = p.copy()
    entropies = []
    for row in p:
        top = sorted(row)[-k:]
        top = [x / sum(top) for x in top]
        entropies.append(-sum(x * np.log(x) for x in top if x > 0) / np.log(len(top)))
    certain = [row for row, entropy in zip(p, entropies, strict=True) if entropy <= threshold]
    if not certain:
        return result
    for number, entropy in enumerate(entropies):
        if entropy > threshold:
            matrix = np.array([*certain, p[number]])
            for _ in range(iterations):
                matrix = matrix**alpha
                for column in range(len(prior)):
                    matrix[:, column] *= prior[column] / matrix[:, column].sum()
                for row in range(len(matrix)):
                    matrix[row] /= matrix[row].sum()
            result[number] = matrix[-1]
    return result


CASE = {
    "seed": st.integers(0, 2**32),
    "rows": st.integers(1, 12),
    "classes": st.integers(2, 5),
    "threshold": st.floats(0.3, 0.99),
    "iterations": st.integers(0, 4),
    "alpha": st.sampled_from([0.5, 1.0, 2.0]),
    "k": st.integers(2, 4),
}


@given(**CASE)
def test_equals_the_definition(seed, rows, classes, threshold, iterations, alpha, k):
    rng = np.random.default_rng(seed)
    p, prior = rng.dirichlet(np.full(classes, 0.5), size=rows), rng.dirichlet(np.full(classes, 5.0))
    k = min(k, classes)
    p = np.maximum(p, 1e-9) / np.maximum(p, 1e-9).sum(axis=1, keepdims=True)
    got = alternating_normalization(p, prior, threshold, iterations, alpha, k)
    np.testing.assert_allclose(got, one_by_one(p, prior, threshold, iterations, alpha, k), atol=1e-9)
    np.testing.assert_allclose(got.sum(axis=1), 1.0)


def test_two_rows_worked_out_by_hand():
    """Certain (.05, .95), uncertain (.5, .5), both classes equally frequent: columns sum to .55 and 1.45."""
    got = alternating_normalization(np.array([[0.05, 0.95], [0.5, 0.5]]), np.array([0.5, 0.5]))
    first, second = 0.5 / 0.55, 0.5 / 1.45
    np.testing.assert_allclose(got, [[0.05, 0.95], [first / (first + second), second / (first + second)]])


def test_portions_change_nothing(rng, monkeypatch):
    p = rng.dirichlet([1.0, 1.0, 1.0], size=50)
    want = alternating_normalization(p, np.array([0.2, 0.3, 0.5]), 0.8)
    monkeypatch.setattr(can, "NUMBERS_AT_ONCE", 1)
    np.testing.assert_array_equal(alternating_normalization(p, np.array([0.2, 0.3, 0.5]), 0.8), want)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_without_certain_or_without_uncertain_rows_nothing_changes(threshold):
    p = np.array([[0.4, 0.6], [0.5, 0.5]])
    np.testing.assert_array_equal(alternating_normalization(p, np.array([0.1, 0.9]), threshold), p)


def test_no_rows_give_no_rows():
    assert alternating_normalization(np.zeros((0, 2)), np.array([0.5, 0.5])).shape == (0, 2)


def test_the_entropy_of_the_largest_goes_from_0_to_1():
    p = np.array([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(top_k_entropy(p, 2), [0.0, 1.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(top_k_entropy(p, 3), [0.0, np.log(2) / np.log(3), 1.0], atol=1e-12)


@pytest.mark.parametrize(("prior", "alpha"), [([0.5, 0.3, 0.2], 1.0), ([0.0, 1.0], 1.0), ([0.5, 0.5], 0.0)])
def test_what_does_not_fit_is_an_error(prior, alpha):
    with pytest.raises(ValueError, match="as many priors"):
        alternating_normalization(np.array([[0.5, 0.5]]), np.array(prior), alpha=alpha)
