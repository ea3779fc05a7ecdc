from dataclasses import dataclass

import pytest

from shared.errors import UserError
from shared.text.sources import example_texts, file_texts, id_counts


def test_texts_are_the_lines_that_are_not_blank_without_their_ends(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeff第一行\r\n\n  \n 第二\u2028行 \n".encode())
    (tmp_path / "b.txt").write_bytes("最后".encode())
    assert list(file_texts([tmp_path / "a.txt", tmp_path / "b.txt"])) == ["第一行", " 第二\u2028行 ", "最后"]


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "a.txt").write_bytes("好\n".encode() + "ab好".encode("gb18030"))
    with pytest.raises(UserError, match=r"a\.txt:2: not UTF-8: byte 0xba at column 3\. Convert"):
        list(file_texts([tmp_path / "a.txt"]))


def test_a_file_without_text_or_none_at_all_is_named(tmp_path):
    (tmp_path / "blank.txt").write_text("\n \n")
    with pytest.raises(UserError, match=r"blank\.txt: no text"):
        list(file_texts([tmp_path / "blank.txt"]))
    with pytest.raises(UserError, match=r"absent\.txt: no such file"):
        list(file_texts([tmp_path / "absent.txt"]))
    with pytest.raises(UserError, match="cannot be read"):
        list(file_texts([tmp_path]))


def test_ids_are_counted_over_all_files(tmp_path):
    (tmp_path / "a.txt").write_text("12 7 12\n\n0 7  12\n")
    (tmp_path / "b.txt").write_text("7\n")
    assert id_counts([tmp_path / "a.txt", tmp_path / "b.txt"]) == {12: 3, 7: 3, 0: 1}


@pytest.mark.parametrize("word", ["007", "-1", "+1", "1.0", "1_0", "词", "１２", "9" * 19])
def test_what_is_no_masked_id_is_named_with_its_line(tmp_path, word):
    (tmp_path / "a.txt").write_text(f"1 2\n2 {word} 3\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.txt:2: found '.*Expected integers from 0"):
        id_counts([tmp_path / "a.txt"])


def test_columns_are_refused_since_a_label_would_count_as_an_id(tmp_path):
    (tmp_path / "a.txt").write_text("1 2\t3 4\t0\n")
    with pytest.raises(UserError, match=r"a\.txt:1: a tab"):
        id_counts([tmp_path / "a.txt"])


def test_texts_of_examples_are_their_own_strings_and_lists_of_strings_in_all_splits():
    @dataclass
    class Answer:
        text: str

    @dataclass
    class Example:
        id: str
        question: str
        choices: tuple[str, ...]
        answers: tuple[Answer, ...]
        label: int | None

    @dataclass
    class Raw:
        train: list[Example]
        valid: list[Example]
        test: list[Example]

    raw = Raw([Example("1", "甲", ("乙", "丙"), (Answer("丁"),), 3)], [], [Example("2", "戊", (), (), None)])
    assert list(example_texts(raw)) == ["甲", "乙", "丙", "戊"]
