import errno
import io
import json
import os
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee.submission import check_file, read_event_lists, write
from shared.errors import UserError
from tests.competitions.lic2020_ee.layout import MATCH, line, match, put, schema_lines, write_layout

ANSWER = {"event_type": MATCH, "arguments": [{"role": "胜者", "argument": "红星队"}]}
TEXTS = st.text(st.characters(exclude_categories=("Cs",)))
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "event_type": st.just(MATCH),
            "arguments": st.lists(
                st.fixed_dictionaries({"role": st.sampled_from(["胜者", "败者"]), "argument": TEXTS})
            ),
        }
    ),
    max_size=3,
)


@pytest.fixture
def raw(tmp_path):
    """The official folder, whose test file asks for c1 and c2."""
    return write_layout(tmp_path / "raw")


def row(row_id: str, *events: dict, **extra) -> str:
    return json.dumps({"id": row_id, "event_list": list(events), **extra}, ensure_ascii=False)


def answer(role: str, text: str, event_type: str = MATCH) -> dict:
    return {"event_type": event_type, "arguments": [{"role": role, "argument": text}]}


def zipped(*members: tuple[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members:
            archive.writestr(name, text)
    return content.getvalue()


def fault(raw, *rows: str) -> str:
    with pytest.raises(UserError) as error:
        check_file(put(raw.parent / "duee.json", rows), raw)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_writes_json_lines_in_the_order_given_without_further_fields(tmp_path):
    path = write(tmp_path / "out", ["c2", "c1"], [[], [match()]])
    assert path == tmp_path / "out" / "duee.json"
    first, second = path.read_text(encoding="utf-8").splitlines()
    assert first == '{"id": "c2", "event_list": []}'
    arguments = [("时间", "周六"), ("胜者", "红星队"), ("败者", "蓝海队")]
    assert json.loads(second) == {
        "id": "c1",
        "event_list": [{"event_type": MATCH, "arguments": [{"role": r, "argument": a} for r, a in arguments]}],
    }


def test_the_zip_holds_the_same_file_and_equal_answers_give_equal_bytes(tmp_path):
    archives = []
    for name in ("one", "other"):
        path = write(tmp_path / name, ["c1"], [[ANSWER]])
        archives.append((path.parent / "duee.zip").read_bytes())
        with zipfile.ZipFile(path.parent / "duee.zip") as archive:
            assert archive.namelist() == ["duee.json"]
            assert archive.read("duee.json") == path.read_bytes()
    assert archives[0] == archives[1]


@given(st.dictionaries(TEXTS.filter(lambda text: text.strip()), EVENTS, min_size=1))
def test_what_is_written_is_read_from_both_files(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("out")
    write(folder, list(rows), rows.values())
    assert read_event_lists(folder / "duee.json") == read_event_lists(folder / "duee.zip") == rows


@pytest.mark.parametrize(
    ("ids", "events"),
    [
        (["c1"], []),
        (["c1"], [[], []]),
        (["c1", "c1"], [[], []]),
        (["c1"], [[{"event_type": MATCH}]]),
        (["c1"], [[{"arguments": []}]]),
        (["c1"], [[{"event_type": MATCH, "arguments": [{"role": "胜者"}]}]]),
        (["\ud83d"], [[]]),
    ],
)
def test_writing_refuses_what_is_no_submission(tmp_path, ids, events):
    with pytest.raises((ValueError, KeyError)):
        write(tmp_path, ids, events)
    assert list(tmp_path.iterdir()) == []


def test_no_space_left_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = put(tmp_path / "duee.json", b"old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=r"duee.json: cannot be written: No space left on device"):
        write(tmp_path, ["c1"], [[]])
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"old"


def test_a_complete_file_passes_the_check_in_every_form(raw, capsys):
    write(raw.parent / "out", ["c2", "c1"], [[], [ANSWER]])
    content = (raw.parent / "out" / "duee.json").read_text(encoding="utf-8")
    files = [
        raw.parent / "out" / "duee.json",
        raw.parent / "out" / "duee.zip",
        put(raw.parent / "bom.json", b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode()),
        put(raw.parent / "end.json", content.rstrip("\n").encode()),
        put(raw.parent / "other.zip", zipped(("folder/", ""), ("folder/answers.txt", content))),
    ]
    assert [check_file(file, raw) for file in files] == [2] * 5
    assert capsys.readouterr().err == ""


def test_further_fields_are_allowed(raw):
    rows = [
        row("c1", match(trigger="别的", **{"class": "人生"}), text="别的"),
        row("c2", answer("时间", "甲") | {"x": 1}),
    ]
    assert check_file(put(raw.parent / "duee.json", rows), raw) == 2


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ('{"id": "c1", "event_list": [{"event', "lines of another form: 1 (line 1: not JSON"),
        (f"[{row('c1')}]", "line 1: found a list. Expected a JSON object with 'id' and 'event_list'"),
        ('{"event_list": []}', "line 1: no 'id'"),
        ('{"id": 1, "event_list": []}', "line 1: 'id' is a number"),
        ('{"id": "c1"}', "line 1: no 'event_list'"),
        ('{"id": "c1", "event_list": {}}', "line 1: 'event_list' is an object"),
        ('{"id": "c1", "event_list": ["x"]}', "line 1: 'event_list' holds a string"),
        (row("c1", {"arguments": []}), "line 1: no 'event_type'"),
        (row("c1", {"event_type": MATCH}), "line 1: no 'arguments'"),
        (row("c1", {"event_type": MATCH, "arguments": [{"argument": "红"}]}), "line 1: no 'role'"),
        (row("c1", answer("胜者", None)), "line 1: 'argument' is null. Expected a text"),
        (f"{row('c1')}\n{row('c1')}", 'ids given twice: 1 ("c1" at lines 1 and 2)'),
        (row("b1"), 'unknown ids: 1 ("b1" at line 1)'),
        (row("c1", answer("胜者", "红队")), 'arguments that are not in the text: 1 ("红队" at line 1)'),
        (row("c1", answer("胜者", "")), "empty arguments: 1 (胜者 at line 1)"),
        (f"\n{row('c1')}", "line 1: a blank line"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(raw, bad, message):
    error = fault(raw, bad, row("c2"))
    assert error.startswith(f"{raw.parent}/duee.json: ")
    assert message in error
    assert 'Expected one line for each id, such as {"id": "...", "event_list"' in error


def test_all_faults_are_in_one_message(raw):
    error = fault(raw, "{", row("x"), row("c1", answer("胜者", "没有")), row("c1"))
    for kind in (
        "lines of another form: 1",
        "unknown ids: 1",
        "arguments that are not in the text: 1",
        "ids given twice: 1",
    ):
        assert kind in error


def test_only_the_first_examples_of_many_are_shown(raw):
    assert "unknown ids: 50 (" in fault(raw, *(row(f"x{number}") for number in range(50)))
    assert fault(raw, *(row(f"x{number}") for number in range(50))).count(" at line ") == 3


@pytest.mark.parametrize(
    ("rows", "warning"),
    [
        ([row("c1")], "missing ids, counted as without an event: 1 (c2)"),
        ([row("c1", {"event_type": "胜负", "arguments": []}), row("c2")], 'unknown event types: 1 ("胜负" at line 1)'),
        ([row("c1", answer("冠军", "红星队")), row("c2")], f'unknown roles: 1 ("冠军" of {MATCH} at line 1)'),
    ],
)
def test_what_merely_scores_nothing_is_accepted_with_a_warning(raw, capsys, rows, warning):
    assert check_file(put(raw.parent / "duee.json", rows), raw) == len(rows)
    assert f"duee.json: accepted, but {warning}." in capsys.readouterr().err


def test_files_that_hold_no_lines_are_refused(raw):
    for content in (b"", b"\n \n", b"\xef\xbb\xbf"):
        with pytest.raises(UserError, match=r"duee.json: the file is empty"):
            check_file(put(raw.parent / "duee.json", content), raw)
    with pytest.raises(UserError, match=r"none.json: no such file"):
        check_file(raw.parent / "none.json", raw)


def test_a_file_that_is_not_utf8_is_refused_in_a_zip_too(raw):
    content = f"{row('c1')}\n{row('c2', answer('胜者', '红'))}\n"
    with pytest.raises(UserError, match=r"duee.json:2: not UTF-8: byte 0x"):
        check_file(put(raw.parent / "duee.json", content.encode("gb18030")), raw)
    archive = zipped(("a.json", content.encode("gb18030")))
    with pytest.raises(UserError, match=r"duee.zip/a.json:2: not UTF-8: byte 0x"):
        check_file(put(raw.parent / "duee.zip", archive), raw)


def test_a_zip_must_hold_one_file(raw):
    for members, number in (((), 0), ((("a.json", row("c1")), ("b.json", row("c2"))), 2)):
        with pytest.raises(UserError, match=rf"duee.zip: holds {number} files. Expected one: duee.json"):
            check_file(put(raw.parent / "duee.zip", zipped(*members)), raw)


def test_a_damaged_encrypted_or_huge_zip_is_refused(raw, monkeypatch):
    good = zipped(("duee.json", row("c1") * 50))
    encrypted = bytearray(good)
    encrypted[6] |= 1
    encrypted[good.rindex(b"PK\x01\x02") + 8] |= 1
    flipped = bytearray(good)
    flipped[good.index(b"duee.json") + 12] ^= 0xFF
    for content in (good[:40], bytes(encrypted), bytes(flipped)):
        with pytest.raises(UserError, match=r"duee.zip: (not a zip, or a damaged one|cannot be read): "):
            check_file(put(raw.parent / "duee.zip", content), raw)
    monkeypatch.setattr("shared.zip_files.MAX_BYTES", 1000)
    with pytest.raises(UserError, match=r"would unpack to [\d,]+ bytes. Expected at most 1,000"):
        check_file(put(raw.parent / "duee.zip", good), raw)


def test_the_proposed_verdicts_on_files_are_reached(shared_data, tmp_path, capsys):
    document = json.loads((shared_data / "scorers" / "duee1.json").read_text(encoding="utf-8"))
    layoffs = {"event_type": "组织关系-裁员", "role_list": [{"role": "裁员方"}], "class": "组织关系"}
    raw = write_layout(
        tmp_path / "raw",
        {
            "duee_test1.json": [line("1", text="甲裁员"), line("2", text="乙")],
            "duee_event_schema.json": [*schema_lines(), json.dumps(layoffs)],
        },
    )
    verdicts = {}
    for case in document["files"]["cases"]:
        file = put(tmp_path / "duee.json", case["content"].encode())
        try:
            check_file(file, raw)
            verdicts[case["name"]] = "accept with a warning" if capsys.readouterr().err else "accept"
        except UserError:
            verdicts[case["name"]] = "reject"
    assert verdicts == {case["name"]: case["expect"] for case in document["files"]["cases"]}
    assert len(verdicts) == 11
