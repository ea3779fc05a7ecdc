import pytest

from benchmarks.peers.ratios import Spread, best, rates, speedups
from benchmarks.scaling import slope


def test_a_rate_is_work_by_seconds_with_its_spread():
    assert rates(100, [10.0, 5.0, 20.0]) == Spread(10.0, 5.0, 20.0)


def test_each_repeat_is_compared_with_its_neighbour_in_time():
    # the machine was half as fast in the second turn: both took twice as long, so the ratio stays
    assert speedups([1.0, 2.0], [3.0, 6.0]) == Spread(3.0, 3.0, 3.0)


def test_repeats_of_unequal_number_are_an_error():
    with pytest.raises(ValueError):
        speedups([1.0], [1.0, 2.0])


def test_a_spread_is_printed_with_both_ends():
    assert Spread.of([1.0, 4.0, 2.0]).text(2) == "2.00 (1.00 to 4.00)"


def test_no_repeats_have_no_spread():
    with pytest.raises(ValueError, match="no figures"):
        Spread.of([])


def test_the_best_way_is_the_one_with_the_smallest_median():
    assert best({"slow": [1.0, 9.0, 9.0], "fast": [8.0, 2.0, 2.0]}) == "fast"


def test_a_slope_is_the_rise_from_one_value_to_the_next():
    assert slope([1.0, 3.0, 5.0]) == pytest.approx(2.0)
    assert slope([7.0]) == 0.0
