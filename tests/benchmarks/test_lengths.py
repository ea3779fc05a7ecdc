import json

import numpy as np
import pytest

from benchmarks import lengths
from competitions.sohu2021.task import task
from shared.errors import UserError


def test_few_values_have_the_mean_of_the_whole_distribution(rng):
    drawn = lengths.spread(np.linspace(10, 30, 101), 4, rng)
    np.testing.assert_allclose(np.sort(drawn), [12.5, 17.5, 22.5, 27.5])


def test_equal_seeds_draw_equal_values_in_random_order():
    quantiles = np.linspace(0, 1, 101)
    one, other, third = (lengths.spread(quantiles, 50, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, other)
    assert (one != third).any()
    np.testing.assert_allclose(np.sort(one), np.sort(third))


def test_percentiles_are_values_that_occur():
    figures = lengths.percentiles(np.array([4, 7, 100]))
    assert len(figures) == 101
    assert set(figures) == {4, 7, 100}


def test_a_table_survives_its_file():
    table = lengths.Lengths(3, {"tokens": [1, 2, 3], "share": [0.25, 0.5]}, [2, 1])
    assert lengths.Lengths(**json.loads(lengths.to_text(table))) == table


@pytest.mark.parametrize("name", ["sohu2021", "lic2020_re", "lic2020_ee", "lic2020_mrc"])
def test_every_competition_has_a_table_of_101_rising_numbers(name):
    for figures in lengths.load(name).quantiles.values():
        assert len(figures) == 101
        assert figures == sorted(figures)


def test_the_tables_have_the_official_numbers_of_labels():
    assert (len(lengths.load("lic2020_re").labels), sum(lengths.load("lic2020_re").labels)) == (48, 55)
    assert (len(lengths.load("lic2020_ee").labels), sum(lengths.load("lic2020_ee").labels)) == (65, 217)


def test_a_competition_without_a_table_is_told_which_there_are():
    with pytest.raises(UserError, match=r"There are: .*sohu2021"):
        lengths.load("sohu2022")


def test_only_numbers_of_tokens_are_measured(tmp_path):
    from benchmarks.ours import Case

    case = Case(task.name, 20, "tiny")
    table = lengths.measured(task.name, case.split, case.prepared.labels)
    assert table.rows == 20
    assert table.quantiles["tokens"][-1] == case.feed.lengths.max()
    assert 0 < table.quantiles["second_share"][50] < 1
