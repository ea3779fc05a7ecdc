import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.windows import windows_of
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, LONG, SHORT, WINDOW, asked, windowed

CLS, SEP = LABELS["cls_id"], LABELS["sep_id"]


def spans(questions: list[int], passages: list[int], window: int, stride: int) -> list[tuple[int, int, int]]:
    return list(zip(*(part.tolist() for part in windows_of(questions, passages, window, stride)), strict=True))


@given(
    lengths=st.lists(st.tuples(st.integers(0, 10), st.integers(0, 90)), max_size=6),
    window=st.integers(15, 40),
    stride=st.integers(1, 30),
)
def test_windows_cover_every_token_and_fit(lengths, window, stride):
    questions, passages = [q for q, _ in lengths], [p for _, p in lengths]
    stride = min(stride, window - 3 - max(questions, default=0))
    found = spans(questions, passages, window, stride)
    assert found == sorted(set(found))
    for row, (question, passage) in enumerate(lengths):
        mine = [(start, end) for owner, start, end in found if owner == row]
        assert mine
        assert {token for start, end in mine for token in range(start, end)} == set(range(passage))
        assert all(0 <= start <= end and question + 3 + end - start <= window for start, end in mine)
        assert mine[-1][1] == passage


@given(
    question=st.integers(0, 10),
    passage=st.integers(1, 90),
    window=st.integers(15, 40),
    stride=st.integers(1, 12),
    data=st.data(),
)
def test_every_stretch_as_long_as_room_less_stride_lies_whole_in_a_window(question, passage, window, stride, data):
    room = window - 3 - question
    stride = min(stride, room)
    length = data.draw(st.integers(1, min(passage, room - stride + 1)))
    start = data.draw(st.integers(0, passage - length))
    assert any(s <= start and start + length <= e for _, s, e in spans([question], [passage], window, stride))


def test_windows_worked_out_by_hand():
    # Room for 16 - 3 - 4 = 9 of 20 tokens; the last window begins at 11, not at 12.
    assert spans([4], [20], 16, 3) == [(0, 0, 9), (0, 3, 12), (0, 6, 15), (0, 9, 18), (0, 11, 20)]


def test_a_passage_that_fits_has_one_window_and_one_token_more_makes_two():
    assert spans([4, 4], [9, 10], 16, 3) == [(0, 0, 9), (1, 0, 9), (1, 1, 10)]


def test_a_stride_of_zero_keeps_the_first_window_only():
    assert spans([4, 4], [20, 5], 16, 0) == [(0, 0, 9), (1, 0, 5)]


def test_a_passage_of_twenty_thousand_tokens_is_covered():
    found = windows_of(np.array([10]), np.array([20_000]), 512, 128)
    assert (found.start[1:-1] == np.arange(1, len(found.start) - 1) * 128).all()
    assert (found.start[1:] < found.end[:-1]).all()
    assert (found.start[0], found.end[-1]) == (0, 20_000)


def test_a_window_is_packed_as_question_and_passage_part_between_special_tokens():
    windows = windowed(*EXAMPLES)
    assert windows.windows.row.tolist() == [0, 1, 1, 1, 1, 1]
    packed = windows.inputs(np.array([2, 0]), WINDOW)
    question, passage = windows.questions[1].tolist(), windows.passages[1].tolist()
    assert packed["token_ids"][0].tolist() == [CLS, *question, SEP, *passage[3:12], SEP]
    assert packed["segment_ids"][0].tolist() == [0] * 6 + [1] * 10
    whole = [CLS, *windows.questions[0], SEP, *windows.passages[0], SEP]
    assert packed["token_ids"][1].tolist() == [*whole, 0, 0, 0]
    assert packed["segment_ids"][1].tolist() == [0] * 6 + [1] * 7 + [0] * 3
    assert {array.dtype for array in packed.values()} == {np.dtype("int32")}


def test_the_lengths_are_those_of_the_packed_windows():
    windows = windowed(*EXAMPLES)
    packed = windows.inputs(np.arange(6), WINDOW)["token_ids"]
    assert windows.lengths.tolist() == (packed != 0).sum(axis=1).tolist() == [13, 16, 16, 16, 16, 16]


def test_the_shift_leads_from_passage_tokens_to_columns():
    windows = windowed(LONG)
    packed = windows.inputs(np.arange(5), WINDOW)["token_ids"]
    inside = windows.inside(np.arange(5), WINDOW)
    for unit, (start, end) in enumerate(zip(windows.windows.start, windows.windows.end, strict=True)):
        columns = np.arange(start, end) + windows.shift[unit]
        assert np.flatnonzero(inside[unit]).tolist() == columns.tolist()
        assert packed[unit, columns].tolist() == windows.passages[0][start:end].tolist()


@pytest.mark.parametrize("width", [WINDOW, WINDOW + 5])
def test_a_greater_width_only_adds_padding(width):
    packed = windowed(SHORT).inputs(np.array([0]), width)
    assert all(array.shape == (1, width) and not array[0, 13:].any() for array in packed.values())


def test_an_empty_question_leaves_more_room():
    windows = windowed(asked(LONG.context, question=""))
    packed = windows.inputs(np.array([0]), WINDOW)["token_ids"][0].tolist()
    assert packed == [CLS, SEP, *windows.passages[0][:13], SEP]


def test_a_passage_without_tokens_is_an_empty_window():
    windows = windowed(asked("\u200b"))
    assert windows.lengths.tolist() == [7]
    assert windows.inputs(np.array([0]), 8)["token_ids"][0].tolist() == [CLS, *windows.questions[0], SEP, SEP, 0]


def test_no_row_gives_no_window():
    assert spans([], [], 16, 3) == []
