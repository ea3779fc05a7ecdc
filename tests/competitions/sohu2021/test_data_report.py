import json

import pytest

from competitions.sohu2021.data import Example, RawData, read
from competitions.sohu2021.data_report import LISTED_BAD_LINES, render, report
from shared.json_lines import BadLine
from tests.competitions.sohu2021.layout import SETTINGS, SKIP, SS_A, line, write_layout


def raw(train=(), valid=(), test=(), bad_lines=()) -> RawData:
    return RawData(list(train), list(valid), list(test), list(bad_lines), [])


def example(number: int, source: str, target: str, label: int | None, kind: str = "a") -> Example:
    return Example(f"ss{number}_{kind}", int(kind == "b"), source, target, label)


def test_counts_labels_and_lengths_of_each_variant():
    rows = [example(number, "一" * (number + 1), "二", int(number == 0)) for number in range(10)]
    figures = report(raw(train=rows))["splits"]["train"]["ss_a"]
    assert (figures["lines"], figures["labelled"], figures["positives"], figures["positive_share"]) == (10, 10, 1, 0.1)
    assert figures["characters"]["source"] == {
        "min": 1,
        "mean": 5.5,
        "p50": 5,
        "p90": 9,
        "p95": 10,
        "p99": 10,
        "max": 10,
    }
    assert figures["characters"]["pair"]["max"] == 11


def test_repeats_are_counted_in_both_orders():
    rows = [example(n, *pair, 0) for n, pair in enumerate(["ab", "ab", "ba", "cd", "ab", "ee"])]
    figures = report(raw(train=rows))["splits"]["train"]["ss_a"]
    assert (figures["repeated_pairs"], figures["swapped_pairs"]) == (2, 1)
    assert figures["source_equals_target"] == {"lines": 1, "by_label": {"0": 1}}


def test_a_pair_with_both_labels_is_listed_by_place_and_class():
    train = [example(0, "甲", "乙", 0), example(1, "甲", "乙", 0), example(2, "甲", "乙", 1, "b")]
    conflicts = report(raw(train, [example(5, "甲", "乙", 1)]))["conflicts"]
    assert conflicts == {"a": {"pairs": 1, "first": [["train ss0_a", "valid ss5_a"]]}, "b": {"pairs": 0, "first": []}}


def test_only_the_first_conflicts_are_listed():
    rows = [example(2 * n + label, str(n), "乙", label) for n in range(7) for label in (0, 1)]
    conflicts = report(raw(rows))["conflicts"]["a"]
    assert conflicts["pairs"] == 7
    assert len(conflicts["first"]) == 5


def test_pairs_of_both_classes_are_compared_by_label():
    pairs = [("甲", 1, 1), ("乙", 1, 0), ("丙", 0, 1), ("丁", 0, None)]
    rows = [example(n, text, "一", a) for n, (text, a, _) in enumerate(pairs)]
    rows += [example(n, text, "一", b, "b") for n, (text, _, b) in enumerate(pairs) if b is not None]
    shared = report(raw(rows))["shared_a_b"]
    assert shared["pairs"] == 3
    assert shared["labels"] == {"a=0 b=0": 0, "a=0 b=1": 1, "a=1 b=0": 1, "a=1 b=1": 1}
    assert shared["violations"] == {"pairs": 1, "first": [["train ss2_a", "train ss2_b"]]}


def test_overlap_counts_the_later_splits_lines_within_a_class():
    train = [example(0, "甲", "乙", 0), example(0, "丙", "丁", 0, "b")]
    valid = [example(0, "甲", "乙", 0), example(1, "甲", "乙", 0), example(2, "丙", "丁", 0), example(3, "乙", "甲", 0)]
    overlap = report(raw(train, valid, [example(0, "丙", "丁", None)]))["overlap"]["a"]
    assert overlap == {
        "valid_in_train": {"lines": 2, "share": 0.5},
        "test_in_train": {"lines": 0, "share": 0.0},
        "test_in_valid": {"lines": 1, "share": 1.0},
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" 空", "edge_blanks"),
        ("空\u3000", "edge_blanks"),
        ("控\x07", "control"),
        ("控\x85制", "control"),
        ("私\ue000", "private_use"),
        ("私\U00100000", "private_use"),
        ("零\u200b宽", "zero_width"),
        ("零\ufeff宽", "zero_width"),
        ("笑😀", "emoji"),
        ("旗🇨🇳", "emoji"),
        ("平常 text，1。\t\n%", None),
    ],
)
def test_kinds_of_characters_are_counted_once_a_text(monkeypatch, text, kind):
    monkeypatch.setattr("shared.text.statistics.CHARACTERS_AT_ONCE", 4)  # several batches
    rows = [example(0, text + "尾" + text, "常", 0), example(1, "常", text, 0), example(2, "常", "常", 0)]
    found = report(raw(rows))["splits"]["train"]["ss_a"]["texts_with"]
    assert {name: number for name, number in found.items() if number} == ({kind: 2} if kind else {})


def test_bad_lines_are_all_counted_and_the_first_ones_listed():
    bad = [BadLine(f"train.txt:{number}", "a blank line") for number in range(LISTED_BAD_LINES + 3)]
    document = report(raw([example(0, "甲", "乙", 0)], bad_lines=bad))
    assert document["bad_lines"]["count"] == LISTED_BAD_LINES + 3
    assert len(document["bad_lines"]["first"]) == LISTED_BAD_LINES
    assert "and 3 more" in render(document)


def test_the_report_is_json_of_equal_text_for_equal_data(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): ["{", line(SS_A, 1, source="秘密的文字")]})
    documents = [json.dumps(report(read(folder, SKIP)), allow_nan=False, ensure_ascii=False) for _ in range(2)]
    assert documents[0] == documents[1]
    assert "秘密" not in documents[0]


def test_rendered_tables_have_one_row_per_split_and_variant(tmp_path):
    text = render(report(read(write_layout(tmp_path / "raw"), SETTINGS)))
    assert sum(row.startswith("| test  | ") for row in text.splitlines()) == 12  # two tables of six variants
    assert "| train | ss_a    | 2     | 50.0 %" in text
    assert "0 left out." in text


def test_the_known_dirt_of_the_development_data_is_found(shared_data):
    document = report(read(shared_data / "data" / "sohu2021", SETTINGS))
    dirt: dict[str, int] = {}
    for variants in document["splits"].values():
        for figures in variants.values():
            for kind, number in figures["texts_with"].items():
                dirt[kind] = dirt.get(kind, 0) + number
    assert (dirt["control"], dirt["private_use"], dirt["zero_width"]) == (3, 2, 8)  # counts of the data's own README
    assert [document["conflicts"][kind]["pairs"] for kind in "ab"] == [0, 1]
    assert document["shared_a_b"]["violations"]["pairs"] == 0
