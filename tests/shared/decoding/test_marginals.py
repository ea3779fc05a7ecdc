import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.marginals import marginals, softmax


def brute_force(logits, transitions, real, start_label):
    """Probabilities of one row, by summing over all paths, in float64: (length, labels)."""
    result = np.zeros(logits.shape)
    for path in itertools.product(range(logits.shape[-1]), repeat=real):
        if start_label in (None, path[0]):
            score = sum(transitions[pair] for pair in itertools.pairwise(path))
            weight = np.exp(score + sum(logits[token, label] for token, label in enumerate(path)))
            result[np.arange(real), path] += weight
    return result / result[:1].sum()


@pytest.mark.parametrize("start_label", [None, 0, 2])
@given(seed=st.integers(0, 2**32), sets=st.integers(1, 3), length=st.integers(1, 4))
def test_equals_the_sum_over_all_paths(start_label, seed, sets, length):
    rng = np.random.default_rng(seed)
    logits, transitions = rng.normal(scale=2, size=(5, length, 3)), rng.normal(scale=2, size=(sets, 3, 3))
    set_of, real = rng.integers(0, sets, size=5), rng.integers(1, length + 1, size=5)
    got = marginals(logits, transitions, set_of, np.arange(length) < real[:, None], start_label)
    for row in range(5):
        want = brute_force(logits[row], transitions[set_of[row]], int(real[row]), start_label)
        np.testing.assert_allclose(got[row], want, atol=1e-5)


def test_without_transitions_they_are_a_softmax(rng):
    logits = rng.normal(scale=100, size=(2, 6, 4))
    got = marginals(logits, np.zeros((1, 4, 4)), np.zeros(2, int), np.ones((2, 6), bool))
    np.testing.assert_allclose(got, softmax(logits), atol=1e-5)


def test_the_softmax_by_hand_and_far_from_zero():
    np.testing.assert_allclose(
        softmax(np.array([[1000.0, 1000.0 + np.log(3)], [-2000.0, -1000.0]])), [[0.25, 0.75], [0, 1]]
    )
