import json
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.data import Example
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, LONG, SHORT, asked, prepared, split_of


def labelled(example: Example, **options) -> list[str]:
    """The texts of the labels."""
    split = split_of(example, **options)
    starts, ends = split.ragged("char_starts")[0], split.ragged("char_ends")[0]
    return [example.context[starts[a] : ends[b - 1]] for a, b in spans(example, **options)]


def spans(example: Example, **options) -> list[list[int]]:
    return split_of(example, **options).ragged("spans")[0].reshape(-1, 2).tolist()


def test_question_and_passage_become_tokens_with_places_in_the_passage():
    example = asked("桥 在", question="桥？")
    split = split_of(example)
    assert split.ragged("question_ids").lengths.tolist() == [2]
    assert split.ragged("passage_ids").lengths.tolist() == [2]
    assert split.ragged("question_ids")[0][0] == split.ragged("passage_ids")[0][0]
    assert split.ragged("char_starts")[0].tolist() == [0, 2]
    assert split.ragged("char_ends")[0].tolist() == [1, 3]


def test_the_question_is_cut_and_the_passage_is_not():
    example = asked("桥" * 3000, question="桥" * 9)
    split = split_of(example)
    assert (split.ragged("question_ids").lengths, split.ragged("passage_ids").lengths) == ([4], [3000])


def test_texts_and_answers_are_kept():
    examples = [*EXAMPLES, asked(" 桥\u200b👍", " 桥", "", id="odd")]
    split = split_of(*examples)
    for name in ("id", "question", "context"):
        assert split.ragged(name).texts() == [getattr(example, name) for example in examples]
    assert [json.loads(one) for one in split.ragged("answers").texts()] == [
        [{"text": answer.text, "start": answer.start} for answer in example.answers] for example in examples
    ]


def test_every_answer_is_labelled_at_its_tokens():
    assert spans(LONG) == [[14, 16], [2, 3]]
    assert labelled(LONG) == ["辰巳", "丙"]


@pytest.mark.parametrize(("label_position", "want"), [("annotated", [[4, 5]]), ("first_match", [[0, 1]])])
def test_an_annotated_place_counts_only_if_asked_for(label_position, want):
    assert spans(asked("桥在青石桥", ("桥", 4)), label_position=label_position) == want


@pytest.mark.parametrize("start", [-1, 3, 99])
def test_without_a_right_place_the_first_one_is_taken(start):
    assert spans(asked("桥在青石桥", ("桥", start))) == [[0, 1]]


def test_a_place_where_tokens_begin_and_end_is_preferred_to_an_earlier_one():
    words = Vocabulary([*SPECIAL_TOKENS, *"年共时桥在哪里", "2016", "16"])
    example = asked("2016年共16时", "16")
    assert spans(example, words=words) == [[3, 4]]
    assert labelled(example, words=words) == ["16"]


def test_an_answer_inside_a_token_is_widened_to_it():
    words = Vocabulary([*SPECIAL_TOKENS, *"年共时桥在哪里", "2016"])
    assert labelled(asked("共2016年", "16年"), words=words) == ["2016年"]


def test_blanks_at_the_edges_do_not_count():
    example = asked("桥 在 \u3000城南 ，", " 在 ", (" \u3000城南 ", 3), "城南\n")
    assert labelled(example) == ["在", "城南", "城南"]


@pytest.mark.parametrize("text", ["", " ", "\u3000\n", "河", "\u200b"])
def test_an_answer_without_a_place_is_not_labelled(text):
    assert spans(asked("桥 在\u200b城南\u3000\n", text, "城南")) == [[2, 4]]


def test_letters_are_labelled_whatever_their_case_but_looked_up_as_they_stand():
    assert labelled(asked("在ABC", "ABC")) == ["ABC"]
    assert labelled(asked("在ABC", "abc")) == []


@given(st.text("桥在城1a\u0301 가\u200b，", min_size=1, max_size=20), st.data())
def test_a_label_holds_all_tokens_that_its_answer_reaches_into(context, data):
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    example = asked(context, (context[start:end], start))
    split = split_of(example)
    begins, ends = split.ragged("char_starts")[0], split.ragged("char_ends")[0]
    text = context[start:end]
    first, last = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    touched = np.flatnonzero((begins < last) & (ends > first)).tolist()
    assert spans(example) == ([[touched[0], touched[-1] + 1]] if touched else [])


def test_the_vocabulary_is_learned_from_training_texts_a_passage_counting_once():
    examples = [asked("桥", id=str(n), question="河") for n in range(3)]
    result = prepared(examples, [asked("山")], text={"vocabulary": None, "min_count": 2})
    assert "河" in result.vocabulary.ids
    assert "桥" not in result.vocabulary.ids
    assert "山" not in result.vocabulary.ids


def test_the_labels_hold_what_windows_are_made_by():
    result = prepared([SHORT], [LONG])
    assert result.labels == LABELS
    assert {name: split.rows for name, split in result.splits.items()} == {"train": 1, "valid": 1, "test": 0}


def test_long_passages_take_linear_time():
    examples = [asked("桥在城南，" * 20_000, ("城南", 50_002), "河", "城" * 50, id=str(n)) for n in range(3)]
    started = time.perf_counter()
    assert split_of(*examples).ragged("spans").lengths.tolist() == [2, 2, 2]
    assert time.perf_counter() - started < 10
