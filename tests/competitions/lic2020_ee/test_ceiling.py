from dataclasses import replace
from types import SimpleNamespace

import pytest

from competitions.lic2020_ee import data
from competitions.lic2020_ee.ceiling import ceiling, perfect_scores
from competitions.lic2020_ee.data import Example, official
from competitions.lic2020_ee.encoding import encode
from competitions.lic2020_ee.extraction import Extractor
from competitions.lic2020_ee.scoring import event_f1
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA
from tests.competitions.lic2020_ee.sentences import (
    EXAMPLES,
    GAME,
    SCHEMES,
    SPAN_SCHEMES,
    TWICE,
    TWO,
    example,
    raw,
    settings,
)

NOTHING_LOST = {"cut": 0, "boundary": 0, "overlap": 0, "dictionary": 0}
NESTED = example("甲桥南段垮塌", (COLLAPSE, ("坍塌主体", "甲桥南段"), ("死亡人数", "南")))


def of(*examples: Example, scheme: str = "pointer", **sections):
    """The ceiling on these sentences as valid rows."""
    sections["data"] = {"max_length": 64, "scheme": scheme} | sections.get("data", {})
    chosen, material = settings(**sections), raw([GAME, TWO], examples)
    result = ceiling(material, encode(material, chosen), chosen)
    assert set(result) == {"train", "valid"}
    return result["valid"]


def lost(*examples: Example, **options) -> dict[str, int]:
    return {reason: count for reason, count in of(*examples, **options)["lost"].items() if count}


@pytest.mark.parametrize("scheme", ["bio_per_type", "pointer", *SPAN_SCHEMES])
def test_nothing_is_lost_of_well_formed_sentences(scheme):
    assert of(*EXAMPLES, scheme=scheme) == {"f1": 1.0, "precision": 1.0, "recall": 1.0, "lost": NOTHING_LOST}


def test_what_reaches_behind_the_cut_is_lost():
    assert lost(GAME, data={"max_length": 9}) == {"cut": 1}  # [CLS] 周六红星队击败 [SEP]


def test_what_begins_or_ends_inside_a_token_is_lost():
    assert lost(example("在서울完赛", (MATCH, ("胜者", "서")))) == {"boundary": 1}  # an unknown word is one token


def test_what_begins_with_a_blank_is_lost():
    got = of(example("在 红队完赛", (MATCH, ("胜者", " 红队"))))
    assert got["lost"] == NOTHING_LOST | {"boundary": 1}
    assert got["f1"] == pytest.approx(2 * 2 / 5)  # two of three characters are still right


def test_each_scheme_loses_its_own_overlaps():
    assert {scheme: lost(TWO, NESTED, scheme=scheme) for scheme in (*SCHEMES, *SPAN_SCHEMES)} == {
        "bio": {"overlap": 2},
        "bio_per_type": {"overlap": 1},
        "pointer": {},
        "global_pointer": {},
        "gplinker": {},
    }


def test_the_original_rule_loses_the_roles_that_a_text_had_before():
    got = of(TWO, predict={"arguments": "original"})
    assert got["lost"] == NOTHING_LOST | {"dictionary": 1}
    assert (got["precision"], got["recall"]) == (1.0, pytest.approx(3 / 4))


def test_nested_spans_of_one_role_are_lost_by_marks_only():
    nested = example("甲桥南段垮塌", (COLLAPSE, ("坍塌主体", "甲桥南段"), ("坍塌主体", "桥南")))
    assert lost(nested, scheme="pointer") == {"overlap": 1}
    for scheme in SPAN_SCHEMES:
        assert lost(nested, scheme=scheme) == {}


def test_an_event_whose_trigger_is_cut_is_lost_only_if_it_must_have_one():
    cut = {"data": {"max_length": 10}}
    first = example("红星队击败蓝海队周六胜", (MATCH, ("胜者", "红星队"), ("败者", "蓝海队")))
    assert lost(first, scheme="gplinker", **cut) == {}
    assert lost(first, scheme="gplinker", predict={"require_trigger": True}, **cut) == {"dictionary": 2}


def test_only_gplinker_gets_two_events_of_one_type_right():
    for scheme, right in (("pointer", 0.0), ("global_pointer", 0.0), ("gplinker", 1.0)):
        chosen = settings(data={"max_length": 64, "scheme": scheme})
        prepared = encode(raw([TWICE], [TWICE]), chosen)
        split = prepared.splits["valid"]
        extractor = Extractor(split, chosen, prepared.labels)
        ((units, scores),) = perfect_scores(split, chosen, prepared.labels)
        ((_, found),) = extractor.arguments(scores, units)
        events = extractor.answer(found).events
        assert event_f1({"x": [official(one, SCHEMA) for one in TWICE.events]}, {"x": events}) == right


def test_what_is_found_at_another_mention_is_not_lost():
    time, winner = data.Argument("时间", "红队", 0, ()), data.Argument("胜者", "红队", 0, ())
    event = data.Event(MATCH, "胜", 5, (time, winner))
    once, twice = (replace(event, arguments=(time, winner, *more)) for more in ((), (replace(winner, start=2),)))
    assert lost(Example("x", "红队红队完胜", (once,)), scheme="bio_per_type") == {"overlap": 1}
    assert lost(Example("x", "红队红队完胜", (twice,)), scheme="bio_per_type") == {}


def test_equal_arguments_count_once():
    assert lost(Example("x", GAME.text, GAME.events * 2), data={"max_length": 9}) == {"cut": 1}


def test_sentences_without_arguments_lose_nothing():
    assert lost(example("天气很好")) == {}


@pytest.fixture(scope="module")
def official_lines(shared_data) -> data.RawData:
    """All labelled lines at hand as valid rows; nearly all are of the official development set."""
    found = data.read(shared_data / "data" / "duee1", SimpleNamespace(on_bad_line="error"))
    return replace(found, valid=[*found.train, *found.valid])


@pytest.mark.parametrize(
    ("scheme", "arguments", "least", "most"),
    [
        ("pointer", "complete", 0.999, 1.0),
        ("gplinker", "complete", 0.9995, 1.0),
        ("bio_per_type", "complete", 0.98, 0.99),
        ("bio", "original", 0.95, 0.97),
    ],
)
def test_the_ceiling_on_official_lines(official_lines, scheme, arguments, least, most):
    chosen = settings(data={"scheme": scheme, "max_length": 256}, predict={"arguments": arguments})
    got = ceiling(official_lines, encode(official_lines, chosen), chosen)["valid"]
    assert least <= got["f1"] <= most
    assert got["lost"]["boundary"] == 10  # the arguments with a leading blank: no token cuts one apart
    assert got["lost"]["cut"] == 0
