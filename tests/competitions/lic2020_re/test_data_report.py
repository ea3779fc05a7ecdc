import json
from typing import Any

import pytest

from competitions.lic2020_re.data import Example, RawData, Triple, parse_triple, read
from competitions.lic2020_re.data_report import LISTED_BAD_LINES, render, report
from shared.json_lines import BadLine
from tests.competitions.lic2020_re.layout import (
    ACTORS,
    DIRECTOR,
    FILES_2020,
    ROLE,
    SCHEMA,
    SETTINGS,
    SKIP,
    TEXT,
    line,
    spo,
    write_layout,
)


def raw(train=(), valid=(), test=(), bad_lines=()) -> RawData:
    return RawData(list(train), list(valid), list(test), SCHEMA, list(bad_lines), [])


def example(text: str, *triples: dict[str, Any]) -> Example:
    return Example(text, tuple(parse_triple(triple, SCHEMA) for triple in triples))


def triples(*rows: Example) -> dict[str, Any]:
    """Returns the figures on the triples of these training lines."""
    return report(raw(train=rows))["triples"]["train"]


def test_lines_and_triples_are_counted_with_their_lengths():
    document = report(raw([example(TEXT, DIRECTOR, *ACTORS), example("没有")], [example(TEXT, DIRECTOR)]))
    assert document["splits"]["train"]["lines"] == 2
    assert document["splits"]["train"]["characters"]["max"] == len(TEXT)
    assert document["splits"]["train"]["characters"]["min"] == 2
    train = document["triples"]["train"]
    assert (train["count"], train["lines_without"]) == (3, 1)
    assert (train["a_line"]["max"], train["a_line"]["mean"]) == (3, 1.5)
    assert (train["characters"]["subject"]["max"], train["characters"]["object"]["max"]) == (4, 2)
    assert document["triples"]["valid"]["count"] == 1


def test_predicates_are_counted_by_split_and_unused_ones_named():
    document = report(raw([example(TEXT, DIRECTOR, *ACTORS)], [example(TEXT, DIRECTOR)]))
    assert document["predicates"] == {
        "导演": {"train": 1, "valid": 1},
        "主演": {"train": 2, "valid": 0},
        "饰演": {"train": 0, "valid": 0},
        "获奖": {"train": 0, "valid": 0},
    }
    assert document["never_used"] == ["饰演", "获奖"]


def test_slots_are_counted_for_predicates_that_have_several():
    rows = [example("文", ROLE, spo("苏禾", "饰演", "小满")), example("文", spo("江雪", "获奖", "奖", onDate="去年"))]
    slots = report(raw(rows))["slots"]
    assert list(slots) == ["饰演", "获奖"]
    assert slots["饰演"]["train"] == {"triples": 2, "value_only": 1, "@value": 2, "inWork": 1}
    assert slots["获奖"]["train"] == {"triples": 1, "value_only": 0, "@value": 1, "inWork": 0, "onDate": 1}
    assert slots["获奖"]["valid"]["triples"] == 0


def test_repeated_texts_and_triples_are_counted_without_their_first():
    document = report(raw([example("甲", DIRECTOR, DIRECTOR, DIRECTOR), example("甲", DIRECTOR), example("乙")]))
    assert document["splits"]["train"]["repeated_texts"] == 1
    assert document["triples"]["train"]["repeated"] == 2


def test_names_that_the_text_lacks_are_counted():
    found = triples(example(TEXT, DIRECTOR, ROLE, spo("北岸来信", "导演", "无此人")), example("小满", ROLE))
    assert found["not_in_text"] == {"subject": 1, "object": 3}


def test_names_with_several_places_are_counted_once_a_line():
    found = triples(example("江雪、江雪执导北岸来信", DIRECTOR, *ACTORS), example("北岸来信：北岸来信", DIRECTOR))
    assert found["several_places"]["subject"] == {"names": 1, "share": 0.5}
    assert found["several_places"]["object"] == {"names": 1, "share": 0.25}


def test_places_that_overlap_are_several():
    assert triples(example("哈哈哈", spo("哈哈", "导演", "哈哈哈")))["several_places"]["subject"]["names"] == 1


def test_triples_that_share_subject_and_predicate_are_counted():
    assert triples(example(TEXT, DIRECTOR, *ACTORS), example(TEXT, ACTORS[0], ACTORS[0]))["same_object_slot"] == 2


def test_pairs_with_several_predicates_are_counted():
    both = [spo("甲", "导演", "乙"), spo("甲", "主演", "乙"), spo("甲", "主演", "丙")]
    assert triples(example("甲乙丙", *both))["several_predicates"] == 1


