import numpy as np
import pytest

from shared.ablation.statistics import difference, figure, resampled


def as_mean(values):
    """Shares of a mean over rows."""
    return np.stack([values, np.ones_like(values)], axis=-1)[:, None]


def test_a_figure_is_the_mean_over_classes_of_quotients_of_sums():
    shares = np.array([[[2, 3], [0, 0]], [[0, 1], [1, 4]]])
    assert figure(shares) == pytest.approx((2 / 4 + 1 / 4) / 2)


def test_a_class_without_anything_counts_as_0():
    assert figure(np.array([[[1.0, 1.0], [0.0, 0.0]]])) == 0.5


def test_resampled_means_spread_by_sd_over_root_n(rng):
    values = rng.normal(3.0, 2.0, size=400)
    got = resampled([as_mean(values)], resamples=4000)[:, 0]
    assert got.mean() == pytest.approx(values.mean(), abs=0.01)
    assert got.std() == pytest.approx(values.std() / 20, rel=0.04)


def test_all_runs_are_resampled_by_the_same_rows(rng):
    values = rng.normal(size=300)
    got = resampled([as_mean(values), as_mean(values + 0.25)], resamples=50)
    np.testing.assert_allclose(got[:, 1] - got[:, 0], 0.25)


def test_chunks_do_not_change_the_figures(rng, monkeypatch):
    shares = [rng.uniform(size=(30, 2, 2)), rng.uniform(size=(30, 2, 2))]
    whole = resampled(shares, resamples=40)
    monkeypatch.setattr("shared.ablation.statistics._CHUNK", 70)
    np.testing.assert_allclose(resampled(shares, resamples=40), whole)


def test_runs_of_other_rows_cannot_be_paired():
    with pytest.raises(ValueError):
        resampled([np.ones((3, 1, 2)), np.ones((4, 1, 2))])


def test_seeds_are_paired_and_only_common_ones_count():
    got = difference({0: 0.5, 1: 0.7, 2: 0.9}, {1: 0.6, 2: 0.8, 3: 0.1})
    assert (got.mean, got.low, got.high, got.seeds) == tuple(pytest.approx(x) for x in (0.1, 0.1, 0.1, 2))
    assert got.verdict == "better"


def test_without_a_common_seed_there_is_no_difference():
    assert difference({0: 0.5}, {1: 0.5}) is None


def test_one_seed_without_rows_has_no_interval():
    got = difference({0: 0.6}, {0: 0.5})
    assert (got.low, got.high, got.verdict) == (None, None, "-")


def test_an_interval_with_0_in_it_shows_nothing_and_one_below_is_worse():
    assert difference({0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.5}).verdict == "not shown"
    assert difference({0: 0.5, 1: 0.6}, {0: 0.6, 1: 0.8}).verdict == "worse"


def test_the_spread_over_seeds_is_that_of_the_mean_even_with_few():
    """With n draws of n seeds the variance would be 2 / 3 of it."""
    apart = {0: 0.0, 1: 0.3, 2: 0.9}
    columns = {seed: np.full(200_000, value) for seed, value in apart.items()}
    zero = {seed: np.zeros(200_000) for seed in apart}
    got = difference(apart, dict.fromkeys(apart, 0.0), columns, zero)
    values = np.array(list(apart.values()))
    drawn = np.random.default_rng(0).choice(values, size=(200_000, 2)).mean(axis=1)
    assert drawn.var() == pytest.approx(values.var(ddof=1) / 3, rel=0.02)
    assert (got.low, got.high) == tuple(pytest.approx(q) for q in np.quantile(drawn, [0.025, 0.975]))


def test_the_interval_holds_the_true_difference_as_often_as_it_says():
    """Six seeds and 60 rows, each with an effect of its own; the true difference is 0.1."""
    rng, seeds, inside = np.random.default_rng(1), range(6), 0
    for trial in range(200):
        rows = rng.normal(0.1, 0.5, size=60)  # effect on each row, the same for all seeds
        base = {seed: rng.normal(size=60) for seed in seeds}
        better = {seed: base[seed] + rows + rng.normal(0.0, 0.1) for seed in seeds}
        runs = [as_mean(one) for one in [*base.values(), *better.values()]]
        columns = resampled(runs, resamples=300, seed=trial)
        got = difference(
            {seed: better[seed].mean() for seed in seeds},
            {seed: base[seed].mean() for seed in seeds},
            {seed: columns[:, 6 + seed] for seed in seeds},
            {seed: columns[:, seed] for seed in seeds},
        )
        inside += got.low <= 0.1 <= got.high
    assert 0.89 <= inside / 200 <= 0.99
