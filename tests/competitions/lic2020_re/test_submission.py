import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_re.data import Example, official, parse_triple
from competitions.lic2020_re.submission import check, check_file, read_lines, write
from pipelines.check import main
from shared.errors import UserError
from tests.competitions.lic2020_re.layout import DIRECTOR, ROLE, SCHEMA, TEST_TEXTS, line, put, spo, write_layout

EXAMPLES = [Example(text, ()) for text in TEST_TEXTS]
FIRST = spo("白塔", "导演", "高远")
RIGHT = [line(TEST_TEXTS[0], [FIRST]), line(TEST_TEXTS[1], [ROLE])]


def archive(tmp_path: Path, *lines: str, name: str = "duie.json") -> Path:
    path = tmp_path / "duie.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, "".join(f"{row}\n" for row in lines))
    return path


def fault(tmp_path: Path, *lines: str) -> str:
    with pytest.raises(UserError) as error:
        check(archive(tmp_path, *lines), EXAMPLES, SCHEMA)
    return str(error.value)


def test_writes_one_member_in_the_official_form(tmp_path):
    triple = official(parse_triple(FIRST, SCHEMA), SCHEMA)
    write(tmp_path / "out" / "duie.zip", TEST_TEXTS, [[triple], []])
    with zipfile.ZipFile(tmp_path / "out" / "duie.zip") as file:
        assert file.namelist() == ["duie.json"]
        lines = file.read("duie.json").decode("utf-8").splitlines()
    assert [json.loads(row) for row in lines] == [
        {"text": TEST_TEXTS[0], "spo_list": [triple]},
        {"text": TEST_TEXTS[1], "spo_list": []},
    ]
    assert "白塔" in lines[0]


def test_equal_answers_give_equal_bytes_at_any_time(tmp_path, monkeypatch):
    write(tmp_path / "a.zip", TEST_TEXTS, [[FIRST], []])
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    monkeypatch.setattr("time.localtime", lambda *_: (2033, 5, 18, 3, 33, 20, 0, 0, 0))
    write(tmp_path / "b.zip", TEST_TEXTS, [[FIRST], []])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_writing_refuses_other_lengths_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError):
        write(tmp_path / "duie.zip", TEST_TEXTS, [[]])
    assert list(tmp_path.iterdir()) == []


def test_no_space_left_keeps_the_old_file(tmp_path, monkeypatch):
    path = put(tmp_path / "duie.zip", b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(UserError, match=r"duie.zip: cannot be written: No space left"):
        write(path, TEST_TEXTS, [[], []])
    assert path.read_bytes() == b"old"


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1), unique=True, min_size=1))
def test_what_is_written_passes_the_check(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("out") / "duie.zip"
    write(path, texts, [[spo(text, "导演", text[:1])] if text.strip() == text and text[:1] else [] for text in texts])
    assert check(path, [Example(text, ()) for text in texts], SCHEMA) == len(texts)


def test_a_right_file_in_any_order_is_accepted(tmp_path):
    assert check(archive(tmp_path, *RIGHT[::-1]), EXAMPLES, SCHEMA) == 2


@pytest.mark.parametrize("name", ["result.json", "out/duie.json", "duie.txt"])
def test_the_name_of_the_member_is_free(tmp_path, name):
    assert check(archive(tmp_path, *RIGHT, name=name), EXAMPLES, SCHEMA) == 2


def test_lines_may_be_spread_over_several_members_and_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "duie.zip", "w") as file:
        file.writestr("folder/", "")
        for number, row in enumerate(RIGHT):
            file.writestr(f"folder/{number}.json", b"\xef\xbb\xbf" + row.encode() + b"\r\n")
    assert check(tmp_path / "duie.zip", EXAMPLES, SCHEMA) == 2


def test_types_may_be_absent_and_repeated_triples_do_no_harm(tmp_path):
    typed = official(parse_triple(ROLE, SCHEMA), SCHEMA)
    assert check(archive(tmp_path, RIGHT[0], line(TEST_TEXTS[1], [typed, ROLE, ROLE])), EXAMPLES, SCHEMA) == 2


def test_a_text_that_the_test_file_repeats_may_be_answered_as_often(tmp_path):
    examples = [EXAMPLES[0], EXAMPLES[0]]
    assert check(archive(tmp_path, RIGHT[0]), examples, SCHEMA) == 1
    assert check(archive(tmp_path, RIGHT[0], RIGHT[0]), examples, SCHEMA) == 2
    with pytest.raises(UserError, match=r"texts given too often: 1 \(duie.json:3"):
        check(archive(tmp_path, RIGHT[0], RIGHT[0], RIGHT[0]), examples, SCHEMA)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["", *RIGHT], "lines of another form: 1 (duie.json:1: a blank line. Expected a JSON object)"),
        ([*RIGHT, ""], "lines of another form: 1 (duie.json:3: a blank line"),
        (["{", *RIGHT], "duie.json:1: not JSON: "),
        (["[" + ",".join(RIGHT) + "]"], "duie.json:1: found a list"),
        ([RIGHT[0], line(TEST_TEXTS[1], None)], "duie.json:2: no 'spo_list'"),
        ([RIGHT[0], line(None)], "duie.json:2: no 'text'"),
        (RIGHT[:1], f'missing texts: 1 (test line 2: "{TEST_TEXTS[1]}")'),
        ([*RIGHT, line("别的句子", [])], 'unknown texts: 1 (duie.json:3: "别的句子")'),
        ([RIGHT[0], line(TEST_TEXTS[1] + " ", [])], "unknown texts: 1"),
        ([*RIGHT, RIGHT[0]], f'texts given too often: 1 (duie.json:3: "{TEST_TEXTS[0]}")'),
        (
            [line(TEST_TEXTS[0], [spo("白塔", "导员", "高远")]), RIGHT[1]],
            "unknown predicate \"导员\". Did you mean '导演'?",
        ),
        ([line(TEST_TEXTS[0], [{**FIRST, "object": "高远"}]), RIGHT[1]], "'object' is a string, as in DuIE 1.0"),
        ([line(TEST_TEXTS[0], [["白塔", "导演", "高远"]]), RIGHT[1]], "wrong triples: 1 (duie.json:1: found a list"),
        ([RIGHT[0], line(TEST_TEXTS[1], [{**ROLE, "object": {"inWork": "白塔"}}])], "duie.json:2: no '@value'"),
        ([RIGHT[0], line(TEST_TEXTS[1], [spo("苏禾", "饰演", "小满", inWork="")])], "empty slot 'inWork' of '饰演'"),
        ([line(TEST_TEXTS[0], [DIRECTOR]), RIGHT[1]], "\"北岸来信\" of '导演' is not in the text"),
        ([line(TEST_TEXTS[0], [spo("白塔", "导演", "江雪")]), RIGHT[1]], "\"江雪\" of '导演' is not in the text"),
        ([RIGHT[0], line(TEST_TEXTS[1], [{**ROLE, "subject_type": "人物"}])], "'subject_type' of '饰演'"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, lines, message):
    assert message in fault(tmp_path, *lines)


