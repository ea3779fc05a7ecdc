import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.training.batches import Batch, padded_share, shapes
from shared.training.hardware import Hardware
from shared.training.prediction_batches import CALL_TOKENS, fitted_batches, planned_batches, prediction_batches

LENGTHS = st.lists(st.integers(0, 600), max_size=60).map(lambda rows: np.array(rows, np.int64))
BUCKETS = st.one_of(st.just("auto"), st.sets(st.integers(8, 64), min_size=1, max_size=4).map(sorted))
SIZE = st.integers(1, 9)


def plain(batches: list[Batch]) -> list[tuple[list[int], int]]:
    return [(rows.tolist(), width) for rows, width in batches]


def assert_rising_and_whole(batches: list[Batch], lengths: np.ndarray) -> None:
    order = [row for rows, _ in batches for row in rows.tolist()]
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()
    assert all(lengths[rows].max() <= width for rows, width in batches)


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS)
def test_compiled_shapes_are_few_and_each_row_is_there_once(lengths, size, buckets):
    batches = prediction_batches(lengths, size, buckets)
    assert_rising_and_whole(batches, lengths)
    assert [len(rows) for rows, _ in batches[1:]] == [size] * max(len(batches) - 1, 0)
    assert len(shapes(batches[1:])) == len({width for _, width in batches[1:]})


def test_equal_lengths_keep_their_order():
    lengths = np.array([5, 2, 5, 2])
    assert plain(prediction_batches(lengths, 3, [8])) == [([1], 8), ([3, 0, 2], 8)]
    assert plain(fitted_batches(lengths, 4)) == [([1, 3, 0, 2], 8)]


@settings(deadline=None)
@given(LENGTHS, SIZE)
def test_fitted_batches_are_as_wide_as_their_longest_row(lengths, size):
    batches = fitted_batches(lengths, size)
    assert_rising_and_whole(batches, lengths)
    assert all(len(rows) <= size for rows, _ in batches)
    assert all(width == fitted(lengths[rows].max(), lengths) for rows, width in batches)


def fitted(length: int, lengths: np.ndarray) -> int:
    """The next multiple of 8, from 8 on, or the longest of all lengths."""
    return min(max(8, -(-int(length) // 8) * 8), max(8, int(lengths.max())))


def places(counts, lengths: np.ndarray) -> int:
    """Token places, and 512 more a batch, of so many rows each by rising length."""
    parts = np.split(np.sort(lengths), np.cumsum(counts)[:-1])
    return sum(len(part) * fitted(part[-1], lengths) + CALL_TOKENS for part in parts)


@settings(deadline=None)
@given(st.lists(st.integers(0, 600), min_size=1, max_size=7), SIZE)
def test_no_other_division_has_fewer_places_than_the_fitted_one(rows, size):
    lengths = np.array(rows)
    got = [len(part) for part, _ in fitted_batches(lengths, size)]
    divisions = (
        counts
        for number in range(1, len(rows) + 1)
        for counts in itertools.product(range(1, size + 1), repeat=number)
        if sum(counts) == len(rows)
    )
    assert places(got, lengths) == min(places(counts, lengths) for counts in divisions)


def test_a_long_row_does_not_widen_the_batch_of_short_ones():
    # 7 short rows beside the long one: 8 * 500 = 4,000 places; apart: 7 * 16 + 500 + 512 = 1,124
    assert plain(fitted_batches(np.array([500] + [16] * 7), 8)) == [([1, 2, 3, 4, 5, 6, 7], 16), ([0], 500)]


def test_no_batch_is_wider_than_the_longest_row_for_which_there_may_be_no_positions():
    assert [width for _, width in fitted_batches(np.array([510] * 3 + [506] * 3 + [501]), 3)] == [504, 510, 510]


def test_a_further_batch_must_save_what_its_call_costs():
    assert plain(fitted_batches(np.array([72, 8, 8]), 4)) == [([1, 2, 0], 72)]  # 216 places; apart 88 + 512


def test_fitted_batches_of_like_lengths_are_full_and_pad_little():
    lengths = np.random.default_rng(0).integers(20, 120, 4000)
    batches = fitted_batches(lengths, 64)
    assert len(batches) < 4000 / 64 + 4
    assert padded_share(lengths, batches) < 0.08


def test_no_rows_make_no_batches():
    none = np.zeros(0, np.int64)
    assert prediction_batches(none, 4, "auto") == prediction_batches(none, 4, (8,)) == fitted_batches(none, 4) == []


@pytest.mark.parametrize(
    ("backend", "jit", "widths"),
    [("tensorflow", False, [16, 40]), ("tensorflow", True, [64, 64]), ("jax", True, [64, 64])],
)
def test_only_shapes_that_are_not_compiled_are_free(monkeypatch, backend, jit, widths):
    machine = Hardware("cpu", "float32", jit, backend)
    monkeypatch.setattr("shared.training.prediction_batches.configured", lambda: machine)
    asked = SimpleNamespace(
        hardware=SimpleNamespace(predict_batch_size=32), train=SimpleNamespace(bucket_lengths=(64, 128))
    )
    lengths = np.array([10] * 32 + [40] * 32)
    assert [width for _, width in planned_batches(lengths, asked)] == widths
