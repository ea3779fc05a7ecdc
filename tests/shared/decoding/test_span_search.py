import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.span_search import best_spans, sliding_maximum


def brute_force(start, end, mask, max_length: int, n: int) -> list[tuple[float, int, int]]:
    """The n best (score, start, end) of one row; by the sums as they are rounded."""
    found = [
        (start[first] + end[last], first, last + 1)
        for first in range(len(start))
        for last in range(first, min(first + max_length, len(start)))
        if mask[first] and mask[last]
    ]
    return sorted(found, key=lambda span: (-span[0], *span[1:]))[:n]


def rows_of(*args) -> list[list[tuple[float, int, int]]]:
    spans = best_spans(*args)
    return [
        [(score, start, end) for start, end, score in zip(*row, strict=True) if score > -np.inf]
        for row in zip(*(column.tolist() for column in spans), strict=True)
    ]


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 12)),
    max_length=st.integers(1, 14),
    n=st.integers(1, 9),
    levels=st.sampled_from([2, 4, 1000]),  # few levels: many ties
    share=st.sampled_from([0.0, 0.5, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_spans_are_those_of_a_loop_over_all_pairs_in_the_same_order(shape, max_length, n, levels, share, seed):
    rng = np.random.default_rng(seed)
    start, end = (rng.integers(0, levels, shape).astype(np.float32) / 7 for _ in range(2))
    mask = rng.random(shape) < share
    want = [brute_force(*(part[row] for part in (start, end, mask)), max_length, n) for row in range(shape[0])]
    assert rows_of(start, end, mask, max_length, n) == want


@given(length=st.integers(1, 20), width=st.integers(1, 25), seed=st.integers(0, 2**32 - 1))
def test_the_sliding_maximum_is_that_of_every_window(length, width, seed):
    values = np.random.default_rng(seed).normal(size=(2, length))
    want = [[row[place : place + width].max() for place in range(length)] for row in values]
    np.testing.assert_array_equal(sliding_maximum(values, width), want)


def test_of_equal_spans_the_earlier_start_comes_first_then_the_shorter():
    zeros = np.zeros((1, 3))
    got = best_spans(zeros, zeros, np.ones((1, 3), bool), 2, n=6)
    assert list(zip(got.start[0], got.end[0], strict=True)) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 0)]
    assert got.score[0].tolist() == [0, 0, 0, 0, 0, -np.inf]


def test_a_span_is_not_longer_than_allowed():
    start, end = np.array([[9.0, 0, 0, 1]]), np.array([[0.0, 0, 0, 9]])
    mask = np.ones((1, 4), bool)
    assert rows_of(start, end, mask, 4) == [[(18.0, 0, 4)]]
    assert rows_of(start, end, mask, 3) == [[(10.0, 3, 4)]]


def test_the_arguments_are_left_as_they_are():
    start, end, mask = np.zeros((1, 4)), np.zeros((1, 4)), np.array([[True, False, True, True]])
    best_spans(start, end, mask, 2, n=3)
    assert not start.any()
    assert not end.any()


@pytest.mark.parametrize("shape", [(0, 4), (2, 0)])
def test_no_row_and_no_token_give_no_span(shape):
    got = best_spans(np.zeros(shape), np.zeros(shape), np.ones(shape, bool), 4, n=3)
    assert got.start.shape == got.end.shape == got.score.shape == (shape[0], 3)
    assert (got.score == -np.inf).all()


def test_twenty_spans_of_sixty_four_long_rows_take_a_fraction_of_a_second():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 64, 512)).astype(np.float32)
    started = time.perf_counter()
    best_spans(start, end, np.ones((64, 512), bool), 512, n=20)
    assert time.perf_counter() - started < 2