def test_all_kinds_of_fault_are_named_in_one_message(tmp_path):
    message = fault(tmp_path, "{", line("无", [DIRECTOR]), RIGHT[0], line(TEST_TEXTS[0], [spo("x", "y", "z")]))
    kinds = ("lines of another form: 1", "unknown texts: 1", "texts given too often: 1", "wrong triples: 2", "missing")
    assert all(kind in message for kind in kinds)
    assert message.startswith(f"{tmp_path}/duie.zip: ")
    assert "Expected 2 lines" in message
    assert "\n" not in message


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "duie.zip", "w") as file:
        file.writestr("duie.json", RIGHT[0].encode() + b"\n" + RIGHT[1].encode("gb18030"))
    with pytest.raises(UserError, match=r"duie.json:2: not UTF-8: byte 0x"):
        check(tmp_path / "duie.zip", EXAMPLES, SCHEMA)


def test_a_member_without_a_name_is_read_too(tmp_path):
    path = archive(tmp_path, *RIGHT, name="NAMELESS")
    path.write_bytes(path.read_bytes().replace(b"NAMELESS", b"\0AMELESS"))  # zipfile cuts names at a zero byte
    assert check(path, EXAMPLES, SCHEMA) == 2


def test_an_empty_zip_holds_no_line(tmp_path):
    with zipfile.ZipFile(tmp_path / "duie.zip", "w"):
        pass
    with pytest.raises(UserError, match=r"the zip holds no line. Expected 2, in duie.json"):
        check(tmp_path / "duie.zip", EXAMPLES, SCHEMA)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", "\n".join(RIGHT).encode()], ids=["empty", "cut", "plain"])
def test_a_file_that_is_no_zip_is_refused(tmp_path, content):
    with pytest.raises(UserError, match=r"duie.zip: not a zip"):
        check(put(tmp_path / "duie.zip", content), EXAMPLES, SCHEMA)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none.zip: no such file"):
        check(tmp_path / "none.zip", EXAMPLES, SCHEMA)
    with pytest.raises(UserError, match=r"cannot be read"):
        check(tmp_path, EXAMPLES, SCHEMA)


def test_a_zip_that_unpacks_to_too_much_is_not_unpacked(tmp_path, monkeypatch):
    path = archive(tmp_path, *RIGHT)
    monkeypatch.setattr("shared.zip_files.MAX_BYTES", 100)
    with pytest.raises(UserError, match=r"would unpack to \d+ bytes. Expected at most 100"):
        check(path, EXAMPLES, SCHEMA)


def test_no_more_is_read_than_the_size_that_a_member_declares(tmp_path):
    path = archive(tmp_path, "0" * 100_000)
    lying = path.read_bytes().replace((100_001).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    path.write_bytes(lying)
    with pytest.raises(UserError, match=r"damaged"):
        list(read_lines(path))


def test_an_encrypted_member_is_refused(tmp_path):
    path = archive(tmp_path, *RIGHT)
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag, in the member's header
    data[data.rindex(b"PK\x01\x02") + 8] |= 1  # and in the directory
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"cannot be read: .*encrypted"):
        check(path, EXAMPLES, SCHEMA)


def test_other_compression_than_deflate_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "duie.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("duie.json", "\n".join(RIGHT))
    with pytest.raises(UserError, match=r"duie.json is compressed by method 12. Use deflate"):
        check(tmp_path / "duie.zip", EXAMPLES, SCHEMA)


def test_a_damaged_byte_does_no_harm_or_ends_in_an_error_for_the_user(tmp_path, rng):
    content = archive(tmp_path, *RIGHT).read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= int(rng.integers(1, 256))
        with suppress(UserError):
            check(put(tmp_path / "damaged.zip", bytes(damaged)), EXAMPLES, SCHEMA)


def test_a_file_is_checked_against_the_official_folder(tmp_path, capsys):
    raw = write_layout(tmp_path / "raw")
    path = archive(tmp_path, *RIGHT)
    assert check_file(path, raw) == 2
    assert main(["lic2020_re", str(path), "--raw", str(raw)]) == 0
    assert main(["lic2020_re", str(archive(tmp_path, RIGHT[0])), "--raw", str(raw)]) == 1
    assert "missing texts: 1" in capsys.readouterr().err
