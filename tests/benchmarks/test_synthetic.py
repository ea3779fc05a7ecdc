import numpy as np
import pytest

from benchmarks import synthetic
from benchmarks.ours import Case
from benchmarks.peers.problem import random_batches, unit_lengths, write_problem
from shared.arrays import Ragged

NAMES = ["sohu2021", "lic2020_re", "lic2020_ee", "lic2020_mrc"]


def case_of(name):
    return Case(name, 24, "tiny", vocabulary_size=300)


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_make_equal_rows(name):
    one, other = case_of(name).split, case_of(name).split
    for field in one:
        values = [split[field].values if isinstance(split[field], Ragged) else split[field] for split in (one, other)]
        np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("name", NAMES)
def test_rows_feed_training_batches(name, rng):
    feed = case_of(name).feed
    units = np.arange(len(feed.lengths))
    inputs, targets = feed.batch(units, int(feed.lengths.max()), rng)
    assert (inputs["token_ids"] > 0).sum() == feed.lengths.sum()
    assert inputs["token_ids"].max() < 300
    assert all(len(array) == len(units) for array in targets.values())


def test_spans_are_disjoint_and_inside_the_text(rng):
    starts, ends = synthetic.places(np.array([3, 1, 4, 50]), 12, rng)
    assert (ends - starts).tolist() == [3, 1, 4]  # the last one does not fit
    assert starts[0] >= 0
    assert ends[-1] <= 12
    assert (starts[1:] >= ends[:-1]).all()


def test_marks_stand_at_the_labelled_tokens_only():
    split = case_of("lic2020_ee").split
    tokens, spans = split.ragged("token_ids"), split.ragged("spans")
    for row in range(split.rows):
        marked = np.zeros(len(tokens[row]), bool)
        for start, end, _, _ in spans[row].reshape(-1, 4):
            marked[start:end] = True
        np.testing.assert_array_equal(np.isin(tokens[row], synthetic.MARKS), marked)


def test_a_random_batch_is_as_wide_as_its_longest_row():
    lengths = np.array([5, 9, 3, 7, 8])
    batches = random_batches(lengths, 2, seed=0)
    assert sorted(row for rows, _ in batches for row in rows) == [0, 1, 2, 3, 4]
    assert [width for _, width in batches] == [lengths[rows].max() for rows, _ in batches]


@pytest.mark.parametrize("phase", ["train", "predict"])
@pytest.mark.parametrize("name", NAMES)
def test_the_peer_is_given_the_same_tokens(name, phase, tmp_path):
    case = case_of(name)
    write_problem(tmp_path, case, phase, threads=1, predict_batch_size=8)
    with np.load(tmp_path / "data.npz") as data:
        np.testing.assert_array_equal(np.diff(data["offsets"]), unit_lengths(case, phase))
        units = np.arange(len(case.feed.lengths))
        width = int(case.feed.lengths.max())
        tokens = case.feed.batch(units, width, np.random.default_rng(0))[0]["token_ids"]
        np.testing.assert_array_equal(data["token_ids"], tokens[tokens > 0])
