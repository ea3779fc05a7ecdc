import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_re.data import (
    FILES,
    Example,
    Triple,
    find_file,
    official,
    parse_triple,
    read,
    read_split,
    values,
)
from shared.errors import UserError
from tests.competitions.lic2020_re.layout import (
    DIRECTOR,
    FILES_2020,
    FILES_2021,
    ROLE,
    SCHEMA,
    SETTINGS,
    SKIP,
    TEST_TEXTS,
    TEXT,
    line,
    put,
    spo,
    write_layout,
)


def read_train(tmp_path: Path, *lines: str) -> list[Example]:
    return read_split(put(tmp_path / "train.json", lines), "train", SCHEMA)[0]


def train_error(tmp_path: Path, bad: str | bytes) -> str:
    """Returns the message for a train file whose second line is `bad`."""
    content = bad if isinstance(bad, bytes) else [line(), bad]
    with pytest.raises(UserError) as error:
        read_split(put(tmp_path / "train.json", content), "train", SCHEMA)
    return str(error.value)


@pytest.mark.parametrize("names", [FILES_2021, FILES_2020], ids=["2021", "2020"])
def test_both_layouts_are_read(tmp_path, names):
    raw = read(write_layout(tmp_path / "raw", names=names), SETTINGS)
    assert [len(split) for split in (raw.train, raw.valid, raw.test)] == [2, 2, 2]
    assert raw.schema == SCHEMA
    assert raw.bad_lines == []
    assert [file.relative_to(tmp_path / "raw").as_posix() for file in raw.files] == list(names.values())


def test_a_line_becomes_a_text_with_its_triples_in_the_order_of_the_file(tmp_path):
    assert read_train(tmp_path, line()) == [
        Example(
            TEXT,
            (
                Triple("北岸来信", "导演", (("@value", "江雪"),)),
                Triple("北岸来信", "主演", (("@value", "陆平"),)),
                Triple("北岸来信", "主演", (("@value", "苏禾"),)),
            ),
        )
    ]


def test_slots_come_in_the_order_of_the_schema(tmp_path):
    award = {
        "subject": "江雪",
        "predicate": "获奖",
        "object": {"onDate": "2001年", "inWork": "白塔", "@value": "金叶奖"},
    }
    example = read_train(tmp_path, line("2001年江雪凭《白塔》获金叶奖", [award]))[0]
    assert example.triples[0].object == (("@value", "金叶奖"), ("inWork", "白塔"), ("onDate", "2001年"))


def test_empty_slots_are_dropped(tmp_path):
    example = read_train(tmp_path, line(spo_list=[spo("苏禾", "获奖", "金叶奖", inWork="", onDate="2001年")]))[0]
    assert example.triples[0].object == (("@value", "金叶奖"), ("onDate", "2001年"))


def test_a_line_may_have_no_triple(tmp_path):
    assert read_train(tmp_path, line(spo_list=[])) == [Example(TEXT, ())]


def test_repeated_texts_and_triples_are_kept(tmp_path):
    examples = read_train(tmp_path, line(spo_list=[DIRECTOR, DIRECTOR]), line(spo_list=[]))
    assert [len(example.triples) for example in examples] == [2, 0]


def test_names_that_the_text_lacks_are_kept(tmp_path):
    assert read_train(tmp_path, line("没有人名", [DIRECTOR]))[0].triples[0].subject == "北岸来信"


def test_test_lines_need_a_text_only(tmp_path):
    files = {"test": [line(TEST_TEXTS[0], None), line(TEST_TEXTS[1], "not read")]}
    assert read(write_layout(tmp_path / "raw", files), SETTINGS).test == [Example(text, ()) for text in TEST_TEXTS]


def test_types_may_be_absent_or_those_of_the_schema(tmp_path):
    typed = {**ROLE, "subject_type": "娱乐人物", "object_type": {"@value": "人物", "inWork": "影视作品"}}
    some = {**ROLE, "object_type": {"@value": "人物"}}
    assert len(set(read_train(tmp_path, line(spo_list=[ROLE, typed, some]))[0].triples)) == 1


