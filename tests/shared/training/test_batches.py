import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.arrays import Ragged, Split
from shared.errors import UserError
from shared.training.batches import (
    Planned,
    bucket_widths,
    bucket_widths_for,
    collate,
    padded_share,
    runs,
    shapes,
    steps_per_epoch,
    training_batches,
)
from shared.training.settings import TrainSettings
from tests.shared.training import toy

LENGTHS = st.lists(st.integers(0, 70), max_size=60).map(lambda rows: np.array(rows, np.int64))
BUCKETS = st.sets(st.integers(8, 64), min_size=1, max_size=4).map(sorted)
SIZE = st.integers(1, 9)
TOKENS = st.one_of(st.just(0), st.integers(1, 600))


def train_settings(batch_size=4, buckets=(8, 16), tokens=0) -> TrainSettings:
    changes = {"batch_size": batch_size, "batch_tokens": tokens, "bucket_lengths": buckets}
    return toy.train_settings().model_copy(update=changes)


def epoch(lengths, train=None, seed=0, devices=1, steps=1) -> list[Planned]:
    return training_batches(lengths, train or train_settings(), devices, steps, np.random.default_rng(seed))


def rows_of(batches) -> list[int]:
    return [int(row) for batch in batches for row in batch[0]]


def plain(batches) -> list[tuple[list[int], int, int]]:
    return [(rows.tolist(), width, size) for rows, width, size in batches]


@settings(deadline=None)
@given(LENGTHS, BUCKETS)
def test_a_width_is_the_smallest_bucket_that_holds_the_row(lengths, buckets):
    longest = int(lengths.max(initial=0))
    allowed = [width for width in buckets if width < longest] + [
        next((width for width in buckets if width >= longest), longest)
    ]
    want = [min(width for width in allowed if width >= length) for length in lengths]
    assert bucket_widths(lengths, buckets).tolist() == want


def places(lengths, widths, batch_size) -> int:
    """Token places if each batch holds the longest rows left and is as wide as the widest of them needs."""
    ordered = np.sort(lengths)[::-1]
    return sum(
        batch_size * next(width for width in widths if width >= ordered[start])
        for start in range(0, len(lengths), batch_size)
    )


