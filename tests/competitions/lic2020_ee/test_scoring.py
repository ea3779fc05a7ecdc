import itertools
import json
import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee import scoring
from competitions.lic2020_ee.scoring import (
    DEFAULT,
    LITERAL,
    READINGS,
    score,
    shared_multiset,
    shared_subsequence,
    shared_substring,
)
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, WEDDING

SHORT = st.text("甲乙丙Aa", max_size=8)
ARGUMENTS = st.lists(st.tuples(st.sampled_from("胜败"), st.text("甲乙Aa", max_size=3)), max_size=5)


def event(event_type: str, *arguments: tuple) -> dict:
    """Returns an official event. arguments: role, text, and any aliases."""
    rows = [{"role": role, "argument": text, "alias": list(aliases)} for role, text, *aliases in arguments]
    return {"event_type": event_type, "arguments": rows}


def one(gold: list[dict], predicted: list[dict], reading: str = DEFAULT) -> tuple[float, int, int]:
    """Returns score_sum, predicted and gold of one sentence."""
    result = score({"1": gold}, {"1": predicted}, reading)
    return result["score_sum"], result["predicted"], result["gold"]


def wedding(*texts: str) -> list[dict]:
    return [event(WEDDING, *(("结婚双方", text) for text in texts))]


def test_figures_are_sums_over_all_sentences():
    gold = {
        "1": [event(MATCH, ("时间", "周六晚上"), ("胜者", "红星队"))],
        "2": [event(COLLAPSE, ("死亡人数", "3人"), ("时间", "昨日"))],
    }
    predicted = {
        "1": [event(MATCH, ("时间", "周六"), ("胜者", "红星队"), ("败者", "蓝"))],
        "2": [event(COLLAPSE, ("时间", "昨日"))],
    }
    # 2 * 2 / (2 + 4) + 1 + 0, and 1: 8/3 of 4 predicted and 4 gold arguments
    result = score(gold, predicted)
    assert result["score_sum"] == pytest.approx(8 / 3)
    assert (result["predicted"], result["gold"]) == (4, 4)
    assert result["precision"] == result["recall"] == result["f1"] == pytest.approx(2 / 3)
    assert result["reading"] == DEFAULT


def test_precision_and_recall_have_their_own_denominators():
    gold = {"1": [event(MATCH, ("时间", "周六"), ("胜者", "红"), ("败者", "蓝"))]}
    result = score(gold, {"1": [event(MATCH, ("胜者", "红"))]})
    assert (result["precision"], result["recall"], result["f1"]) == (1.0, 1 / 3, 0.5)


def test_each_event_type_has_its_own_figures_and_the_most_frequent_comes_first():
    gold = {"1": [event(WEDDING, ("时间", "周六")), event(MATCH, ("胜者", "红星队"), ("败者", "蓝海队"))]}
    predicted = {"1": [event(MATCH, ("胜者", "红星队")), event(COLLAPSE, ("时间", "周六"))]}
    result = score(gold, predicted)["by_event_type"]
    assert list(result) == [MATCH, WEDDING, COLLAPSE]
    assert result[MATCH] == {"n": 2, "f1": 2 / 3, "precision": 1.0, "recall": 0.5}
    assert result[WEDDING] == {"n": 1, "f1": 0.0, "precision": 0.0, "recall": 0.0}
    assert result[COLLAPSE] == {"n": 0, "f1": 0.0, "precision": 0.0, "recall": 0.0}


@pytest.mark.parametrize(
    "predicted", [event(WEDDING, ("胜者", "红")), event(MATCH, ("败者", "红")), event("胜负", ("胜者", "红"))]
)
def test_event_type_and_role_must_be_right(predicted):
    assert one([event(MATCH, ("胜者", "红"))], [predicted]) == (0.0, 1, 1)


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ("红星队", "红星队", 1.0),
        ("NBA总决赛", "nba总决赛", 1.0),
        ("NBA", "ＮＢＡ", 0.0),
        ("红星队", "红星队 ", 6 / 7),
        ("红·星", "红星", 4 / 5),
        ("3月3日", "3日", 4 / 6),
        ("😀队", "队", 2 / 3),
        ("红", "", 0.0),
    ],
    ids=["equal", "case", "width", "blank", "mark", "part", "emoji", "empty"],
)
def test_credit_is_by_shared_characters(gold, predicted, expected):
    assert one(wedding(gold), wedding(predicted))[0] == pytest.approx(expected)


@pytest.mark.parametrize(("overlap", "shared"), [("multiset", 4), ("subsequence", 3), ("substring", 2)])
def test_the_reading_says_which_characters_are_shared(overlap, shared):
    # All four in any order, 甲乙丁 in order, 甲乙 in a run.
    assert one(wedding("甲乙丙丁"), wedding("丙甲乙丁"), f"{overlap}/best/keep")[0] == 2 * shared / 8


