import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.bio import labels_of, num_labels, spans_of
from shared.decoding.pointers import Spans

OUT, B0, I0, B1, I1 = range(5)


def spans(*columns: tuple[int, int, int, int]) -> Spans:
    """Spans from (row, label, start, end)."""
    return Spans(*np.array(columns, np.int64).reshape(-1, 4).T)


def listed(found: Spans) -> list[tuple[int, ...]]:
    return [tuple(one) for one in np.column_stack(found).tolist()]


@st.composite
def disjoint_spans(draw):
    """Spans without overlap, by rising row and start, and the shape of the batch."""
    rows, length = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    found = []
    for row in range(rows):
        bounds = sorted(draw(st.sets(st.integers(0, length), max_size=6)))
        for start, end in itertools.pairwise(bounds):
            if draw(st.booleans()):
                found.append((row, draw(st.integers(0, 3)), start, end))
    return spans(*found), rows, length


@given(disjoint_spans())
def test_spans_become_labels_and_the_same_spans_again(case):
    given_spans, rows, length = case
    labels = labels_of(given_spans, rows, length)
    assert labels.shape == (rows, length)
    assert listed(spans_of(labels)) == listed(given_spans)


@given(st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5), min_size=1, max_size=3))
def test_any_labels_are_read_as_a_loop_reads_them(labels):
    want = []
    for row, line in enumerate(labels):
        for start, label in enumerate(line):
            if label % 2:
                end = start + 1
                while end < len(line) and line[end] == label + 1:
                    end += 1
                want.append((row, label // 2, start, end))
    assert listed(spans_of(np.array(labels))) == want


def test_labels_by_hand():
    labels = labels_of(spans((0, 1, 1, 4), (1, 0, 0, 1), (1, 0, 1, 3)), 2, 5)
    assert labels.tolist() == [[OUT, B1, I1, I1, OUT], [B0, B0, I0, OUT, OUT]]
    assert labels.dtype == np.int32


def test_an_inside_label_without_its_start_belongs_to_no_span():
    assert listed(spans_of(np.array([[I0, I0, OUT, B0, I1, I0, B1, I1]]))) == [(0, 0, 3, 4), (0, 1, 6, 8)]


def test_a_span_ends_with_its_row():
    assert listed(spans_of(np.array([[OUT, B0], [I0, I0]]))) == [(0, 0, 1, 2)]


def test_each_kind_of_span_has_two_labels():
    assert num_labels(217) == 435


@pytest.mark.parametrize("shape", [(0, 4), (2, 0), (2, 3)])
def test_labels_without_a_start_have_no_spans(shape):
    assert listed(spans_of(np.zeros(shape, int))) == []
    np.testing.assert_array_equal(labels_of(spans(), *shape), np.zeros(shape))
