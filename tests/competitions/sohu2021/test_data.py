import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.sohu2021.data import BadLine, read, read_split
from competitions.sohu2021.variants import VARIANTS
from shared.errors import UserError
from tests.competitions.sohu2021.layout import SETTINGS, SKIP, SS_A, SS_B, line, put, write_layout


def train_error(tmp_path: Path, bad: str | bytes, name: str = "ss_a") -> str:
    """Returns the message for a train file whose second line is `bad`."""
    content = bad if isinstance(bad, bytes) else [line(VARIANTS[0], 0), bad]
    folder = write_layout(tmp_path / "raw", {(name, "train.txt"): content})
    with pytest.raises(UserError) as error:
        read_split(folder, "train")
    return str(error.value)


def ids(folder: Path, split: str = "train", on_bad_line: str = "error", extra_files: bool = True) -> list[str]:
    examples, _, _ = read_split(folder, split, on_bad_line, extra_files)
    return [example.id for example in examples if example.variant == 0]


def test_reads_all_splits_of_all_variants(tmp_path):
    raw = read(write_layout(tmp_path / "raw"), SETTINGS)
    assert len(raw.train) == len(raw.valid) == len(raw.test) == 12
    assert len(raw.files) == 18
    assert raw.bad_lines == []
    assert [example.variant for example in raw.train] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert [example.label for example in raw.valid] == [0, 1] * 6
    assert {example.label for example in raw.test} == {None}


def test_lines_without_id_are_numbered_within_their_variant(tmp_path):
    raw = read(write_layout(tmp_path / "raw"), SETTINGS)
    assert [example.id for example in raw.valid[:4]] == ["ss0_a", "ss1_a", "ss0_b", "ss1_b"]


def test_extra_files_are_read_after_the_main_one_and_ids_keep_counting(tmp_path):
    extra = {("ss_a", f"train_{name}.txt"): [line(SS_A, 1, source=name)] for name in ("rematch", "r3", "r2")}
    folder = write_layout(tmp_path / "raw", extra | {("ss_a", "valid_r2.txt"): [line(SS_A, 1)]})
    examples, _, files = read_split(folder, "train")
    assert [(e.id, e.source) for e in examples[2:5]] == [("ss2_a", "r2"), ("ss3_a", "r3"), ("ss4_a", "rematch")]
    assert [file.name for file in files[:4]] == ["train.txt", "train_r2.txt", "train_r3.txt", "train_rematch.txt"]
    assert ids(folder, "valid") == ["ss0_a", "ss1_a", "ss2_a"]


def test_extra_files_can_be_left_out(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train_r2.txt"): [line(SS_A, 1)]})
    assert ids(folder, extra_files=False) == ["ss0_a", "ss1_a"]


def test_a_label_may_be_a_number(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): [line(SS_A, labelA=1), line(SS_A, labelA=0)]})
    assert [example.label for example in read_split(folder, "train")[0][:2]] == [1, 0]


def test_an_id_in_a_labelled_line_is_kept(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "valid.txt"): [line(SS_A, 1, number=7)]})
    assert ids(folder, "valid") == ["ss7_a"]


@pytest.mark.parametrize(
    "text",
    [
        "长" * 100_000,
        "  前后有空格  ",
        "控制\x00\x07\x1f\x7f字符",
        "私用\ue000\U000f0000区",
        "换行\u2028\u2029\x85\x0b\x0c\x1c\r\n都在",
        "\u200b零宽\ufeff",
        "😀🇨🇳",
        "\ufffe",
    ],
    ids=["long", "blanks", "control", "private", "separators", "zero_width", "emoji", "noncharacter"],
)
@pytest.mark.parametrize("ascii_escapes", [False, True])
def test_texts_are_never_altered(tmp_path, text, ascii_escapes):
    fields = {"source": text, "target": text[::-1], "labelA": "1"}
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): [json.dumps(fields, ensure_ascii=ascii_escapes)]})
    example = read_split(folder, "train")[0][0]
    assert (example.source, example.target) == (text, text[::-1])


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(lambda text: not text.isspace()))
def test_any_text_that_is_not_blank_survives(tmp_path_factory, text):
    fields = {"source": text, "target": "对照", "labelA": "1"}
    folder = write_layout(tmp_path_factory.mktemp("raw") / "raw")
    put(folder, SS_A, "train.txt", [json.dumps(fields, ensure_ascii=False)])
    assert read_split(folder, "train")[0][0].source == text


