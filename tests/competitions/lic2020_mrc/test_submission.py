import errno
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.submission import check, check_file, write
from shared.errors import UserError
from tests.competitions.lic2020_mrc.layout import example, put, write_layout

EXAMPLES = [example("a", context="青石桥"), example("b", context="小广场"), example("c", context="一九二六年")]
GOOD = {"a": "青石桥", "b": "广场", "c": "一九二六年"}
ROWS = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=9), st.sampled_from("青石桥"), min_size=1
)


def fault(tmp_path, content) -> str:
    with pytest.raises(UserError) as error:
        check(put(tmp_path / "submission.json", content), EXAMPLES)
    return str(error.value)


def test_writes_one_json_object_in_the_order_given(tmp_path):
    write(tmp_path / "out" / "submission.json", ["b", "a"], ["小广场", "“桥”\n"])
    text = (tmp_path / "out" / "submission.json").read_bytes().decode("utf-8")
    assert list(json.loads(text).items()) == [("b", "小广场"), ("a", "“桥”\n")]
    assert "小广场" in text


@given(ROWS)
def test_what_is_written_passes_the_check(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("out") / "submission.json"
    write(path, rows.keys(), rows.values())
    assert check(path, [example(id, context="青石桥") for id in rows]) == len(rows)


@pytest.mark.parametrize(
    ("ids", "answers"), [(["a"], []), (["a"], ["x", "y"]), (["a", "a"], ["x", "x"]), (["a"], [None]), (["a"], [["x"]])]
)
def test_writing_refuses_other_lengths_repeated_ids_and_answers_that_are_no_text(tmp_path, ids, answers):
    with pytest.raises(ValueError):
        write(tmp_path / "submission.json", ids, answers)
    assert list(tmp_path.iterdir()) == []


def test_no_space_left_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = put(tmp_path / "submission.json", "old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(UserError, match=r"submission.json: cannot be written: No space left on device"):
        write(path, ["a"], ["桥"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        dict(reversed(GOOD.items())),
        json.dumps(GOOD),
        json.dumps(GOOD, indent=1).replace("\n", "\r\n") + "\r\n\r\n",
    ],
    ids=["plain", "order", "escapes", "crlf"],
)
def test_accepted_forms(tmp_path, capsys, content):
    assert check(put(tmp_path / "submission.json", content), EXAMPLES) == 3
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty. Expected one JSON object"),
        (b" \n", "the file is empty"),
        (b"id,answer\na,b\n", "1:1: not JSON"),
        (b'{"a": "x"', "1:10: not JSON"),
        (b'{"a": "x"}\n{"b": "y"}\n', "2:1: more than one JSON document. Expected one JSON object"),
        ('{"a": "桥"}'.encode("gb18030"), "1: not UTF-8"),
        (b"PK\x03\x04\xff", "1: not UTF-8"),
        (b"\xef\xbb\xbf{}", "starts with a byte order mark, at which the official scorer stops"),
        (b"[" * 100_000, "not usable JSON"),
        ([{"id": "a", "answer": "x"}], "found a list. Expected one JSON object such as"),
        ("3", "found a number"),
        ("null", "found null"),
        ({}, 'missing ids: 3 ("a", "b", "c")'),
        ({"a": "青石桥", "b": "广场"}, 'missing ids: 1 ("c")'),
        (GOOD | {"d": "x"}, 'unknown ids: 1 ("d")'),
        ('{"a": "青", "a": "青", "b": "广", "a": "石", "c": "年"}', 'ids given more than once: 1 ("a" 3 times)'),
        (GOOD | {"a": None, "b": 3}, 'answers that are no text: 2 (null for "a", a number for "b")'),
        (GOOD | {"a": ["青石桥"], "b": {"text": "x"}}, 'no text: 2 (a list for "a", an object for "b")'),
    ],
)
def test_a_fault_is_named(tmp_path, content, message):
    found = fault(tmp_path, content)
    assert found.startswith(f"{tmp_path}/submission.json:")
    assert message in found


def test_all_kinds_of_fault_are_named_in_one_message(tmp_path):
    message = fault(tmp_path, '{"a": null, "d": "x", "d": "y"}')
    kinds = ("missing ids: 2", "unknown ids: 1", "ids given more than once: 1", "answers that are no text: 1")
    assert all(kind in message for kind in kinds)
    assert 'Expected one JSON object such as {"id": "answer", ...} with 3 ids' in message
    assert "\n" not in message


def test_only_the_first_ids_of_many_are_shown(tmp_path):
    path = put(tmp_path / "submission.json", "{}")
    with pytest.raises(UserError, match=r'missing ids: 1000 \("q0", "q1", "q2", \.\.\.\)'):
        check(path, [example(f"q{number}") for number in range(1000)])


def test_odd_answers_are_accepted_with_a_warning(tmp_path, capsys):
    path = put(tmp_path / "submission.json", {"a": "", "b": "操场", "c": " 一九"})
    assert check(path, EXAMPLES) == 3
    warning = capsys.readouterr().err
    assert warning.startswith(f'{path}: accepted, but empty answers: 1 ("a"); ')
    assert 'answers that are no part of their passage: 2 ("b", "c")' in warning
    assert 'answers with blanks at an edge, which the measure counts: 1 ("c")' in warning


def test_half_a_surrogate_pair_is_no_part_of_any_passage(tmp_path, capsys):
    assert check(put(tmp_path / "submission.json", json.dumps(GOOD | {"a": "\ud83d"})), EXAMPLES) == 3
    assert 'no part of their passage: 1 ("a")' in capsys.readouterr().err


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none.json: no such file"):
        check(tmp_path / "none.json", EXAMPLES)


def test_a_file_is_checked_against_the_official_test_file(tmp_path):
    raw = write_layout(tmp_path / "raw")
    write(tmp_path / "submission.json", ["e1", "e2"], ["青石桥", "48.5米"])
    assert check_file(tmp_path / "submission.json", raw) == 2
