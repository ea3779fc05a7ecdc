import json
import time

import pytest

from competitions.lic2020_ee.data import Argument, Event, Example, RawData, read
from competitions.lic2020_ee.data_report import LISTED_BAD_LINES, render, report
from shared.json_lines import BadLine
from tests.competitions.lic2020_ee.layout import (
    COLLAPSE,
    MATCH,
    SCHEMA,
    SETTINGS,
    SKIP,
    TEXT,
    WEDDING,
    argument,
    event,
    line,
    match,
    write_layout,
)


def raw(train=(), valid=(), test=(), bad_lines=()) -> RawData:
    return RawData(list(train), list(valid), list(test), SCHEMA, list(bad_lines), [])


def example(text: str, *events: Event, row_id: str = "") -> Example:
    return Example(row_id or text, text, events)


def found(event_type: str, *arguments: tuple[str, str, int]) -> Event:
    """Returns an event of these (role, text, start)."""
    return Event(event_type, "胜", 0, tuple(Argument(*one, ()) for one in arguments))


def figures(*rows: Example) -> dict:
    return report(raw(train=rows))["splits"]["train"]


def test_counts_lines_events_and_arguments():
    rows = [
        example("甲队胜乙队", found(MATCH, ("胜者", "甲队", 0), ("败者", "乙队", 3)), found(WEDDING)),
        example("甲与乙", found(WEDDING, ("结婚双方", "甲", 0))),
        example("无事发生"),
    ]
    got = figures(*rows)
    assert (got["lines"], got["events"], got["arguments"]) == (3, 3, 3)
    assert (got["lines_without_events"], got["events_without_arguments"], got["lines_with_several_events"]) == (1, 1, 1)
    assert got["characters"] == {"min": 3, "mean": 4.0, "p50": 4, "p90": 5, "p95": 5, "p99": 5, "max": 5}
    assert got["events_per_line"]["mean"] == 1.0
    assert (got["arguments_per_line"]["min"], got["arguments_per_line"]["max"]) == (0, 2)
    assert (got["argument_characters"]["min"], got["trigger_characters"]["max"]) == (1, 1)
    assert got["arguments_of_one_character"] == 1


def test_several_events_of_one_type_differ_from_several_events():
    different = example("甲", found(MATCH), found(WEDDING))
    equal = example("乙", found(MATCH), found(WEDDING), found(MATCH))
    got = figures(different, equal)
    assert (got["lines_with_several_events"], got["lines_with_several_events_of_one_type"]) == (2, 1)


def test_several_arguments_of_one_role_are_different_ones_within_a_type():
    text = "甲队胜乙队"
    two = example(text, found(MATCH, ("胜者", "甲队", 0)), found(MATCH, ("胜者", "乙队", 3)))
    other_type = example(text, found(MATCH, ("时间", "甲队", 0)), found(WEDDING, ("时间", "乙队", 3)))
    repeated = example(text, found(MATCH, ("胜者", "甲队", 0)), found(MATCH, ("胜者", "甲队", 0)))
    got = figures(two, other_type, repeated)
    assert got["lines_with_several_arguments_of_one_role"] == 1
    assert got["repeated_arguments"] == 1


@pytest.mark.parametrize(
    ("spans", "overlapping", "nested"),
    [
        ([(0, 2), (2, 4)], 0, 0),
        ([(0, 2), (0, 2)], 0, 0),
        ([(0, 3), (2, 4)], 1, 0),
        ([(0, 4), (1, 2)], 1, 1),
        ([(0, 2), (0, 4)], 1, 1),
        ([(2, 4), (0, 4)], 1, 1),
        ([(0, 1), (3, 4), (1, 3)], 0, 0),
    ],
)
def test_overlapping_and_nested_arguments_are_told_apart(spans, overlapping, nested):
    text = "甲乙丙丁"
    arguments = [("胜者", text[start:end], start) for start, end in spans]
    got = figures(example(text, found(MATCH, *arguments)))
    assert got["lines_with_overlapping_arguments"] == overlapping
    assert got["lines_with_nested_arguments"] == nested


def test_a_span_in_two_roles_may_be_so_within_a_type_or_across_types():
    within = example("甲队", found(MATCH, ("胜者", "甲队", 0), ("败者", "甲队", 0)))
    across = example("乙队", found(MATCH, ("时间", "乙队", 0)), found(WEDDING, ("时间", "乙队", 0)))
    once = example("丙队", found(MATCH, ("胜者", "丙队", 0)), found(MATCH, ("胜者", "丙队", 0)))
    assert figures(within, across, once)["lines_with_a_span_in_two_roles"] == 2


def test_mentions_are_counted_by_their_place():
    text = "甲队对乙队，甲队胜"
    got = figures(example(text, found(MATCH, ("胜者", "甲队", 6), ("败者", "乙队", 3))), example("甲队", found(MATCH)))
    assert (got["arguments_with_several_mentions"], got["arguments_at_a_later_mention"]) == (1, 1)