def test_byte_order_mark_and_crlf_are_accepted(tmp_path):
    content = b"\xef\xbb\xbf" + "\r\n".join([line(SS_A, 0), line(SS_A, 1), ""]).encode()
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): content})
    assert ids(folder) == ["ss0_a", "ss1_a"]


def test_a_last_line_without_line_end_counts(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): line(SS_A, 0).encode()})
    assert ids(folder) == ["ss0_a"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder. Expected .*短短匹配A类"):
        read_split(tmp_path / "nowhere", "train")


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "raw.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"raw.zip: a file, not a folder"):
        read_split(tmp_path / "raw.zip", "train")


def test_a_missing_variant_folder_is_named(tmp_path):
    folder = write_layout(tmp_path / "raw")
    (folder / SS_B.folder).rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"1 of the 6 folders .* missing: 短短匹配B类. Unpack"):
        read_split(folder, "train")


def test_the_folder_one_level_down_is_proposed(tmp_path):
    inner = write_layout(tmp_path / "raw" / "sohu2021_open")
    with pytest.raises(UserError, match=rf"Did you mean {inner}"):
        read_split(tmp_path / "raw", "train")


def test_a_missing_file_is_named_with_what_is_there(tmp_path):
    folder = write_layout(tmp_path / "raw")
    (folder / SS_A.folder / "valid.txt").unlink()
    with pytest.raises(UserError, match=r"valid.txt: no such file. Found in its folder: test_with_id.txt, train.txt"):
        read_split(folder, "valid")


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf \r\n"])
@pytest.mark.parametrize("on_bad_line", ["error", "skip"])
def test_an_empty_file_is_always_an_error(tmp_path, content, on_bad_line):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): content})
    with pytest.raises(UserError, match=r"train.txt: the file is empty"):
        read_split(folder, "train", on_bad_line)


@pytest.mark.parametrize("on_bad_line", ["error", "skip"])
def test_a_file_that_is_not_utf8_is_always_an_error(tmp_path, on_bad_line):
    content = f"{line(SS_A, 0)}\n".encode() + line(SS_A, 1).encode("gb18030")
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): content})
    with pytest.raises(UserError, match=r"train.txt:2: not UTF-8: byte 0x"):
        read_split(folder, "train", on_bad_line)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"source": "断', "not JSON: Unterminated string"),
        ('["source"]', "found a list. Expected a JSON object"),
        ("1", "found a number"),
        ("null", "found null"),
        ("[" * 100_000, "not usable JSON"),
        ('{"source": ' + "1" * 5000 + "}", "not usable JSON"),
        (line(SS_A, 0, source=None), "no 'source'. Expected a text"),
        (line(SS_A, 0, target=None), "no 'target'. Expected a text"),
        (line(SS_A, 0, source=3), "'source' is a number"),
        ('{"source": null, "target": "有", "labelA": "0"}', "'source' is null"),
        (line(SS_A, 0, target=["词"]), "'target' is a list"),
        (line(SS_A, 0, source=""), "'source' is empty"),
        (line(SS_A, 0, target=" \u3000\t"), "'target' is empty"),
        ('{"source": "\\ud83d", "target": "有", "labelA": "0"}', "half of a surrogate pair, \\ud83d"),
        (line(SS_A), "no 'labelA'. Lines in 短短匹配A类 need 'labelA'"),
        (line(SS_A, labelB="1"), "'labelB' in a folder of class A"),
        (line(SS_A, labelA="2"), '\'labelA\' is "2". Valid labels: "0" and "1"'),
        (line(SS_A, labelA=""), "'labelA' is \"\""),
        (line(SS_A, labelA=True), "'labelA' is true"),
        (line(SS_A, labelA=1.0), "'labelA' is 1.0"),
        (line(SS_A, labelA=["1"]), "'labelA' is a list"),
        (line(SS_A, labelA="x" * 99), "'labelA' is \"" + "x" * 36 + "..."),
        (line(SS_A, 0, number=0), "the id 'ss0_a' stands at train.txt:1 already"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path, bad, message):
    error = train_error(tmp_path, bad)
    assert error.startswith(f"{tmp_path}/raw/短短匹配A类/train.txt:2: {message}")
    assert "data.on_bad_line" in error


