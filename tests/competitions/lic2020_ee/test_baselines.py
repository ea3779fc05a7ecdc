import json
import time
from types import SimpleNamespace
from typing import Any

import pytest

from competitions.lic2020_ee.baselines import TIME, EventDictionary, baselines, train_dictionary
from competitions.lic2020_ee.data import Example, official, read
from competitions.lic2020_ee.scoring import score
from shared.arrays import Ragged, Split
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SETTINGS, WEDDING, argument, event

Row = tuple[str, list[dict[str, Any]]]


def row(text: str, event_type: str, trigger: str, **arguments: str) -> Row:
    return text, [event(text, event_type, trigger, *(argument(text, *one) for one in arguments.items()))]


def split(*rows: Row) -> Split:
    return Split(
        {
            "text": Ragged.of_texts([text for text, _ in rows]),
            "event_list": Ragged.of_texts([json.dumps(events, ensure_ascii=False) for _, events in rows]),
        }
    )


def settings(rows: int = 1000, seed: int = 0) -> Any:
    return SimpleNamespace(train=SimpleNamespace(seed=seed), evaluate=SimpleNamespace(baseline_rows=rows))


def answers(train: list[Row], text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Returns the event types answered for one text, each with its (role, argument)."""
    outputs = baselines(split(*train), split((text, [])), settings(), {})["train_dictionary"]
    return [
        (found["event_type"], [(one["role"], one["argument"]) for one in found["arguments"]])
        for found in outputs["events"][0]
    ]


def test_a_trigger_decides_the_type_and_known_arguments_fill_its_roles():
    train = [row("红星队击败蓝海队", MATCH, "击败", 胜者="红星队", 败者="蓝海队")]
    assert answers(train, "白云队击败蓝海队") == [(MATCH, [("败者", "蓝海队")])]
    assert answers(train, "红星队与蓝海队今日训练") == []


def test_an_event_of_which_nothing_is_known_has_no_arguments():
    assert answers([row("甲桥垮塌", COLLAPSE, "垮塌")], "乙楼垮塌") == [(COLLAPSE, [])]


def test_a_trigger_that_mostly_means_nothing_is_not_believed():
    train = [row("甲胜乙", MATCH, "胜"), ("名胜古迹", []), ("不胜感激", [])]
    assert answers(train, "丙胜丁") == []
    assert answers([*train, row("戊胜己", MATCH, "胜")], "丙胜丁") == [(MATCH, [])]


def test_the_best_of_several_triggers_counts_and_each_type_is_answered_once():
    train = [row("甲队战胜乙队", MATCH, "战胜"), row("丙胜", MATCH, "胜"), row("甲乙大婚", WEDDING, "大婚")]
    outputs = baselines(split(*train, ("名胜", []), ("胜景", [])), split(("甲战胜乙，丙丁大婚", [])), settings(), {})
    assert [one["event_type"] for one in outputs["train_dictionary"]["events"][0]] == [WEDDING, MATCH]


def test_an_argument_that_mostly_fills_another_role_is_not_believed():
    train = [row(f"{name}战胜红星队", MATCH, "战胜", 胜者=name, 败者="红星队") for name in ("甲队", "乙队")]
    train.append(row("红星队战胜丙队", MATCH, "战胜", 胜者="红星队", 败者="丙队"))
    assert answers(train, "红星队战胜某队") == [(MATCH, [("败者", "红星队")])]


def test_an_argument_within_a_longer_one_of_its_role_is_left_out():
    train = [row(f"{name}战胜某队", MATCH, "战胜", 胜者=name) for name in ("红星", "红星二队")]
    assert answers([*train, row("红星战胜谁", MATCH, "战胜", 胜者="红星")], "红星二队战胜谁") == [
        (MATCH, [("胜者", "红星二队")])
    ]


def test_the_first_date_is_the_time_of_a_type_that_has_one_unless_a_known_time_stands_there():
    train = [row("昨晚甲战胜乙", MATCH, "战胜", 时间="昨晚"), row("甲乙大婚", WEDDING, "大婚"), ("10月", [])]
    assert answers(train, "3月5日晚丙战胜丁，3月6日回国") == [(MATCH, [("时间", "3月5日晚")])]
    assert answers(train, "3月5日丙战胜丁，昨晚回国") == [(MATCH, [("时间", "昨晚")])]
    assert answers(train, "3月5日丙丁大婚") == [(WEDDING, [])]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("当地时间2019年3月5日上午10点30分，", "当地时间2019年3月5日上午10点30分"),
        ("今天（3月5日）下午", "今天（3月5日）下午"),
        ("周六晚8点半许", "周六晚8点半许"),
        ("8月底", "8月底"),
        ("昨日10:30开赛", "昨日10:30"),
        ("共有3人，5月", "5月"),
    ],
)
def test_dates_are_found_as_a_whole(text, found):
    assert TIME.search(text)[0] == found


def test_confidences_stand_beside_the_arguments():
    train = [
        row("红星队战胜甲", MATCH, "战胜", 胜者="红星队"),
        row("红星队战胜乙", MATCH, "战胜", 胜者="红星队"),
        row("红星队战胜丙", MATCH, "战胜"),
        ("战胜自己", []),
    ]
    outputs = baselines(split(*train), split(("红星队战胜丁", []), ("无事", [])), settings(), {})["train_dictionary"]
    assert outputs["events"] == [[{"event_type": MATCH, "arguments": [{"role": "胜者", "argument": "红星队"}]}], []]
    assert outputs["confidence"] == [[[pytest.approx(3 / 4 * 2 / 3)]], []]


def test_the_cap_draws_rows_by_the_seed():
    train = split(*(row(f"甲{number}赢了乙", MATCH, f"{number}赢") for number in range(9)))
    valid = split(("".join(f"{number}赢，" for number in range(9)), []), *((f"{number}赢", []) for number in range(9)))

    def found(seed: int) -> list[bool]:
        outputs = baselines(train, valid, settings(rows=4, seed=seed), {})["train_dictionary"]
        return [bool(events) for events in outputs["events"][1:]]

    assert sum(found(0)) == 4
    assert found(0) == found(0) != found(1)


def test_no_event_in_training_gives_no_answer():
    assert answers([("无事", [])], "甲战胜乙") == []


def test_long_texts_take_linear_time():
    names = [f"队{number}" for number in range(3000)]
    train = [row(f"{name}战胜某", MATCH, "战胜", 胜者=name) for name in names]
    known = EventDictionary([text for text, _ in train], [events for _, events in train])
    start = time.perf_counter()
    events = train_dictionary(known, ["战胜" + "1队2" * 6666 + "队2999"])["events"][0]
    assert {"role": "胜者", "argument": "队2999"} in events[0]["arguments"]
    assert time.perf_counter() - start < 1


def test_the_development_data_gives_the_known_figures(shared_data):
    raw = read(shared_data / "data" / "duee1", SETTINGS)

    def rows(examples: list[Example]) -> list[Row]:
        return [(one.text, [official(each, raw.schema) for each in one.events]) for one in examples]

    outputs = baselines(split(*rows(raw.train)), split(*rows(raw.valid)), settings(50_000), {})["train_dictionary"]
    ids = [example.id for example in raw.valid]
    result = score(
        dict(zip(ids, (events for _, events in rows(raw.valid)), strict=True)),
        dict(zip(ids, outputs["events"], strict=True)),
    )
    assert (result["f1"], result["event_type_f1"]) == (pytest.approx(0.285, abs=0.01), pytest.approx(0.842, abs=0.01))
