import numpy as np
import pytest

from competitions.lic2020_ee.data import Argument, Event, Example
from competitions.lic2020_ee.extraction import Extractor, Mention
from competitions.lic2020_ee.feed import feed
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA, WEDDING
from tests.competitions.lic2020_ee.sentences import EXAMPLES, GAME, NUMBER, TWO, labels, settings, split_of

TYPES = list(SCHEMA.event_types)


def extractor(*examples, scheme="pointer", **predict) -> Extractor:
    return Extractor(split_of(*examples), settings(predict=predict), labels(scheme))


def answer(*found, **predict):
    """The answer to what was found: (event type, role, text, confidence)."""
    listed = [Mention(NUMBER[type_, role], text, sure, TYPES.index(type_)) for type_, role, text, sure in found]
    return extractor(GAME, **predict).answer(listed)


def pairs(one) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(event["event_type"], [(a["role"], a["argument"]) for a in event["arguments"]]) for event in one.events]


def test_arguments_are_grouped_by_event_type_in_the_order_of_the_schema():
    got = answer((WEDDING, "时间", "昨天", 0.9), (MATCH, "胜者", "甲", 0.8), (WEDDING, "结婚双方", "小林", 0.7))
    assert pairs(got) == [(MATCH, [("胜者", "甲")]), (WEDDING, [("时间", "昨天"), ("结婚双方", "小林")])]
    assert got.confidence == [[0.8], [0.9, 0.7]]


def test_an_argument_found_twice_counts_once_with_the_higher_confidence():
    got = answer((MATCH, "胜者", "甲", 0.6), (MATCH, "胜者", "乙", 0.5), (MATCH, "胜者", "甲", 0.9))
    assert pairs(got) == [(MATCH, [("胜者", "甲"), ("胜者", "乙")])]
    assert got.confidence == [[0.9, 0.5]]


def test_complete_keeps_every_role_of_a_text():
    found = (MATCH, "胜者", "甲", 0.6), (COLLAPSE, "坍塌主体", "甲", 0.5), (MATCH, "败者", "乙", 0.4)
    assert pairs(answer(*found)) == [(MATCH, [("胜者", "甲"), ("败者", "乙")]), (COLLAPSE, [("坍塌主体", "甲")])]


def test_original_keeps_the_last_role_of_a_text():
    found = (MATCH, "胜者", "甲", 0.6), (COLLAPSE, "坍塌主体", "甲", 0.5), (MATCH, "败者", "乙", 0.4)
    got = answer(*found, arguments="original")
    assert pairs(got) == [(MATCH, [("败者", "乙")]), (COLLAPSE, [("坍塌主体", "甲")])]
    assert got.confidence == [[0.4], [0.5]]


def test_nothing_found_is_no_event():
    assert answer().events == answer().confidence == []


@pytest.mark.parametrize("scheme", ["bio_per_type", "pointer"])
def test_the_labels_of_a_sentence_give_its_arguments(scheme):
    one = extractor(*EXAMPLES, scheme=scheme)
    rows = np.array([1, 0])
    _, targets = feed(split_of(*EXAMPLES), settings(), labels(scheme)).batch(rows, 16, np.random.default_rng(0))
    scores = {name: targets[name].astype("float32") for name in targets if name != "token_mask"}
    if scheme == "bio_per_type":
        scores = {"logits": 20.0 * (targets["labels"][..., None] == np.arange(7))}
    (first, of_two), (second, of_game) = one.arguments(scores, rows)
    assert (first, second) == (1, 0)
    assert pairs(one.answer(of_game)) == [(MATCH, [("时间", "周六"), ("胜者", "红星队"), ("败者", "蓝海队")])]
    assert pairs(one.answer(of_two)) == [
        (COLLAPSE, [("时间", "昨天"), ("坍塌主体", "甲桥")]),
        (WEDDING, [("时间", "昨天"), ("结婚双方", "小林")]),
    ]


def test_arguments_are_slices_of_the_original_text():
    """Blanks inside, capitals, characters that the vocabulary lacks or that lower-casing changes."""
    text = "　今天İＡ b👍\n胜"
    value = "İＡ b👍"
    event = Event(MATCH, "胜", text.index("胜"), (Argument("胜者", value, text.index(value), ()),))
    one = extractor(Example("x", text, (event,)))
    split = split_of(Example("x", text, (event,)))
    start, end, role, _ = split.ragged("spans")[0].tolist()
    starts, ends = np.zeros((2, 1, split.ragged("token_ids").lengths[0], len(NUMBER)), "float32")
    starts[0, start, role] = ends[0, end - 1, role] = 1.0
    ((_, found),) = one.arguments({"starts": starts, "ends": ends}, np.array([0]))
    assert found == [(NUMBER[MATCH, "胜者"], value, 1.0, 0)]


def test_arguments_come_in_the_order_of_the_text():
    one = extractor(TWO)
    starts, ends = np.zeros((2, 1, len(TWO.text) + 2, len(NUMBER)), "float32")
    for role, start in ((7, 1), (0, 5), (4, 3)):
        starts[0, start, role] = ends[0, start, role] = 0.5
    ((_, found),) = one.arguments({"starts": starts, "ends": ends}, np.array([0]))
    assert [one.text for one in found] == ["昨", "甲", "垮"]


def linked(*found, **predict):
    """The answer of gplinker to what was found: (event, event type, role or None for the trigger, text)."""
    listed = [
        Mention(NUMBER[type_, role] if role else len(NUMBER) + TYPES.index(type_), text, 0.9, event)
        for event, type_, role, text in found
    ]
    return extractor(GAME, scheme="gplinker", **predict).answer(listed)


def test_events_of_one_type_stay_apart_and_triggers_are_no_arguments():
    found = (0, MATCH, "胜者", "甲"), (0, MATCH, None, "胜"), (0, MATCH, "时间", "昨"), (1, MATCH, "时间", "昨")
    got = linked(*found, (1, MATCH, "胜者", "乙"))
    assert pairs(got) == [(MATCH, [("胜者", "甲"), ("时间", "昨")]), (MATCH, [("时间", "昨"), ("胜者", "乙")])]
    assert got.confidence == [[0.9, 0.9], [0.9, 0.9]]


def test_an_event_that_says_nothing_new_is_left_out():
    found = (0, MATCH, "胜者", "甲"), (1, MATCH, "胜者", "甲"), (1, MATCH, "时间", "昨"), (2, MATCH, None, "胜")
    assert pairs(linked(*found)) == [(MATCH, [("胜者", "甲"), ("时间", "昨")])]
    assert pairs(linked(*found[:2])) == [(MATCH, [("胜者", "甲")])]


def test_a_trigger_alone_is_an_event_without_arguments():
    got = linked((0, MATCH, None, "胜"))
    assert pairs(got) == [(MATCH, [])]
    assert got.confidence == [[]]


def test_events_without_a_trigger_can_be_left_out():
    found = (0, MATCH, "胜者", "甲"), (1, MATCH, "胜者", "乙"), (1, MATCH, None, "胜")
    assert pairs(linked(*found, require_trigger=True)) == [(MATCH, [("胜者", "乙")])]
    assert len(pairs(linked(*found))) == 2