@settings(deadline=None)
@given(st.lists(st.integers(0, 56), min_size=1, max_size=30).map(np.array), st.integers(1, 4), SIZE)
def test_chosen_bucket_lengths_have_the_least_padding_of_all(lengths, count, batch_size):
    widths = bucket_widths_for(lengths, count, batch_size)
    assert len(widths) <= count
    assert all(width % 8 == 0 for width in widths)
    top = max(8, -(-int(lengths.max()) // 8) * 8)
    others = ([*chosen, top] for number in range(count) for chosen in itertools.combinations(range(8, top, 8), number))
    assert places(lengths, widths, batch_size) == min(places(lengths, other, batch_size) for other in others)


@settings(deadline=None)
@given(LENGTHS.filter(len), SIZE, st.integers(0, 9))
def test_training_batches_have_the_padding_that_bucket_lengths_are_chosen_for(lengths, batch_size, seed):
    train = train_settings(batch_size, "auto")
    batches = epoch(lengths, train, seed)
    widths = sorted(set(bucket_widths(lengths, "auto", batch_size).tolist()))
    assert sum(batch.size * batch.width for batch in batches) == places(lengths, widths, batch_size)


def test_bucket_lengths_by_hand():
    lengths = np.array([3, 5, 17, 30, 31, 32])
    assert bucket_widths_for(lengths, 1) == [32]
    assert bucket_widths_for(lengths, 2) == [8, 32]
    assert bucket_widths_for(lengths, 3) == bucket_widths_for(lengths, 9) == [8, 24, 32]
    assert bucket_widths_for(lengths, 3, batch_size=4) == [8, 32]  # two batches: 32 to 17 and 5, 3
    assert bucket_widths_for(np.zeros(0, np.int64), 3) == [8]


def test_auto_takes_no_more_widths_than_the_padding_needs():
    assert set(bucket_widths(np.array([40] * 50 + [7]), "auto").tolist()) == {40}
    assert set(bucket_widths(np.array([40] * 50 + [7] * 50), "auto").tolist()) == {8, 40}
    assert len(set(bucket_widths(np.arange(1, 2000), "auto").tolist())) <= 16


def test_auto_leaves_less_than_a_twelfth_of_padding_to_rows_of_many_lengths(rng):
    lengths = np.minimum(rng.lognormal(4.1, 0.6, 3000).astype(int) + 8, 256)
    batches = epoch(lengths, train_settings(16, "auto"))
    assert padded_share(lengths, batches) < 1 / 12
    assert len(shapes(batches)) <= 16


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS, st.integers(0, 99))
def test_an_epoch_holds_each_row_once_in_full_batches_but_one(lengths, size, buckets, seed):
    batches = epoch(lengths, train_settings(size, buckets), seed)
    assert sorted(rows_of(batches)) == list(range(len(lengths)))
    assert len(batches) == math.ceil(len(lengths) / size)
    assert sum(len(batch.rows) < size for batch in batches) <= 1
    widths = set(bucket_widths(lengths, buckets).tolist())
    for rows, width, full in batches:
        assert width in widths
        assert lengths[rows].max() <= width
        assert full == size


@settings(deadline=None)
@given(LENGTHS, st.integers(1, 600), BUCKETS, st.integers(0, 99), st.integers(1, 4))
def test_batches_by_tokens_hold_each_row_once_and_what_their_width_allows(lengths, tokens, buckets, seed, devices):
    batches = epoch(lengths, train_settings(1, buckets, tokens), seed, devices)
    assert sorted(rows_of(batches)) == list(range(len(lengths)))
    full = [max(1, tokens // batch.width) for batch in batches]
    full = [rows // 8 * 8 if rows > 8 else rows for rows in full]
    assert sum(len(batch.rows) < rows for batch, rows in zip(batches, full, strict=True)) <= 1
    for batch, rows in zip(batches, full, strict=True):
        assert len(batch.rows) <= rows
        assert batch.size == math.ceil(rows / devices) * devices
        assert lengths[batch.rows].max() <= batch.width
    assert len(shapes(batches)) == len({batch.width for batch in batches})


@settings(deadline=None)
@given(LENGTHS, SIZE, TOKENS, st.one_of(BUCKETS, st.just("auto")), st.integers(0, 99), st.integers(1, 4), SIZE)
def test_the_number_of_steps_is_known_before(lengths, size, tokens, buckets, seed, devices, steps):
    train = train_settings(size * devices, buckets, tokens)
    assert len(epoch(lengths, train, seed, devices, steps)) == steps_per_epoch(lengths, train, devices)
    assert steps_per_epoch(lengths, train, devices) == steps_per_epoch(lengths, train)


@settings(deadline=None)
@given(LENGTHS, SIZE, TOKENS, BUCKETS, st.integers(0, 99), st.integers(1, 8))
def test_devices_change_only_the_rows_that_fill_up(lengths, size, tokens, buckets, seed, devices):
    train = train_settings(8 + size, buckets, tokens)
    one, many = epoch(lengths, train, seed), epoch(lengths, train, seed, devices)
    assert [batch[:2] for batch in plain(one)] == [batch[:2] for batch in plain(many)]
    assert [batch.size for batch in many] == [math.ceil(batch.size / devices) * devices for batch in one]


@pytest.mark.parametrize("count", [training_batches, steps_per_epoch])
def test_a_batch_smaller_than_the_devices_is_refused(count):
    more = (1, np.random.default_rng(0)) if count is training_batches else ()
    with pytest.raises(UserError, match=r"train.batch_size is 3, but 4 devices share each batch. Set it to 4 or more"):
        count(np.arange(9), train_settings(3), 4, *more)
    count(np.arange(9), train_settings(4), 4, *more)


@settings(deadline=None)
@given(LENGTHS, SIZE, BUCKETS, st.integers(0, 99))
def test_an_epoch_depends_on_its_generator_alone(lengths, size, buckets, seed):
    first, again = (epoch(lengths, train_settings(size, buckets), seed) for _ in range(2))
    assert plain(first) == plain(again)


def test_epochs_differ_in_their_order_and_their_batches():
    lengths = np.arange(64) % 16
    first, second = (epoch(lengths, seed=[0, number]) for number in (1, 2))
    assert plain(first) != plain(second)
    assert {frozenset(batch.rows.tolist()) for batch in first} != {frozenset(batch.rows.tolist()) for batch in second}


def test_the_last_batch_of_a_bucket_takes_in_rows_of_the_next_shorter_one():
    lengths = np.array([3, 3, 3, 12, 12, 12, 20])
    batches = epoch(lengths, train_settings(2, (8, 16, 32)))
    assert sorted((sorted(lengths[rows].tolist()), width) for rows, width, _ in batches) == [
        ([3], 8),
        ([3, 3], 8),
        ([12, 12], 16),
        ([12, 20], 32),
    ]


def test_a_batch_fills_up_over_several_shorter_buckets():
    lengths = np.array([3, 12, 20, 20, 20, 20])
    assert [
        (sorted(lengths[rows].tolist()), width) for rows, width, _ in epoch(lengths, train_settings(8, (8, 16, 32)))
    ] == [([3, 12, 20, 20, 20, 20], 32)]


@settings(deadline=None)
@given(LENGTHS, SIZE, TOKENS, BUCKETS, st.integers(0, 99), st.integers(1, 5))
def test_batches_of_one_shape_stand_in_runs_as_far_as_they_go(lengths, size, tokens, buckets, seed, steps):
    batches = epoch(lengths, train_settings(size, buckets, tokens), seed, steps=steps)
    found = runs(batches, steps)
    assert plain(batch for run in found for batch in run) == plain(batches)
    assert all(len(run) in (1, steps) and len(shapes(run)) == 1 for run in found)
    of_shape = Counter(batch[1:] for batch in batches)
    if steps > 1:
        whole = Counter(run[0][1:] for run in found if len(run) == steps)
        assert whole == Counter({shape: count // steps for shape, count in of_shape.items() if count >= steps})


def test_runs_come_in_random_order():
    lengths = np.repeat([4, 12], 48)
    orders = {tuple(run[0].width for run in runs(epoch(lengths, seed=seed, steps=4), 4)) for seed in range(9)}
    assert len(orders) > 3


def test_the_rest_of_an_epoch_falls_into_the_same_runs():
    batches = epoch(np.arange(200) % 16, seed=3, steps=3)
    found = runs(batches, 3)
    done = 0
    for number, run in enumerate(found):
        assert [plain(rest) for rest in runs(batches[done:], 3)] == [plain(rest) for rest in found[number:]]
        done += len(run)


def test_with_single_steps_every_run_is_one_batch():
    assert [len(run) for run in runs(epoch(np.arange(40) % 16), 1)] == [1] * 10


def test_no_rows_make_no_batches():
    none = np.zeros(0, np.int64)
    for buckets in ((8,), "auto"):
        assert epoch(none, train_settings(4, buckets)) == []
    assert shapes([]) == set()
    assert runs([], 2) == []


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


def test_padded_share_and_shapes_by_hand():
    lengths = np.array([3, 8, 5])
    batches = [
        Planned(np.array([0, 1]), 8, 2),
        Planned(np.array([2]), 12, 2),
    ]  # 2 * 8 + 2 * 12 places, 16 of them tokens
    assert padded_share(lengths, batches) == pytest.approx(0.6)
    assert padded_share(np.zeros(0), []) == 0.0
    assert shapes(batches) == {(2, 8), (2, 12)}
