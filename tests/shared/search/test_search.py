import numpy as np
import pytest

from shared.search.numbers import Number
from shared.search.search import halves, search, with_effect

NUMBERS = [Number("a", 0.9, 1.0, 0.005, 0.995), Number("b", 0.5, 1.0, 0.005, 0.995), Number("s", 0.0, 10.0, -50, 50)]


def accuracy(values):
    """Accuracy of two thresholds on probabilities whose labels change at 0.3 and at 0.6; in steps, `s` does nothing."""
    grid = np.linspace(0, 1, 201)
    right = [(grid > values["a"]) == (grid > 0.3), (grid > values["b"]) == (grid > 0.6)]
    return float(np.mean(right))


def test_only_numbers_with_an_effect_are_searched():
    assert [number.key for number in with_effect(NUMBERS, accuracy)] == ["a", "b"]


@pytest.mark.parametrize("seed", range(5))
def test_the_search_comes_near_the_best_thresholds(seed):
    found = search(NUMBERS[:2], lambda values: accuracy({"s": 0} | values), np.random.default_rng(seed), rounds=25)
    assert found.before == accuracy({"a": 0.9, "b": 0.5, "s": 0})
    assert found.after == accuracy(found.values | {"s": 0})
    assert found.after > 0.985
    assert found.values == {"a": pytest.approx(0.3, abs=0.03), "b": pytest.approx(0.6, abs=0.03)}


def test_without_anything_to_gain_the_present_values_stay():
    found = search(NUMBERS, lambda values: 1.0, np.random.default_rng(0), rounds=3)
    assert found.values == {"a": 0.9, "b": 0.5, "s": 0.0}
    assert (found.before, found.after) == (1.0, 1.0)


def test_a_number_without_effect_goes_back_to_where_it_was():
    found = search(NUMBERS, accuracy, np.random.default_rng(1), rounds=15)
    assert found.values["s"] == 0.0
    assert found.after > found.before


def test_values_stay_within_their_bounds():
    seen = []
    search(
        NUMBERS, lambda values: seen.append(values) or values["a"] + values["s"], np.random.default_rng(0), rounds=30
    )
    for number in NUMBERS:
        assert all(number.low <= values[number.key] <= number.high for values in seen)
    assert max(values["a"] for values in seen) == 0.995


@pytest.mark.parametrize("rows", [4, 7])
def test_halves_hold_each_row_once(rows):
    first, second = halves(rows, np.random.default_rng(0))
    assert sorted([*first, *second]) == list(range(rows))
    assert abs(len(first) - len(second)) <= 1
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) > 0).all()