def test_the_best_form_of_a_gold_argument_counts_and_aliases_ask_for_nothing():
    gold = [event(MATCH, ("胜者", "红星足球俱乐部", "红星", "RSFC"))]
    assert one(gold, [event(MATCH, ("胜者", "rsfc"))]) == (1.0, 1, 1)
    assert one(gold, [event(MATCH, ("胜者", "红星"))]) == (1.0, 1, 1)


def test_an_alias_of_a_prediction_is_no_answer():
    assert one([event(MATCH, ("胜者", "红"))], [event(MATCH, ("胜者", "蓝", "红"))]) == (0.0, 1, 1)
    odd = {"event_type": MATCH, "arguments": [{"role": "胜者", "argument": "红", "alias": None}]}
    assert one([event(MATCH, ("胜者", "红"))], [odd]) == (1.0, 1, 1)


def test_the_grouping_into_events_does_not_matter():
    gold = [event(MATCH, ("胜者", "甲"), ("败者", "乙")), event(MATCH, ("胜者", "丙"), ("败者", "丁"))]
    crossed = [event(MATCH, ("胜者", "丙"), ("败者", "乙")), event(MATCH, ("败者", "丁")), event(MATCH, ("胜者", "甲"))]
    assert one(gold, crossed) == (4.0, 4, 4)


def test_literally_one_gold_argument_pays_for_several_predictions():
    gold, predicted = wedding("甲某"), wedding("甲某", "甲")
    assert one(gold, predicted, LITERAL) == (pytest.approx(1 + 2 / 3), 2, 1)
    assert one(gold, predicted, DEFAULT) == (1.0, 2, 1)
    result = score({"1": gold}, {"1": predicted})
    assert result["literal"]["recall"] == pytest.approx(5 / 3)
    assert result["recall"] == 1.0


def test_one_to_one_takes_the_assignment_with_the_largest_sum_not_the_greedy_one():
    # 丙甲乙 shares most with 甲乙 (4/5), but that is all that 甲 has (2/3): 丙 for 丙甲乙 (1/2) gives more in sum.
    assert one(wedding("甲乙", "丙"), wedding("丙甲乙", "甲"))[0] == pytest.approx(1 / 2 + 2 / 3)


def test_repeats_count_once_or_each_time_on_both_sides():
    gold = [event(MATCH, ("时间", "周六"), ("胜者", "Red")), event(MATCH, ("时间", "周六"), ("胜者", "蓝"))]
    predicted = [event(MATCH, ("胜者", "red"), ("胜者", "RED"), ("时间", "周六"))]
    assert one(gold, predicted, "multiset/one_to_one/keep") == (2.0, 3, 4)
    assert one(gold, predicted, "multiset/one_to_one/set") == (2.0, 2, 3)
    assert one(gold, predicted, "multiset/best/keep") == (3.0, 3, 4)


def test_a_repeated_gold_argument_keeps_the_aliases_of_all():
    gold = [event(MATCH, ("胜者", "红星", "RS")), event(MATCH, ("胜者", "红星", "星队"))]
    assert one(gold, [event(MATCH, ("胜者", "星队"))]) == (1.0, 1, 1)


def test_an_absent_id_counts_as_empty_and_nothing_at_all_scores_zero():
    assert score({"1": wedding("甲"), "2": []}, {})["recall"] == 0.0
    empty = score({"1": []}, {"1": []})
    assert [
        empty[name] for name in ("f1", "precision", "recall", "event_type_f1", "exact_argument_f1", "event_f1")
    ] == [0.0] * 6
    assert score({"1": [event(MATCH)]}, {"1": wedding("甲")})["precision"] == 0.0


def test_predictions_for_ids_without_gold_are_ignored_or_counted():
    gold, predicted = {"1": wedding("甲")}, {"1": wedding("甲"), "9": wedding("乙")}
    assert score(gold, predicted)["precision"] == 1.0
    counted = score(gold, predicted, unknown_ids="count")
    assert (counted["precision"], counted["recall"]) == (0.5, 1.0)
    assert (counted["event_type_f1"], counted["exact_argument_f1"], counted["event_f1"]) == (2 / 3, 2 / 3, 2 / 3)


def test_event_types_are_compared_as_sets_of_each_sentence():
    gold = {"1": [event(MATCH), event(MATCH), event(WEDDING)], "2": [event(MATCH)]}
    predicted = {"1": [event(MATCH)], "2": [event(MATCH), event(COLLAPSE)]}
    assert score(gold, predicted)["event_type_f1"] == 2 * 2 / (3 + 3)