def test_aliases_and_edge_blanks_of_arguments_are_counted():
    arguments = (Argument("胜者", " 甲", 0, ("甲队",)), Argument("败者", "乙", 2, ()))
    got = figures(example(" 甲乙", Event(MATCH, "甲", 1, arguments)))
    assert (got["arguments_with_aliases"], got["arguments_with_edge_blanks"]) == (1, 1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (" 空", "edge_blanks"),
        ("空\n行", "line_breaks"),
        ("空\x07", "control"),
        ("空\u200b", "zero_width"),
        ("😀", "emoji"),
    ],
)
def test_dirt_is_counted_by_kind(text, kind):
    found = report(raw(test=[example(text), example("净")]))["splits"]["test"]["texts_with"]
    assert {name for name, number in found.items() if number} == {kind}
    assert found[kind] == 1


def test_test_lines_have_figures_of_their_texts_only():
    assert set(report(raw(test=[example("甲")]))["splits"]["test"]) == {
        "lines",
        "characters",
        "repeated_texts",
        "texts_with",
    }


def test_types_and_roles_that_no_line_uses_are_listed():
    document = report(
        raw(train=[example("甲队", found(MATCH, ("胜者", "甲队", 0)))], valid=[example("乙", found(WEDDING))])
    )
    assert document["event_types"][MATCH] == {"train": 1, "valid": 0}
    assert document["event_types"][WEDDING] == {"train": 0, "valid": 1}
    assert document["unused_event_types"] == [COLLAPSE]
    assert [MATCH, "败者"] in document["unused_roles"]
    assert [MATCH, "胜者"] not in document["unused_roles"]
    assert "1 event types: 灾害/意外-坍/垮塌" in render(document)


def test_overlap_counts_the_later_splits_lines_by_text_and_by_id():
    train = [example("甲", row_id="1"), example("乙", row_id="2")]
    valid = [example("甲", row_id="3"), example("甲", row_id="4"), example("丙", row_id="1"), example("丁", row_id="5")]
    overlap = report(raw(train, valid, [example("丙", row_id="6")]))["overlap"]
    assert overlap == {
        "valid_in_train": {"lines": 2, "share": 0.5, "ids": 1},
        "test_in_train": {"lines": 0, "share": 0.0, "ids": 0},
        "test_in_valid": {"lines": 1, "share": 1.0, "ids": 0},
    }


def test_only_the_first_bad_lines_are_listed():
    bad = [BadLine(f"duee_train.json:{number}", "not JSON") for number in range(LISTED_BAD_LINES + 5)]
    document = report(raw(bad_lines=bad))
    assert document["bad_lines"]["count"] == LISTED_BAD_LINES + 5
    assert len(document["bad_lines"]["first"]) == LISTED_BAD_LINES
    assert "- and 5 more" in render(document)


def test_nothing_at_all_still_gives_a_report():
    assert "| train | characters of a text" in render(report(raw()))


def test_the_report_is_json_and_holds_no_text(tmp_path):
    misplaced = event(TEXT, MATCH, "击败", argument(TEXT, "胜者", "红星队", argument_start_index=5))
    rows = [line("a1", [match()]), line("a2", [misplaced]), line("a3", [match(trigger="险胜")])]
    data = read(write_layout(tmp_path, {"duee_train.json": rows}), SKIP)
    document = report(data)
    assert len(data.bad_lines) == 2
    for content in (json.dumps(document, ensure_ascii=False), render(document)):
        assert not any(word in content for word in ("红星", "蓝海", "击败", "周六", "险胜", "无事"))
        assert "duee_train.json:2" in content


def test_equal_data_gives_an_equal_report(tmp_path):
    folder = write_layout(tmp_path)
    one, other = (render(report(read(folder, SETTINGS))) for _ in range(2))
    assert one == other


def test_long_texts_with_many_arguments_take_linear_time():
    text = "甲乙丙丁" * 5000
    arguments = [("胜者", text[start : start + 2], start) for start in range(0, 20000, 40)]
    start = time.perf_counter()
    figures(example(text, found(MATCH, *arguments)))
    assert time.perf_counter() - start < 1


def test_the_development_data_gives_the_known_figures(shared_data):
    splits = report(read(shared_data / "data" / "duee1", SETTINGS))["splits"]

    def both(name: str) -> int:
        return splits["train"][name] + splits["valid"][name]

    assert both("events_without_arguments") == 40
    assert both("lines_with_several_events_of_one_type") == 58
    assert both("lines_with_several_arguments_of_one_role") == 107
    assert both("lines_with_overlapping_arguments") == 54
    assert both("lines_with_a_span_in_two_roles") == 72
    assert both("arguments_at_a_later_mention") == 131
    assert both("repeated_arguments") == 130
    assert splits["train"]["texts_with"]["line_breaks"] + splits["valid"]["texts_with"]["line_breaks"] == 12