def test_odd_names_are_counted():
    odd = [spo("甲", "导演", "甲"), spo(" 甲", "导演", "《乙》"), spo("甲", "饰演", "丙", inWork="》\t")]
    found = triples(example("文", *odd))
    assert (found["subject_is_object"], found["edge_blanks"], found["book_marks"]) == (1, 2, 2)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" 空", "edge_blanks"),
        ("换\n行", "line_breaks"),
        ("空\u3000格", "ideographic_blanks"),
        ("空\xa0格", "no_break_blanks"),
        ("控\x07", "control"),
        ("私\ue000", "private_use"),
        ("零\u200b宽", "zero_width"),
        ("笑😀", "emoji"),
        ("平常 text，1。", None),
    ],
)
def test_kinds_of_dirt_are_counted_once_a_text(text, kind):
    found = report(raw([example(f"{text}中{text}"), example("常")]))["splits"]["train"]["texts_with"]
    assert {name: number for name, number in found.items() if number} == ({kind: 1} if kind else {})


def test_overlap_counts_the_later_splits_lines_and_triples():
    train, valid = [example("甲", DIRECTOR), example("乙")], [example("甲", DIRECTOR, ROLE), example("丙")]
    assert report(raw(train, valid, [example("甲"), example("丁"), example("丙"), example("戊")]))["overlap"] == {
        "valid_in_train": {"lines": 1, "share": 0.5},
        "test_in_train": {"lines": 1, "share": 0.25},
        "test_in_valid": {"lines": 2, "share": 0.5},
        "valid_triples_in_train": {"triples": 1, "share": 0.5},
    }


def test_splits_without_lines_or_triples_have_zeros():
    document = report(raw([example("甲")]))
    assert document["triples"]["train"]["characters"]["subject"]["max"] == 0
    assert document["splits"]["test"]["characters"]["mean"] == 0
    assert "| test  | 0 " in render(document)


def test_bad_lines_are_all_counted_and_the_first_ones_listed():
    bad = [BadLine(f"duie_train.json:{number}", "a blank line") for number in range(LISTED_BAD_LINES + 3)]
    document = report(raw([example("甲")], bad_lines=bad))
    assert document["bad_lines"]["count"] == LISTED_BAD_LINES + 3
    assert len(document["bad_lines"]["first"]) == LISTED_BAD_LINES
    assert "and 3 more" in render(document)


def test_the_report_is_json_of_equal_text_for_equal_data_and_holds_no_text(tmp_path):
    secret = spo("秘密的人", "导演", "秘密的名")
    bad = [line("秘密的句", [{**secret, **change}]) for change in ({"object": "秘密"}, {"predicate": "导员"})]
    files = {"train": ["{秘密", line("秘密的人和秘密的名", [secret]), *bad], "test": [line("秘密的句", None)]}
    folder = write_layout(tmp_path / "raw", files)
    documents = [report(read(folder, SKIP)) for _ in range(2)]
    texts = [json.dumps(document, allow_nan=False, ensure_ascii=False) for document in documents]
    assert texts[0] == texts[1]
    assert documents[0]["bad_lines"]["count"] == 3
    assert "秘密" not in texts[0] + render(documents[0])


def test_the_rendered_report_has_all_splits_predicates_and_files_of_either_layout(tmp_path):
    document = report(read(write_layout(tmp_path / "raw", names=FILES_2020), SETTINGS))
    text = render(document)
    assert document["files"] == ["schema.json", "train_data.json", "dev_data.json", "test1_data.json"]
    assert "| train | 2     | 0        |" in text
    assert "| 主演      | 2     | 2     |" in text
    assert "- Predicates never used: 获奖" in text
    assert "- Triples of valid that are in train: 4 (100.0 %)" in text
    assert "0 left out." in text


def test_a_text_of_twenty_thousand_characters_is_no_trouble(tmp_path):
    long = "北岸来信，" * 4000
    document = report(read(write_layout(tmp_path / "raw", {"train": [line(long, [DIRECTOR])] * 20}), SETTINGS))
    assert document["splits"]["train"]["characters"]["max"] == 20_000
    assert document["triples"]["train"]["several_places"]["subject"]["names"] == 20


def test_the_known_dirt_of_the_development_data_is_found(shared_data):
    document = report(read(shared_data / "data" / "duie2", SETTINGS))
    found = document["triples"]
    assert (found["train"]["repeated"], found["valid"]["repeated"]) == (6, 1)  # counts of the data's own README
    value_only = {split: sum(by[split]["value_only"] for by in document["slots"].values()) for split in found}
    assert value_only == {"train": 244, "valid": 81}
    assert sum(one["subject_is_object"] for one in found.values()) == 5
    assert sum(one["not_in_text"][name] for one in found.values() for name in ("subject", "object")) == 0
    assert found["train"]["a_line"]["max"] == 19
    assert len(document["never_used"]) == 2


def test_triples_are_compared_with_all_their_slots():
    slots = (("@value", "小满"),)
    assert report(raw([example("文", ROLE)], [Example("文", (Triple("苏禾", "饰演", slots),))]))["overlap"][
        "valid_triples_in_train"
    ] == {"triples": 0, "share": 0.0}
