import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.pairs import pack_pairs, truncated_lengths

CLS, SEP = 2, 3
LENGTH = st.integers(0, 40)


def trimmed_one_at_a_time(first: int, second: int, budget: int) -> tuple[int, int]:
    while first + second > budget:
        if first >= second:
            first -= 1
        else:
            second -= 1
    return first, second


def pack(first, second, max_length):
    tokens, segments = pack_pairs(
        [np.array(row, np.int32) for row in first], [np.array(row, np.int32) for row in second], CLS, SEP, max_length
    )
    return [row.tolist() for row in tokens], [row.tolist() for row in segments]


@settings(deadline=None)
@given(st.lists(st.tuples(LENGTH, LENGTH), min_size=1), st.integers(0, 60))
def test_the_closed_form_equals_trimming_one_token_at_a_time(lengths, budget):
    first, second = np.array(lengths).T
    got = truncated_lengths(first, second, budget)
    assert list(zip(*(kept.tolist() for kept in got), strict=True)) == [
        trimmed_one_at_a_time(a, b, budget) for a, b in lengths
    ]


@pytest.mark.parametrize(
    ("first", "second", "budget", "want"),
    [
        (3, 4, 7, (3, 4)),  # fits
        (9, 2, 7, (5, 2)),  # the shorter text stays whole
        (2, 9, 7, (2, 5)),
        (9, 9, 7, (3, 4)),  # on a tie the first is trimmed
        (0, 9, 7, (0, 7)),
        (5, 5, 0, (0, 0)),
    ],
)
def test_lengths_by_hand(first, second, budget, want):
    kept = truncated_lengths(np.array([first]), np.array([second]), budget)
    assert tuple(int(length[0]) for length in kept) == want


def test_a_pair_is_framed_and_its_segments_end_with_each_separator():
    tokens, segments = pack([[10, 11]], [[20, 21, 22]], 16)
    assert tokens == [[CLS, 10, 11, SEP, 20, 21, 22, SEP]]
    assert segments == [[0, 0, 0, 0, 1, 1, 1, 1]]


def test_the_longer_text_loses_its_end():
    tokens, segments = pack([list(range(10, 20))], [[20, 21]], 8)
    assert tokens == [[CLS, 10, 11, 12, SEP, 20, 21, SEP]]
    assert segments == [[0, 0, 0, 0, 0, 1, 1, 1]]


def test_empty_texts_leave_the_frame():
    assert pack([[], [10], []], [[], [], [20]], 16) == (
        [[CLS, SEP, SEP], [CLS, 10, SEP, SEP], [CLS, SEP, 20, SEP]],
        [[0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 1]],
    )


def test_no_rows_give_no_rows():
    assert pack([], [], 16) == ([], [])


@settings(deadline=None)
@given(st.lists(st.tuples(LENGTH, LENGTH), max_size=8), st.integers(3, 60))
def test_rows_are_as_long_as_allowed_and_segments_fit(lengths, max_length):
    first, second = [np.arange(10, 10 + a) for a, _ in lengths], [np.arange(90, 90 + b) for _, b in lengths]
    tokens, segments = pack_pairs(first, second, CLS, SEP, max_length)
    for (a, b), row, segment in zip(lengths, tokens, segments, strict=True):
        assert len(row) == len(segment) == min(a + b + 3, max_length)
        border = int(segment.sum())
        assert row[len(row) - border - 1] == row[-1] == SEP
        assert row.dtype == segment.dtype == np.int32


def test_texts_of_100000_tokens():
    long = np.arange(100_000)
    tokens, segments = pack_pairs([long, long, long[:5]], [long, long[:5], long], CLS, SEP, 512)
    assert [len(row) for row in tokens] == [512] * 3
    assert [int(segment.sum()) for segment in segments] == [256, 6, 505]


def test_an_unequal_number_of_texts_is_refused():
    with pytest.raises(ValueError):
        pack([[10]], [], 16)
