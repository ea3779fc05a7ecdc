from typing import Any

import pytest
from pydantic import Field

from shared.errors import UserError
from shared.search.numbers import MARGIN, numbers_of, with_numbers
from shared.settings import Section


class Predict(Section):
    threshold: float = Field(0.4, gt=0, lt=1)
    score: float = Field(0.0, ge=-50, le=50)
    power: float = Field(1.0, gt=0)
    answer: float | None = None
    rounds: int = 3
    only: bool = True
    kind: str = "a"


class Settings(Section):
    predict: Predict = Predict()


def test_all_numbers_that_are_set_but_no_integers_and_switches():
    assert [number.key for number in numbers_of(Settings())] == ["threshold", "score", "power"]
    with_answer = Settings(predict=Predict(answer=2.0))
    assert [number.key for number in numbers_of(with_answer)][-1] == "answer"


def test_those_named_with_or_without_their_section_and_once_each():
    chosen = numbers_of(Settings(), ["score", "predict.threshold", "score"])
    assert [number.key for number in chosen] == ["score", "threshold"]


@pytest.mark.parametrize(("key", "advice"), [("treshold", "Did you mean 'threshold'?"), ("rounds", "Those: threshold")])
def test_a_name_that_is_no_number_is_told(key, advice):
    with pytest.raises(UserError, match=f"predict.{key}: no decimal number that is set") as told:
        numbers_of(Settings(), [key])
    assert advice in str(told.value)


def test_without_numbers_there_is_nothing_to_search():
    class Bare(Section):
        predict: Any = Section()

    with pytest.raises(UserError, match="no decimal number is set in predict"):
        numbers_of(Bare())


def test_bounds_and_units_are_those_of_the_field():
    threshold, score, power = numbers_of(Settings())
    assert (threshold.low, threshold.high, threshold.unit) == (MARGIN, 1 - MARGIN, 1 - 2 * MARGIN)
    assert (score.low, score.high, score.unit) == (-50, 50, 10.0)
    assert (power.low, power.high, power.unit) == (MARGIN, float("inf"), 1.0)
    for number in (threshold, score, power):
        for value in (-1e9, -0.3, 0.123456, 1e9):
            Settings(predict=Predict(**{number.key: number.within(value)}))
    assert threshold.within(0.123456) == 0.123
    assert threshold.within(threshold.value) == threshold.value


def test_other_values_stand_in_the_document():
    document = with_numbers(Settings(), {"score": 1.5})
    assert document["predict"]["score"] == 1.5
    assert document["predict"]["threshold"] == 0.4