def test_the_official_form_of_a_triple_has_the_types_of_its_slots_and_is_read_back():
    triple = parse_triple(spo("苏禾", "获奖", "金叶奖", onDate="2001年"), SCHEMA)
    form = official(triple, SCHEMA)
    assert form == {
        "predicate": "获奖",
        "object_type": {"@value": "奖项", "onDate": "Date"},
        "subject_type": "娱乐人物",
        "object": {"@value": "金叶奖", "onDate": "2001年"},
        "subject": "苏禾",
    }
    assert parse_triple(form, SCHEMA) == triple


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("", "a blank line. Expected a JSON object"),
        ("{", "not JSON: "),
        ("[]", "found a list. Expected a JSON object with 'text' and 'spo_list'"),
        (line(None), "no 'text'. Expected a text"),
        (line(3), "'text' is a number"),
        (line("  "), "'text' is empty"),
        (line(spo_list=None), "no 'spo_list'. Expected a list of triples"),
        ('{"text": "一", "spo_list": null}', "'spo_list' is null"),
        (line(spo_list={}), "'spo_list' is an object"),
        (line(spo_list=[DIRECTOR, ["a", "b", "c"]]), "triple 2: found a list. Expected an object with 'subject'"),
        (line(spo_list=[{"subject": "a", "object": {}}]), "triple 1: no 'predicate'"),
        (line(spo_list=[spo("", "导演", "江雪")]), "triple 1: 'subject' is empty"),
        (line(spo_list=[spo(None, "导演", "江雪")]), "'subject' is null"),
        (
            line(spo_list=[spo("北岸来信", "导员", "江雪")]),
            "unknown predicate \"导员\". Did you mean '导演'? Expected one",
        ),
        (line(spo_list=[spo("北岸来信", "xyz", "江雪")]), 'unknown predicate "xyz". Expected one of the 4 predicates'),
        (
            line(spo_list=[{"subject": "北岸来信", "predicate": "导演"}]),
            "no 'object'. Expected an object of slot to text",
        ),
        (line(spo_list=[{**DIRECTOR, "object": "江雪"}]), "'object' is a string, as in DuIE 1.0"),
        (line(spo_list=[{**DIRECTOR, "object": None}]), "'object' is null"),
        (line(spo_list=[{**ROLE, "object": {}}]), "no '@value'"),
        (line(spo_list=[{**ROLE, "object": {"inWork": "白塔"}}]), "no '@value'"),
        (line(spo_list=[spo("苏禾", "饰演", "")]), "'@value' is empty"),
        (
            line(spo_list=[spo("苏禾", "饰演", "小满", inArea="白塔")]),
            "unknown slot \"inArea\" in the object of '饰演'",
        ),
        (line(spo_list=[spo("苏禾", "饰演", "小满", inArea="白塔")]), "Valid slots: @value, inWork"),
        (line(spo_list=[spo("苏禾", "饰演", "小满", inWork=1)]), "the slot 'inWork' of '饰演' is a number"),
        (
            line(spo_list=[{**DIRECTOR, "subject_type": "人物"}]),
            "'subject_type' of '导演' is \"人物\". Expected '影视作品'",
        ),
        (line(spo_list=[{**DIRECTOR, "object_type": "人物"}]), "'object_type' of '导演' is a string"),
        (
            line(spo_list=[{**DIRECTOR, "object_type": {"@value": "城市"}}]),
            'the type of slot "@value" of \'导演\' is "城市"',
        ),
        (line(spo_list=[{**DIRECTOR, "object_type": {"inWork": "作品"}}]), "Schema: 'no such slot'"),
        ('{"text": "\\ud83d", "spo_list": []}', "half of a surrogate pair, \\ud83d, in 'text'"),
        (line("一", [DIRECTOR]).replace("江雪", "\\udc00"), "half of a surrogate pair, \\udc00, in 'spo_list'"),
    ],
)
def test_a_bad_line_is_named_with_its_place_and_what_to_do(tmp_path, bad, found):
    message = train_error(tmp_path, bad + "\n" + line())
    assert message.startswith(f"{tmp_path}/train.json:2: ")
    assert found in message
    assert "data.on_bad_line" in message


def test_a_file_that_is_not_utf8_is_named_with_line_and_byte(tmp_path):
    assert "train.json:2: not UTF-8: byte 0x" in train_error(tmp_path, b"{}\n" + TEXT.encode("gb18030"))


def test_an_empty_file_is_named(tmp_path):
    assert "train.json: the file is empty" in train_error(tmp_path, b" \n")