def test_a_blank_line_is_bad_between_lines_and_harmless_at_the_end(tmp_path):
    first, second = line(SS_A, 0), line(SS_A, 1, source="另一句")
    folder = write_layout(tmp_path / "between", {("ss_a", "train.txt"): [first, "", second]})
    with pytest.raises(UserError, match=r"train\.txt:2: a blank line"):
        read_split(folder, "train")
    folder = write_layout(tmp_path / "end", {("ss_a", "train.txt"): [first, second, "", "  "]})
    assert len([e for e in read_split(folder, "train")[0] if e.variant == 0]) == 2


def test_the_label_of_class_a_in_a_folder_of_class_b_is_named(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_b", "valid.txt"): [line(SS_B, labelA="1")]})
    with pytest.raises(UserError, match=r"valid.txt:1: 'labelA' in a folder of class B. .* need 'labelB'"):
        read_split(folder, "valid")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(SS_A), "no 'id'. Expected one such as 'ss1_a'"),
        (line(SS_A, id="ss0_c"), 'the id is "ss0_c"'),
        (line(SS_A, id="ss01_a"), 'the id is "ss01_a"'),
        (line(SS_A, id=3), "the id is 3"),
        (line(SS_A, id="ss0_b"), "the id 'ss0_b' belongs to 短短匹配B类"),
        (line(SS_A, id="ss0_a"), "the id 'ss0_a' stands at test_with_id.txt:1 already"),
        (line(SS_A, id="ss1_a", target=""), "'target' is empty"),
    ],
)
@pytest.mark.parametrize("settings", [SETTINGS, SKIP], ids=["error", "skip"])
def test_a_bad_test_line_is_always_an_error(tmp_path, bad, message, settings):
    folder = write_layout(tmp_path / "raw", {("ss_a", "test_with_id.txt"): [line(SS_A, number=0), bad]})
    with pytest.raises(UserError) as error:
        read(folder, settings)
    assert f"test_with_id.txt:2: {message}" in str(error.value)
    assert "must answer every test line" in str(error.value)


def test_skip_lists_bad_lines_and_leaves_the_ids_of_the_others(tmp_path):
    content = ["{", line(SS_A, 1), "", line(SS_A, 2), line(SS_A, 0)]
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): content, ("ss_a", "train_r2.txt"): content})
    examples, bad_lines, _ = read_split(folder, "train", "skip")
    assert [example.id for example in examples[:4]] == ["ss1_a", "ss4_a", "ss6_a", "ss9_a"]
    assert len(bad_lines) == 6
    assert bad_lines[1] == BadLine(f"{folder}/短短匹配A类/train.txt:3", "a blank line. Expected a JSON object")
    assert len(read(folder, SKIP).bad_lines) == 6


def test_skip_refuses_a_file_without_any_usable_line(tmp_path):
    folder = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): ["{", "["]})
    with pytest.raises(UserError, match=r"train.txt:1: not JSON: .* No line of the file is usable"):
        read_split(folder, "train", "skip")


def test_unknown_arguments_are_our_own_fault(tmp_path):
    with pytest.raises(ValueError, match=r"dev"):
        read_split(tmp_path, "dev")
    with pytest.raises(ValueError, match=r"ignore"):
        read_split(tmp_path, "train", "ignore")


def test_reads_the_development_data(shared_data):
    raw = read(shared_data / "data" / "sohu2021", SETTINGS)
    assert (len(raw.train), len(raw.valid), len(raw.test)) == (7564, 1187, 751)
