import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.pointers import pair_alternating, pair_spans


def marks(length: int, labels: int, *places: tuple[int, int]) -> np.ndarray:
    """One row with marks at (token, label)."""
    result = np.zeros((1, length, labels), bool)
    for token, label in places:
        result[0, token, label] = True
    return result


def spans(starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int, int, int]]:
    return [tuple(span) for span in np.column_stack(pair_spans(starts, ends)).tolist()]


def brute_force(starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int, int, int]]:
    rows, length, labels = starts.shape
    found = []
    for row in range(rows):
        for label in range(labels):
            for start in range(length):
                if starts[row, start, label]:
                    last = next((token for token in range(start, length) if ends[row, token, label]), None)
                    if last is not None:
                        found.append((row, label, start, last + 1))
    return found


@given(
    shape=st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 4)),
    share=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_a_loop_over_all_marks(shape, share, seed):
    rng = np.random.default_rng(seed)
    starts, ends = rng.random(shape) < share, rng.random(shape) < share
    assert spans(starts, ends) == brute_force(starts, ends)
    alternating = np.stack([starts, ends], axis=-1).reshape(*shape[:2], 2 * shape[2])
    assert [tuple(span) for span in np.column_stack(pair_alternating(alternating)).tolist()] == spans(starts, ends)


def test_a_start_takes_the_nearest_end_at_or_behind_it():
    assert spans(marks(6, 1, (1, 0), (4, 0)), marks(6, 1, (0, 0), (2, 0), (3, 0), (4, 0))) == [
        (0, 0, 1, 3),
        (0, 0, 4, 5),
    ]


def test_labels_and_rows_are_kept_apart():
    starts, ends = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    starts[0, 0, 0] = ends[0, 1, 1] = ends[1, 0, 0] = True
    assert spans(starts, ends) == []


def test_two_starts_share_an_end():
    assert spans(marks(4, 1, (0, 0), (1, 0)), marks(4, 1, (2, 0))) == [(0, 0, 0, 3), (0, 0, 1, 3)]


@pytest.mark.parametrize("shape", [(0, 4, 2), (2, 0, 2), (2, 4, 0)])
def test_an_empty_batch_has_no_spans(shape):
    assert spans(np.zeros(shape, bool), np.zeros(shape, bool)) == []
