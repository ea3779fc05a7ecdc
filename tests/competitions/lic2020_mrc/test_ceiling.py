from typing import Any

import pytest

from competitions.lic2020_mrc import data
from competitions.lic2020_mrc.ceiling import ceiling
from competitions.lic2020_mrc.data import Example
from competitions.lic2020_mrc.encoding import encode
from competitions.lic2020_mrc.settings import DataSettings
from tests.competitions.lic2020_mrc.layout import raw_data
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LONG, SHORT, asked, settings

NOTHING_LOST = {"too long": 0, "window": 0, "boundary": 0, "not in text": 0}
DEFAULT: dict[str, Any] = {"data": DataSettings().model_dump()}
ORIGINAL: dict[str, Any] = {
    "data": {"window": 256, "stride": 0, "max_question_length": 64, "label_position": "first_match"},
    "predict": {"max_answer_length": 16},
}


def of(*examples: Example, **sections) -> dict[str, Any]:
    """The ceiling on these questions as valid rows; each must count its losses as the score does."""
    chosen, material = settings(**sections), raw_data([SHORT], examples)
    result = ceiling(material, encode(material, chosen), chosen)
    assert set(result) == {"train", "valid"}
    valid = result["valid"]
    assert sum(valid["lost"].values()) == pytest.approx(len(examples) * (1 - valid["em"]))
    return valid


def lost(*examples: Example, **sections) -> dict[str, int]:
    return {reason: count for reason, count in of(*examples, **sections)["lost"].items() if count}


@pytest.mark.parametrize("no_answer", [True, False])
def test_nothing_is_lost_of_well_formed_questions(no_answer):
    train = settings().train.model_dump() | {"no_answer": no_answer}
    assert of(*EXAMPLES, train=train) == {"f1": 1.0, "em": 1.0, "lost": NOTHING_LOST}


def test_what_is_longer_than_answers_may_be_is_lost():
    example = asked("青石桥在城南", "青石桥")
    assert lost(example, predict={"max_answer_length": 2}) == {"too long": 1}
    assert lost(example, predict={"max_answer_length": 3}) == {}


def test_what_no_window_holds_whole_is_lost():
    example = asked(LONG.context, LONG.context[4:14])
    assert lost(example) == {"window": 1}
    assert lost(asked(LONG.context, LONG.context[3:10])) == {}


def test_what_is_behind_the_first_window_is_lost_without_a_stride():
    first_only = settings().data.model_dump() | {"stride": 0}
    assert lost(asked(LONG.context, "辰巳"), data=first_only) == {"window": 1}


def test_a_labelled_place_behind_the_first_window_is_lost_even_if_the_answer_stands_in_it_too():
    example = asked("在桥" + LONG.context + "桥", ("桥", 22))
    first_only = settings().data.model_dump() | {"stride": 0}
    assert lost(example, data=first_only) == {"window": 1}
    assert lost(example, data=first_only | {"label_position": "first_match"}) == {}


def test_what_ends_inside_a_token_or_at_a_blank_is_lost():
    assert lost(asked("가나在城南", "가")) == {"boundary": 1}  # an unknown word is one token
    assert lost(asked("桥 在城南", "桥 ")) == {"boundary": 1}
    assert lost(asked("桥，在城南", "桥，")) == {}


def test_what_the_passage_does_not_hold_is_lost():
    assert lost(asked("青石桥", "河", id="1"), asked("青石桥", " ", id="2")) == {"not in text": 2}


def test_one_answer_within_reach_is_enough():
    assert lost(asked("青石桥在城南", "河", "青石桥在", "城南"), predict={"max_answer_length": 2}) == {}


def test_of_several_reasons_that_of_the_answer_that_came_furthest_counts():
    example = asked("가나在青石桥", "河", "가", "青石桥")
    assert lost(example, predict={"max_answer_length": 2}) == {"too long": 1}
    assert lost(asked("가나在青石桥", "河", "가")) == {"boundary": 1}


def test_case_and_marks_count_as_little_as_in_the_score():
    assert lost(asked("桥在《ABC》", "《ABC》")) == {}


def test_questions_are_counted_out_of_the_way_of_right_ones():
    got = of(SHORT, asked("青石桥", "河", id="lost"))
    assert (got["em"], got["f1"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "sections", "em"),
    [
        ("dureader_robust", DEFAULT, (0.9968, 0.9926)),
        ("cmrc2018", DEFAULT, (0.9924, 0.9748)),
        ("dureader_robust", ORIGINAL, (0.9233, 0.9238)),
        ("cmrc2018", ORIGINAL, (0.3359, 0.3196)),
    ],
)
def test_on_real_questions_it_is_what_was_measured(shared_data, name, sections, em):
    chosen = settings(**sections, text={"min_count": 2})
    material = data.read(shared_data / "data" / name, chosen.data)
    figures = ceiling(material, encode(material, chosen), chosen)
    assert (figures["valid"]["em"], figures["train"]["em"]) == pytest.approx(em, abs=5e-5)
    assert figures["valid"]["lost"]["not in text"] == 0