def test_bad_lines_can_be_skipped_and_are_returned(tmp_path):
    bad = line(spo_list=[spo("北岸来信", "导员", "江雪")])
    raw = read(write_layout(tmp_path / "raw", {"train": [line(), bad, line()], "valid": ["{", line()]}), SKIP)
    assert (len(raw.train), len(raw.valid)) == (2, 1)
    assert [Path(one.where).name for one in raw.bad_lines] == ["duie_train.json:2", "duie_dev.json:1"]
    assert "unknown predicate" in raw.bad_lines[0].problem


def test_a_bad_test_line_is_never_skipped(tmp_path):
    folder = write_layout(tmp_path / "raw", {"test": [line(TEXT, None), "{"]})
    with pytest.raises(UserError, match=r"duie_test2.json:2: not JSON.*a submission must answer every test line"):
        read(folder, SKIP)


def test_a_file_without_a_usable_line_is_an_error_even_when_skipping(tmp_path):
    with pytest.raises(UserError, match=r"duie_train.json:1: not JSON.*No line of the file is usable"):
        read(write_layout(tmp_path / "raw", {"train": ["{", "{"]}), SKIP)


@pytest.mark.parametrize("call", [("dev", "error"), ("train", "ignore")])
def test_other_splits_and_policies_are_refused(tmp_path, call):
    with pytest.raises(ValueError, match="valid ones"):
        read_split(tmp_path / "train.json", call[0], SCHEMA, call[1])


def test_byte_order_mark_crlf_and_a_missing_last_line_end_are_accepted(tmp_path):
    content = b"\xef\xbb\xbf" + f"{line()}\r\n{line()}".encode()
    assert len(read_split(put(tmp_path / "train.json", content), "train", SCHEMA)[0]) == 2


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(lambda text: not text.isspace()))
def test_texts_and_values_are_never_altered(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("raw") / "train.json"
    for ascii_escapes in (False, True):
        fields: dict[str, Any] = {"text": text, "spo_list": [spo(text, "导演", text)]}
        put(file, [json.dumps(fields, ensure_ascii=ascii_escapes)])
        example = read_split(file, "train", SCHEMA)[0][0]
        assert (example.text, example.triples[0].subject, example.triples[0].object[0][1]) == (text, text, text)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder. Expected .*duie_train.json"):
        read(tmp_path / "nowhere", SETTINGS)


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"raw.zip: a file, not a folder"):
        read(put(tmp_path / "raw.zip", b"PK"), SETTINGS)


@pytest.mark.parametrize("name", list(FILES))
def test_a_missing_file_is_named_with_what_was_looked_for_and_found(tmp_path, name):
    folder = write_layout(tmp_path / "raw")
    (folder / FILES_2021[name]).rename(folder / "duie_tarin.json")
    with pytest.raises(UserError) as error:
        read(folder, SETTINGS)
    assert f"no {name} file. Looked for {' or '.join(FILES[name])}; found " in str(error.value)
    assert "duie_tarin.json" in str(error.value)


def test_an_empty_folder_holds_nothing(tmp_path):
    with pytest.raises(UserError, match=r"found nothing. Unpack the official archive there"):
        find_file(tmp_path, "train")


def test_only_the_first_names_of_a_full_folder_are_shown(tmp_path):
    for number in range(20):
        put(tmp_path / f"{number:02}.txt", b"")
    with pytest.raises(UserError, match=r"found 00.txt, .*07.txt and 12 more"):
        find_file(tmp_path, "train")


@pytest.mark.parametrize("names", [FILES_2021, FILES_2020], ids=["2021", "2020"])
def test_a_folder_one_level_too_high_is_recognized(tmp_path, names):
    write_layout(tmp_path / "raw" / "DuIE", names=names)
    with pytest.raises(UserError, match=r"Did you mean .*/raw/DuIE\?"):
        find_file(tmp_path / "raw", "train")


def test_of_several_test_files_the_later_one_is_taken(tmp_path):
    folder = write_layout(tmp_path / "raw")
    put(folder / "duie_test1.json", [line("第一份", None)])
    assert find_file(folder, "test").name == "duie_test2.json"


def test_the_development_data_is_read_whole(shared_data):
    raw = read(shared_data / "data" / "duie2", SETTINGS)
    assert (len(raw.train), len(raw.valid), len(raw.test)) == (4381, 1405, 1454)
    assert sum(len(example.triples) for example in raw.valid) == 2526
    texts_hold_all = [all(name in row.text for one in row.triples for name in values(one)) for row in raw.train]
    assert all(texts_hold_all)
