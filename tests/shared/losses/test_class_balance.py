import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.losses.class_balance import class_weights

COUNTS = st.lists(st.integers(1, 10**6), min_size=1, max_size=6)


@given(COUNTS, st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_weights_go_with_one_over_the_effective_number(counts, beta):
    effective = np.array([sum(beta**i for i in range(min(n, 20000))) for n in counts])  # the series itself
    want = 1 / effective * len(counts) / (1 / effective).sum()
    np.testing.assert_allclose(class_weights(np.array(counts), beta), want, rtol=1e-5)


@given(COUNTS)
def test_beta_0_weighs_all_classes_alike_and_beta_near_1_by_inverse_frequency(counts):
    np.testing.assert_array_equal(class_weights(np.array(counts), 0.0), 1.0)
    inverse = 1 / np.array(counts)
    near_one = class_weights(np.array(counts), 1 - 1e-12)
    np.testing.assert_allclose(near_one, inverse * len(counts) / inverse.sum(), rtol=1e-4)


def test_a_class_without_examples_gets_0():
    np.testing.assert_allclose(class_weights(np.array([0, 7]), 0.9), [0.0, 1.0])
    np.testing.assert_array_equal(class_weights(np.array([0, 0]), 0.9), [0.0, 0.0])


@pytest.mark.parametrize(("counts", "beta"), [([1, 2], 1.0), ([1, 2], -0.1), ([-1, 2], 0.9)])
def test_what_has_no_effective_number_is_an_error(counts, beta):
    with pytest.raises(ValueError, match="beta must be in"):
        class_weights(np.array(counts), beta)
