import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.arrays import Ragged, Split
from shared.training.batches import bucket_widths, collate, padded_share, prediction_batches, training_batches

LENGTHS = st.lists(st.integers(0, 70), max_size=60).map(lambda rows: np.array(rows, np.int64))
BUCKETS = st.sets(st.integers(8, 64), min_size=1, max_size=4).map(sorted)
SIZE = st.integers(1, 9)


def rows_of(batches) -> list[int]:
    return [int(row) for rows, _ in batches for row in rows]


def plain(batches) -> list[tuple[list[int], int]]:
    return [(rows.tolist(), width) for rows, width in batches]


@settings(deadline=None)
@given(LENGTHS, BUCKETS)
def test_a_width_is_the_smallest_bucket_that_holds_the_row(lengths, buckets):
    longest = int(lengths.max(initial=0))
    allowed = [width for width in buckets if width < longest] + [
        next((width for width in buckets if width >= longest), longest)
    ]
    want = [min(width for width in allowed if width >= length) for length in lengths]
    assert bucket_widths(lengths, buckets).tolist() == want


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS, st.integers(0, 99))
def test_an_epoch_holds_each_row_once_in_full_batches_but_one(lengths, size, buckets, seed):
    batches = training_batches(lengths, size, buckets, np.random.default_rng(seed))
    assert sorted(rows_of(batches)) == list(range(len(lengths)))
    assert len(batches) == math.ceil(len(lengths) / size)
    assert sum(len(rows) < size for rows, _ in batches) <= 1
    widths = set(bucket_widths(lengths, buckets).tolist())
    for rows, width in batches:
        assert width in widths
        assert lengths[rows].max() <= width


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS, st.integers(0, 99))
def test_an_epoch_depends_on_its_generator_alone(lengths, size, buckets, seed):
    first, again = (training_batches(lengths, size, buckets, np.random.default_rng(seed)) for _ in range(2))
    assert plain(first) == plain(again)


def test_epochs_differ_in_their_order_and_their_batches():
    lengths = np.arange(64) % 16
    first, second = (training_batches(lengths, 4, [8, 16], np.random.default_rng([0, epoch])) for epoch in (1, 2))
    assert plain(first) != plain(second)
    assert {frozenset(rows.tolist()) for rows, _ in first} != {frozenset(rows.tolist()) for rows, _ in second}


def test_what_a_bucket_leaves_over_joins_the_next_longer_one():
    lengths = np.array([3, 3, 3, 12, 12, 12, 20])
    batches = training_batches(lengths, 2, [8, 16, 32], np.random.default_rng(0))
    assert sorted((sorted(lengths[rows].tolist()), width) for rows, width in batches) == [
        ([3, 3], 8),
        ([3, 12], 16),
        ([12, 12], 16),
        ([20], 32),
    ]


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS)
def test_prediction_goes_by_rising_length_and_holds_each_row_once(lengths, size, buckets):
    batches = prediction_batches(lengths, size, buckets)
    order = rows_of(batches)
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()
    assert [len(rows) for rows, _ in batches[:-1]] == [size] * max(len(batches) - 1, 0)
    assert all(lengths[rows].max() <= width for rows, width in batches)


def test_equal_lengths_keep_their_order_in_prediction():
    assert plain(prediction_batches(np.array([5, 2, 5, 2]), 3, [8])) == [([1, 3, 0], 8), ([2], 8)]


def test_no_rows_make_no_batches():
    none = np.zeros(0, np.int64)
    assert training_batches(none, 4, [8], np.random.default_rng(0)) == []
    assert prediction_batches(none, 4, [8]) == []


def test_collate_pads_ragged_fields_and_takes_rows_of_dense_ones():
    split = Split(
        {
            "token_ids": Ragged.of([[1], [2, 3], []], np.uint16),
            "label": np.array([5, 6, 7], np.int32),
            "scores": np.array([[0.0], [1.0], [2.0]], np.float32),
        }
    )
    batch = collate(split, ["token_ids", "label", "scores"], (np.array([1, 2, 1]), 3))
    assert batch["token_ids"].tolist() == [[2, 3, 0], [0, 0, 0], [2, 3, 0]]
    assert batch["label"].tolist() == [6, 7, 6]
    assert batch["scores"].tolist() == [[1.0], [2.0], [1.0]]
    assert batch["token_ids"].dtype == np.int32


def test_padded_share_by_hand():
    lengths = np.array([3, 8, 5])
    batches = [(np.array([0, 1]), 8), (np.array([2]), 16)]  # 2 * 8 + 1 * 16 places, 16 of them tokens
    assert padded_share(lengths, batches) == 0.5
    assert padded_share(np.zeros(0), []) == 0.0
