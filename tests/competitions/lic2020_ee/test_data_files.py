import pytest

from competitions.lic2020_ee.data import FILES, Argument, Event, Example, read
from shared.errors import UserError
from tests.competitions.lic2020_ee.layout import (
    MATCH,
    SCHEMA,
    SETTINGS,
    SKIP,
    TEXT,
    line,
    match,
    put,
    schema_lines,
    write_layout,
)


def test_reads_all_splits_and_the_schema(tmp_path):
    folder = write_layout(tmp_path)
    raw = read(folder, SETTINGS)
    assert [len(rows) for rows in (raw.train, raw.valid, raw.test)] == [2, 1, 2]
    assert raw.schema == SCHEMA
    assert raw.bad_lines == []
    assert [file.name for file in raw.files] == [names[0] for names in FILES.values()]
    found = Event(
        MATCH,
        "击败",
        6,
        (Argument("时间", "周六", 0, ()), Argument("胜者", "红星队", 3, ()), Argument("败者", "蓝海队", 8, ())),
    )
    assert raw.valid == [Example("b1", TEXT, (found,))]


def test_test_lines_have_no_events_even_if_the_file_does(tmp_path):
    folder = write_layout(tmp_path, {"duee_test1.json": [line("c1", [match()]), line("c2", [{"event_type": "怪"}])]})
    assert [example.events for example in read(folder, SETTINGS).test] == [(), ()]


def test_the_layout_of_2020_is_read(tmp_path):
    written = write_layout(tmp_path / "new")
    for name, (new, *_, old) in FILES.items():
        put(tmp_path / "old" / old, (written / new).read_bytes())
        assert "/" in old, name
    assert read(tmp_path / "old", SETTINGS).train == read(written, SETTINGS).train
    assert [file.name for file in read(tmp_path / "old", SETTINGS).files][1:] == [
        "train.json",
        "dev.json",
        "test1.json",
    ]


def test_the_second_test_file_is_read_if_there_is_no_first(tmp_path):
    folder = write_layout(tmp_path, {"duee_test2.json": [line("d1")]})
    assert [example.id for example in read(folder, SETTINGS).test] == ["c1", "c2"]
    (folder / "duee_test1.json").unlink()
    assert [example.id for example in read(folder, SETTINGS).test] == ["d1"]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (line(None), "no 'id'"),
        (line("c1"), 'the id "c1" stands at duee_test1.json:1 already'),
        (line("c2", text=""), "'text' is empty"),
    ],
)
@pytest.mark.parametrize("settings", [SETTINGS, SKIP], ids=["error", "skip"])
def test_a_bad_test_line_is_always_an_error(tmp_path, bad, message, settings):
    folder = write_layout(tmp_path, {"duee_test1.json": [line("c1"), bad]})
    with pytest.raises(UserError) as error:
        read(folder, settings)
    assert f"duee_test1.json:2: {message}" in str(error.value)
    assert "must answer every test line" in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf \r\n"])
def test_an_empty_file_is_always_an_error(tmp_path, content):
    with pytest.raises(UserError, match=r"duee_dev.json: the file is empty"):
        read(write_layout(tmp_path, {"duee_dev.json": content}), SKIP)


def test_a_file_that_is_not_utf8_is_always_an_error(tmp_path):
    content = f"{line('a1', [])}\n".encode() + line("a2", []).encode("gb18030")
    with pytest.raises(UserError, match=r"duee_train.json:2: not UTF-8: byte 0x"):
        read(write_layout(tmp_path, {"duee_train.json": content}), SKIP)


def test_a_missing_file_is_named_with_what_was_looked_for_and_what_is_there(tmp_path):
    folder = write_layout(tmp_path)
    (folder / "duee_dev.json").unlink()
    with pytest.raises(UserError) as error:
        read(folder, SETTINGS)
    assert str(error.value).startswith(
        f"{folder}: no valid file. Looked for duee_dev.json or dev_data/dev.json; "
        f"found duee_event_schema.json, duee_test1.json, duee_train.json. Unpack the official archive there"
    )


def test_of_many_files_found_only_the_first_are_named(tmp_path):
    for number in range(30):
        put(tmp_path / f"{number:02}.txt", b"")
    with pytest.raises(UserError, match=r"found 00.txt, .*, 07.txt and 22 more\. "):
        read(tmp_path, SETTINGS)


@pytest.mark.parametrize("name", ["duee_event_schema.json", "event_schema/event_schema.json"])
def test_the_folder_one_level_down_is_proposed(tmp_path, name):
    put(tmp_path / "raw" / "DuEE1.0" / name, schema_lines())
    with pytest.raises(UserError, match=rf"Did you mean {tmp_path}/raw/DuEE1.0\?"):
        read(tmp_path / "raw", SETTINGS)


def test_a_missing_folder_and_a_file_in_its_place_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder. Expected the folder that holds duee_"):
        read(tmp_path / "nowhere", SETTINGS)
    with pytest.raises(UserError, match=r"raw.zip: a file, not a folder"):
        read(put(tmp_path / "raw.zip", b"PK"), SETTINGS)


def test_reads_the_development_data(shared_data):
    raw = read(shared_data / "data" / "duee1", SETTINGS)
    assert (len(raw.train), len(raw.valid), len(raw.test)) == (863, 200, 2067)
    assert sum(len(one.arguments) for example in raw.valid for one in example.events) == 490
