import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from competitions.lic2020_re.baselines import TripleDictionary, baselines, train_dictionary
from competitions.lic2020_re.data import Example, official, read
from competitions.lic2020_re.schema import Schema
from competitions.lic2020_re.scoring import score
from shared.arrays import Ragged, Split
from tests.competitions.lic2020_re.layout import ACTORS, DIRECTOR, ROLE, SETTINGS, spo

Row = tuple[str, list[dict[str, Any]]]


def split(*rows: Row) -> Split:
    spo_lists = [json.dumps(triples, ensure_ascii=False) for _, triples in rows]
    return Split({"text": Ragged.of_texts([text for text, _ in rows]), "spo_list": Ragged.of_texts(spo_lists)})


def settings(rows: int = 1000, seed: int = 0) -> Any:
    return SimpleNamespace(train=SimpleNamespace(seed=seed), evaluate=SimpleNamespace(baseline_rows=rows))


def answer(train: list[Row], *texts: str, rows: int = 1000, seed: int = 0) -> dict[str, list[list[Any]]]:
    outputs = baselines(split(*train), split(*((text, []) for text in texts)), settings(rows, seed), {})
    return outputs["train_dictionary"]


def test_a_known_triple_is_answered_where_all_its_names_stand():
    train = [("江雪执导北岸来信", [DIRECTOR]), ("苏禾在白塔里饰演小满", [ROLE])]
    outputs = answer(train, "北岸来信由江雪执导", "北岸来信", "江雪", "小满、苏禾", "白塔的小满是苏禾")
    assert outputs["triples"] == [[DIRECTOR], [], [], [], [ROLE]]
    assert outputs["confidence"] == [[1.0], [], [], [], [1.0]]


def test_confidence_is_the_share_of_sentences_with_the_names_that_tell_the_triple():
    train = [
        ("江雪执导北岸来信", [DIRECTOR]),
        ("江雪看北岸来信", []),
        ("北岸来信，江雪", []),
        ("江雪", []),
        ("江雪", []),
    ]
    assert answer(train, "北岸来信，江雪")["confidence"] == [[pytest.approx(1 / 3)]]


def test_a_triple_that_is_hardly_ever_told_is_not_answered():
    train = [("江雪执导北岸来信", [DIRECTOR]), *[("江雪看北岸来信", [])] * 10]
    assert answer(train, "北岸来信，江雪") == {"triples": [[]], "confidence": [[]]}


def test_a_sentence_that_lacks_the_names_of_its_triple_teaches_nothing():
    assert answer([("没有名字", [DIRECTOR])], "北岸来信，江雪") == {"triples": [[]], "confidence": [[]]}


def test_repeats_within_a_sentence_count_once():
    outputs = answer([("江雪执导北岸来信", [DIRECTOR, DIRECTOR]), ("江雪看北岸来信", [])], "北岸来信，江雪")
    assert (outputs["triples"], outputs["confidence"]) == ([[DIRECTOR]], [[0.5]])


def test_triples_come_in_the_order_in_which_they_were_learnt():
    outputs = answer([("北岸来信由江雪执导，陆平、苏禾主演", [ACTORS[1], DIRECTOR, ACTORS[0]])], "苏禾陆平江雪北岸来信")
    assert outputs["triples"] == [[ACTORS[1], DIRECTOR, ACTORS[0]]]


def test_slots_tell_triples_apart():
    other = spo("苏禾", "饰演", "小满")
    outputs = answer([("苏禾饰演白塔的小满", [ROLE]), ("苏禾饰演小满", [other])], "白塔小满苏禾", "小满苏禾")
    assert outputs["triples"] == [[ROLE, other], [other]]


def test_names_of_one_character_are_known_too():
    triple = spo("甲", "导演", "乙")
    assert answer([("甲乙", [triple])], "丙丁乙甲", "甲")["triples"] == [[triple], []]


def test_training_rows_above_the_cap_are_drawn_with_the_seed():
    train = [(f"江雪执导第{number:03}部", [spo(f"第{number:03}部", "导演", "江雪")]) for number in range(100)]
    text = "江雪" + "".join(row[0] for row in train)
    first, again, other = (answer(train, text, rows=10, seed=seed)["triples"] for seed in (0, 0, 1))
    assert len(first[0]) == 10
    assert first == again != other


def test_without_any_triple_nothing_is_answered():
    assert answer([("甲", [])], "甲", "乙")["triples"] == [[], []]
    assert answer([("甲", [])])["triples"] == []


def test_the_development_data_gives_the_known_figures(shared_data):
    raw = read(shared_data / "data" / "duie2", SETTINGS)

    def forms(rows: list[Example], schema: Schema) -> list[list[dict[str, Any]]]:
        return [[official(triple, schema) for triple in row.triples] for row in rows]

    texts = [row.text for row in raw.valid]
    known = TripleDictionary.of([row.text for row in raw.train], forms(raw.train, raw.schema))
    outputs = train_dictionary(known, texts)
    gold = dict(zip(texts, forms(raw.valid, raw.schema), strict=True))
    result = score(gold, dict(zip(texts, outputs["triples"], strict=True)))
    assert result["f1"] == pytest.approx(0.1413, abs=5e-5)
    assert result["precision"] == pytest.approx(0.7122, abs=5e-5)
    assert [len(row) for row in outputs["confidence"]] == [len(row) for row in outputs["triples"]]
    assert np.concatenate(outputs["confidence"]).min() >= 0.1
