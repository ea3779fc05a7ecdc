import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.optim.zeroth_order import gradient, maximize


@pytest.mark.parametrize("baseline", ["antithetic", "value"])
def test_it_finds_the_gradient_of_a_quadratic(rng, baseline):
    """Smoothing adds a constant to a quadratic, so its gradient 2 A x + b is that of the smoothed function."""
    a, b, point = np.diag([1.0, 2.0, -0.5]), np.array([0.3, -1.0, 0.2]), np.array([0.5, -0.2, 1.0])
    want = 2 * a @ point + b

    def quadratic(x):
        return x @ a @ x + b @ x

    got = gradient(quadratic, point, rng, scale=0.1, samples=40_000, baseline=baseline)
    np.testing.assert_allclose(got, want, atol=0.06)  # |want| sqrt(dim + 1) / sqrt(samples) is 0.02


def test_antithetic_steps_have_no_noise_in_one_dimension_but_that_of_u_squared(rng):
    got = [gradient(lambda x: 3 * x[0] + 7, np.zeros(1), rng, samples=4)[0] for _ in range(500)]
    assert np.mean(got) == pytest.approx(3.0, abs=0.3)
    assert min(got) > 0


def test_the_gradient_has_the_shape_of_the_point(rng):
    assert gradient(lambda x: float(x.sum()), np.zeros((2, 3)), rng).shape == (2, 3)


@settings(max_examples=30, deadline=None)
@given(
    peak=st.lists(st.floats(-2, 2), min_size=1, max_size=4),
    curvature=st.floats(0.2, 5),
    seed=st.integers(0, 1000),
)
def test_it_maximizes_a_concave_function(peak, curvature, seed):
    peak = np.array(peak)

    def concave(x):
        return -curvature * float(np.sum((x - peak) ** 2))

    found = maximize(concave, np.zeros_like(peak), np.random.default_rng(seed), rounds=120)
    np.testing.assert_allclose(found.point, peak, atol=0.03)
    assert found.value == concave(found.point)


def test_a_threshold_is_found_where_the_score_is_a_staircase(rng):
    """Accuracy over a threshold is flat between scores; the best lies between .62 and .7."""
    scores, labels = np.array([0.1, 0.3, 0.5, 0.62, 0.7, 0.8, 0.9]), np.array([0, 0, 0, 0, 1, 1, 1])

    def accuracy(threshold):
        return float(np.mean((scores > threshold[0]) == labels))

    found = maximize(accuracy, np.array([0.45]), rng)
    assert found.value == 1.0
    assert 0.62 <= found.point[0] < 0.7


def test_the_result_is_never_worse_than_the_start_and_counts_its_calls(rng):
    calls = []

    def noise(x):
        calls.append(x)
        return float(np.sin(100 * x.sum()))

    start = np.array([np.pi / 200, 0.0])  # the maximum, exactly
    found = maximize(noise, start, rng, rounds=3)
    assert found.value >= noise(start)
    assert found.calls == len(calls) - 1


def test_points_stay_where_they_are_projected_to(rng):
    def shares(x):
        x = np.maximum(x, 1e-3)
        return x / x.sum()

    def value(x):
        assert x.sum() == pytest.approx(1.0)
        return -float(np.sum((x - [0.7, 0.2, 0.1]) ** 2))

    found = maximize(value, np.ones(3) / 3, rng, project=shares)
    np.testing.assert_allclose(found.point, [0.7, 0.2, 0.1], atol=0.02)


def test_equal_seeds_give_equal_results():
    def function(x):
        return -float(np.abs(x - 0.3).sum())

    one, two = (maximize(function, np.zeros(2), np.random.default_rng(4), rounds=9) for _ in range(2))
    np.testing.assert_array_equal(one.point, two.point)