def test_exact_arguments_give_no_credit_for_parts_case_or_aliases():
    gold = {"1": [event(MATCH, ("时间", "周六晚"), ("胜者", "RED", "红"), ("败者", "蓝"))]}
    predicted = {"1": [event(MATCH, ("时间", "周六"), ("胜者", "red"), ("败者", "蓝")), event(MATCH, ("胜者", "红"))]}
    assert score(gold, predicted)["exact_argument_f1"] == 2 * 1 / (3 + 4)


def test_a_whole_event_needs_its_type_and_all_its_arguments():
    gold = {"1": [event(MATCH, ("胜者", "甲"), ("败者", "乙")), event(MATCH, ("胜者", "丙")), event(WEDDING)]}
    merged = {"1": [event(MATCH, ("胜者", "甲"), ("败者", "乙"), ("胜者", "丙")), event(WEDDING)]}
    assert score(gold, merged)["event_f1"] == 2 * 1 / (3 + 2)
    order = {"1": [event(MATCH, ("败者", "乙"), ("胜者", "甲"))]}
    assert score(gold, order)["event_f1"] == 2 * 1 / (3 + 1)


@cache
def longest_subsequence(one: str, other: str) -> int:
    if not one or not other:
        return 0
    if one[0] == other[0]:
        return 1 + longest_subsequence(one[1:], other[1:])
    return max(longest_subsequence(one[1:], other), longest_subsequence(one, other[1:]))


@given(SHORT, SHORT)
def test_shared_characters_are_those_of_the_definitions(one, other):
    pieces = (one[start:end] for start in range(len(one)) for end in range(start, len(one) + 1))
    assert shared_substring(one, other) == max((len(piece) for piece in pieces if piece in other), default=0)
    assert shared_subsequence(one, other) == longest_subsequence(one, other)
    assert shared_multiset(one, other) == sum(min(one.count(each), other.count(each)) for each in set(one))


def test_arguments_of_thousands_of_characters_are_compared_at_once():
    one, other = "甲乙" * 5000, "乙甲" * 5000
    start = time.perf_counter()
    assert (shared_subsequence(one, other), shared_multiset(one, other)) == (9999, 10_000)
    assert time.perf_counter() - start < 1


@given(ARGUMENTS, ARGUMENTS, st.sampled_from(READINGS))
def test_one_to_one_equals_trying_all_assignments(gold, predicted, reading):
    overlap, matching, repeats = reading.split("/")

    def side(rows):
        lowered = [(role, text.lower()) for role, text in rows]
        return list(dict.fromkeys(lowered)) if repeats == "set" else lowered

    def credit(one, other):
        if one[0] != other[0]:
            return 0.0
        shared = scoring.OVERLAPS[overlap](one[1], other[1])
        return 2 * shared / (len(one[1]) + len(other[1])) if shared else 0.0

    golds, answers = side(gold), side(predicted)
    if matching == "best":
        expected = sum(max((credit(answer, each) for each in golds), default=0.0) for answer in answers)
    else:
        shorter, longer = sorted((golds, answers), key=len)
        expected = max(
            sum(credit(*pair) for pair in zip(shorter, chosen, strict=True))
            for chosen in itertools.permutations(longer, len(shorter))
        )
    assert one([event(MATCH, *gold)], [event(MATCH, *predicted)], reading) == (
        pytest.approx(expected),
        len(answers),
        len(golds),
    )


@given(ARGUMENTS, ARGUMENTS)
def test_the_default_reading_never_exceeds_one(gold, predicted):
    result = score({"1": [event(MATCH, *gold)]}, {"1": [event(MATCH, *predicted)]})
    assert all(0 <= result[name] <= 1 + 1e-12 for name in ("f1", "precision", "recall"))


def test_unknown_readings_are_our_own_fault():
    with pytest.raises(ValueError, match=r"reading is 'multiset/best'; valid ones: multiset/best/keep, "):
        score({}, {}, "multiset/best")
    with pytest.raises(ValueError, match=r"unknown_ids is 'drop'; valid ones: ignore, count"):
        score({}, {}, unknown_ids="drop")


@pytest.mark.parametrize("reading", READINGS)
def test_the_golden_vectors_are_reproduced(shared_data, reading):
    cases = json.loads((shared_data / "scorers" / "duee1.json").read_text(encoding="utf-8"))["cases"]
    assert len(cases) == 52
    for case in cases:
        gold, predicted = ({row["id"]: row["event_list"] for row in case[side]} for side in ("gold", "prediction"))
        for unknown_ids, words in (("ignore", "are_ignored"), ("count", "count")):
            if case.get("unspecified"):
                expected = case[f"expect_if_unknown_ids_{words}"]
            else:
                expected = case["expect_by_reading"][reading] if case["ambiguous"] else case["expect"]
            result = score(gold, predicted, reading, unknown_ids)
            found = {name: result[name] for name in expected}
            assert found == pytest.approx(expected, abs=1e-9), case["name"]
