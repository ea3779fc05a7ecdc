import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee.data import Example, official, read, read_split
from shared.errors import UserError
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
    put,
    write_layout,
)


def train(tmp_path: Path, *rows: str, on_bad_line: str = "error") -> list[Example]:
    return read_split(put(tmp_path / "duee_train.json", rows), "train", SCHEMA, on_bad_line)[0]


def train_error(tmp_path: Path, bad: str) -> str:
    """Returns the message for a train file whose second line is `bad`."""
    with pytest.raises(UserError) as error:
        train(tmp_path, line("a1", [match()]), bad)
    return str(error.value)


def with_argument(value: str, start: Any, text: str = TEXT, **changes: Any) -> str:
    """Returns a line with one argument, whose start is as given."""
    found = argument(text, "胜者", value, argument_start_index=start, **changes)
    return line("a2", [event(text, MATCH, text[:2], found)], text=text)


def test_a_line_without_events_is_read(tmp_path):
    assert read(write_layout(tmp_path), SETTINGS).train[1] == Example("a2", "今天无事", ())


def test_class_and_alias_may_be_absent_and_aliases_are_kept(tmp_path):
    aliases = {"红星队": ["红星", "Red Star"], "蓝海队": None}
    arguments = [
        argument(TEXT, role, text, alias=aliases[text]) for role, text in (("胜者", "红星队"), ("败者", "蓝海队"))
    ]
    (found,) = train(tmp_path, line("a1", [match(arguments=arguments, **{"class": None})]))[0].events
    assert [one.aliases for one in found.arguments] == [("红星", "Red Star"), ()]


def test_an_argument_may_stand_at_a_later_place(tmp_path):
    text = "甲队对乙队，甲队获胜"
    row = event(text, MATCH, "获胜", argument(text, "胜者", "甲队", argument_start_index=6))
    assert train(tmp_path, line("a1", [row], text=text))[0].events[0].arguments[0].start == 6


def test_what_is_read_can_be_written_in_the_official_form(tmp_path):
    rows = [match(), event(TEXT, WEDDING, "周")]
    example = train(tmp_path, line("a1", rows))[0]
    assert [official(one, SCHEMA) for one in example.events] == rows


@pytest.mark.parametrize(
    "text",
    [
        "  前后有空格\u3000",
        "换行\n在\r\n中间",
        "控制\x00\x07\x7f字符",
        "\u200b零宽\ufeff",
        "分隔\u2028\u2029\x85符",
        "😀队胜🇨🇳队",
    ],
    ids=["blanks", "line_breaks", "control", "zero_width", "separators", "emoji"],
)
@pytest.mark.parametrize("ascii_escapes", [False, True])
def test_texts_are_never_altered_and_offsets_count_code_points(tmp_path, text, ascii_escapes):
    fields = {"text": text, "id": "a1", "event_list": [event(text, MATCH, text[1:3], argument(text, "胜者", text[2:]))]}
    example = train(tmp_path, json.dumps(fields, ensure_ascii=ascii_escapes))[0]
    assert example.text == text
    assert (example.events[0].trigger_start, example.events[0].arguments[0].text) == (text.find(text[1:3]), text[2:])


@given(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(lambda text: not text.isspace()), st.data()
)
def test_any_part_of_any_text_is_found_at_its_place_only(tmp_path_factory, text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : data.draw(st.integers(start + 1, len(text)))]
    if part.isspace():
        return
    other = data.draw(st.integers(-2, len(text) + 2))
    folder = tmp_path_factory.mktemp("raw")
    row = event(text, MATCH, part, argument(text, "胜者", part, argument_start_index=other))
    if other >= 0 and text[other : other + len(part)] == part:
        assert train(folder, line("a1", [row], text=text))[0].events[0].arguments[0].start == other
        return
    with pytest.raises(UserError) as error:
        train(folder, line("a1", [row], text=text))
    places = [place for place in range(len(text)) if text.startswith(part, place)]
    nearest = int(str(error.value).split(". Expected ")[1].split(",")[0])
    assert nearest in places
    assert abs(nearest - other) == min(abs(place - other) for place in places)


def test_byte_order_mark_crlf_and_no_last_line_end_are_accepted(tmp_path):
    content = b"\xef\xbb\xbf" + f"{line('a1', [])}\r\n{line('a2', [])}".encode()
    examples, _ = read_split(put(tmp_path / "train.json", content), "train", SCHEMA)
    assert [example.id for example in examples] == ["a1", "a2"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"text": "断', "not JSON: Unterminated string"),
        ('["text"]', "found a list. Expected a JSON object"),
        ("", "a blank line"),
        (line("a2", [], text=None), "no 'text'. Expected a text"),
        (line("a2", [], text=" \u3000\n"), "'text' is empty"),
        (line(None, []), "no 'id'. Expected a text"),
        (line(7, []), "'id' is a number"),
        (line("", []), "'id' is empty"),
        (line("a1", []), 'the id "a1" stands at duee_train.json:1 already. Ids must be unique'),
        ('{"text": "\\ud83d", "id": "a2", "event_list": []}', "half of a surrogate pair, \\ud83d, in 'text' or 'id'"),
        (line("a2"), "no 'event_list'. Expected a list"),
        ('{"text": "有", "id": "a2", "event_list": null}', "'event_list' is null. Expected a list"),
        (line("a2", ["x"]), "'event_list' holds a string. Expected objects"),
        (line("a2", [match(event_type=None)]), "event 1: no 'event_type'"),
        (
            line("a2", [match(), match(event_type="胜负")]),
            f'event 2: unknown event type "胜负". Did you mean {MATCH!r}?',
        ),
        (
            line("a2", [match(event_type="灾害/意外-垮塌")]),
            f"Did you mean {COLLAPSE!r}? Expected one of the 3 of the schema",
        ),
        (
            line("a2", [match(**{"class": "人生"})]),
            f'event 1: the class is "人生". Expected "竞赛行为", that of {MATCH}',
        ),
        (line("a2", [match(**{"class": 3})]), "event 1: the class is 3"),
        (line("a2", [match(trigger=None)]), "event 1: no 'trigger'"),
        (line("a2", [match(trigger="")]), "event 1: 'trigger' is empty"),
        (line("a2", [match(trigger="惜败")]), 'event 1: the trigger "惜败" is nowhere in the text'),
        (
            line("a2", [match(trigger_start_index=5)]),
            'event 1: \'trigger_start_index\' is 5, where the text has "队击", not "击败". '
            "Expected 6, the nearest place of the trigger",
        ),
        (line("a2", [match(trigger_start_index=None)]), "event 1: no 'trigger_start_index'. Expected the number of"),
        (line("a2", [match(arguments=None)]), "event 1: no 'arguments'. Expected a list"),
        (line("a2", [match(arguments=[[]])]), "event 1: 'arguments' holds a list. Expected objects"),
        (
            line("a2", [match(arguments=[argument(TEXT, "时间", "周六"), argument(TEXT, "胜方", "红星队")])]),
            f"event 1: argument 2: unknown role \"胜方\" of {MATCH}. Did you mean '胜者'? Its roles: 时间, 胜者, 败者",
        ),
        (
            with_argument("红星队", -1),
            "event 1: argument 1: 'argument_start_index' is -1. Expected 3, the nearest place",
        ),
        (
            with_argument("红星队", 99),
            '\'argument_start_index\' is 99, where the text has "", not "红星队". Expected 3',
        ),
        (with_argument("红星队", 10**30), "Expected 3, the nearest place of the argument"),
        (with_argument("红星队", "3"), "'argument_start_index' is \"3\". Expected a whole number"),
        (with_argument("红星队", True), "'argument_start_index' is true. Expected a whole number"),
        (with_argument("红星队", 3.0), "'argument_start_index' is 3.0. Expected a whole number"),
        (with_argument("白云队", 3), 'argument 1: the argument "白云队" is nowhere in the text'),
        (with_argument("甲", 4, text="甲乙丙丁戊甲"), "Expected 5, the nearest place"),
        (with_argument("甲", 2, text="甲乙丙丁戊甲"), "Expected 0, the nearest place"),
        (with_argument("红星队", 3, alias="红星"), "argument 1: 'alias' is a string. Expected a list of texts"),
        (with_argument("红星队", 3, alias=["红星", 1]), "argument 1: 'alias' holds a number. Expected a list of texts"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path, bad, message):
    error = train_error(tmp_path, bad or f"\n{line('a3', [])}")
    assert error.startswith(f"{tmp_path}/duee_train.json:2: ")
    assert message in error
    assert "data.on_bad_line" in error


def test_skip_lists_bad_lines_by_place_and_quotes_no_text(tmp_path):
    rows = [
        line("a1", [match()]),
        with_argument("红星队", 4),
        with_argument("白云队", 3),
        "{",
        line("a1", []),
        line("a9", []),
    ]
    folder = write_layout(tmp_path, {"duee_train.json": rows})
    raw = read(folder, SKIP)
    assert [example.id for example in raw.train] == ["a1", "a9"]
    assert [bad.where for bad in raw.bad_lines] == [f"{folder}/duee_train.json:{number}" for number in (2, 3, 4, 5)]
    assert raw.bad_lines[0] == BadLine(
        f"{folder}/duee_train.json:2",
        "event 1: argument 1: 'argument_start_index' is 4, where the argument does not stand. "
        "Expected 3, the nearest place of the argument",
    )
    assert not any("队" in bad.problem for bad in raw.bad_lines)


def test_skip_refuses_a_file_without_any_usable_line(tmp_path):
    with pytest.raises(UserError, match=r"duee_train.json:1: not JSON: .* No line of the file is usable"):
        train(tmp_path, "{", "[", on_bad_line="skip")


def test_unknown_arguments_are_our_own_fault(tmp_path):
    with pytest.raises(ValueError, match=r"dev"):
        read_split(tmp_path, "dev", SCHEMA)
    with pytest.raises(ValueError, match=r"ignore"):
        read_split(tmp_path, "train", SCHEMA, "ignore")


def test_long_texts_take_linear_time(tmp_path):
    text = "甲队胜乙队。" * 4000
    arguments = [argument(text, "胜者", "甲队") | {"argument_start_index": 6 * number} for number in range(0, 4000, 10)]
    row = line("a1", [event(text, MATCH, "胜", *arguments)], text=text)
    start = time.perf_counter()
    assert len(train(tmp_path, row)[0].events[0].arguments) == 400
    assert time.perf_counter() - start < 1
