import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.sohu2021.submission import check, check_file, read_predictions, write
from shared.errors import UserError
from tests.competitions.sohu2021.layout import valid_ids, write_layout

IDS = ["ss0_a", "ss1_a", "sl0_b"]
ROWS = st.dictionaries(
    st.builds("{}{}_{}".format, st.sampled_from(["ss", "sl", "ll"]), st.integers(0, 50), st.sampled_from("ab")),
    st.integers(0, 1),
    min_size=1,
)


def file(tmp_path, content: str | bytes):
    path = tmp_path / "submission.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(tmp_path, content: str | bytes) -> str:
    with pytest.raises(UserError) as error:
        check(file(tmp_path, content), IDS)
    return str(error.value)


def test_writes_a_header_and_the_rows_in_the_order_given(tmp_path):
    write(tmp_path / "out" / "submission.csv", ["ll1_b", "ss0_a"], [1, 0])
    assert (tmp_path / "out" / "submission.csv").read_bytes() == b"id,label\nll1_b,1\nss0_a,0\n"


@given(ROWS)
def test_what_is_written_is_read_and_passes_the_check(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("out") / "submission.csv"
    write(path, rows.keys(), rows.values())
    assert read_predictions(path) == rows
    assert check(path, list(rows)) == len(rows)


@pytest.mark.parametrize("labels", [[0, 2], [0, 0.5], [0, None], [0], [0, 1, 1]])
def test_writing_refuses_other_labels_and_lengths(tmp_path, labels):
    with pytest.raises(ValueError):
        write(tmp_path / "submission.csv", ["ss0_a", "ss1_a"], labels)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_no_space_left_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch, call):
    path = file(tmp_path, "old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UserError, match=r"submission.csv: cannot be written: No space left on device"):
        write(path, IDS, [1, 0, 1])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        "id,label\nss0_a,1\nss1_a,0\nsl0_b,0\n",
        "ss0_a,1\nss1_a,0\nsl0_b,0\n",
        "sl0_b,0\nss1_a,0\nss0_a,1",
        "id,label\r\nss0_a,1\r\nss1_a,0\r\nsl0_b,0\r\n",
        "\ufeffid,label\nss0_a,1\nss1_a,0\nsl0_b,0\n",
        "\ufeffss0_a,1\nss1_a,0\nsl0_b,0\n",
    ],
    ids=["plain", "no_header", "order", "crlf", "bom", "bom_no_header"],
)
def test_accepted_forms(tmp_path, content):
    path = file(tmp_path, content)
    assert check(path, IDS) == 3
    assert read_predictions(path, IDS) == {"ss0_a": 1, "ss1_a": 0, "sl0_b": 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("id,label\n", "missing ids: 3 (ss0_a, ss1_a, sl0_b)"),
        ("ss0_a,1\nss1_a,0\n", "missing ids: 1 (sl0_b)"),
        ("ss0_a,1\nss1_a,0\nsl0_b,0\nll9_b,1\n", "unknown ids: 1 ('ll9_b' at line 4)"),
        ("ss0_a,1\nss1_a,0\nss0_a,1\nsl0_b,0\n", "ids given twice: 1 ('ss0_a' at lines 1 and 3)"),
        ("ss0_a,2\nss1_a,\nsl0_b, 1\n", "labels that are not 0 or 1: 3 ('2' at line 1, '' at line 2, ' 1' at line 3)"),
        ("ss0_a,0.93\nss1_a,0\nsl0_b,0\n", "'0.93' at line 1"),
        ('"ss0_a","1"\nss1_a,0\nsl0_b,0\n', "labels that are not 0 or 1: 1 ('\"1\"' at line 1)"),
        ("id\tlabel\nss0_a\t1\nss1_a\t0\n", "not of the form id,label: 3 (line 1: 'id\\tlabel', line 2:"),
        ("ss0_a,1\n\nss1_a,0\nsl0_b,0\n", "not of the form id,label: 1 (line 2: '')"),
        ("ss0_a,1\nss1_a,0\nsl0_b,0\n\n", "not of the form id,label: 1 (line 4: '')"),
        ("ss0_a,1,\nss1_a,0\nsl0_b,0\n", "not of the form id,label: 1 (line 1: 'ss0_a,1,')"),
        ("id,label,probability\nss0_a,1,0.9\n", "not of the form id,label: 2"),
        ("label,id\n1,ss0_a\n", "unknown ids: 2 ('label' at line 1, '1' at line 2)"),
        ("ss0_a ,1\nss1_a,0\nsl0_b,0\n", "unknown ids: 1 ('ss0_a ' at line 1)"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, content, message):
    assert message in fault(tmp_path, content)


def test_all_kinds_of_fault_are_named_in_one_message(tmp_path):
    message = fault(tmp_path, "id,label\nss0_a,1\nss0_a,0\nss7_a,1\nsl0_b,x\n,\n\n")
    kinds = (
        "missing ids: 1",
        "unknown ids: 2",
        "ids given twice: 1",
        "labels that are not 0 or 1: 2",
        "not of the form",
    )
    assert all(kind in message for kind in kinds)
    assert message.startswith(f"{tmp_path}/submission.csv: ")
    assert "Expected 3 rows" in message
    assert "\n" not in message


def test_only_the_first_examples_of_many_are_shown(tmp_path):
    with pytest.raises(UserError, match=r"missing ids: 999 \(ss1_a, ss2_a, ss3_a, \.\.\.\)"):
        check(file(tmp_path, "ss0_a,1\n"), [f"ss{number}_a" for number in range(1000)])


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    assert "submission.csv:2: not UTF-8" in fault(tmp_path, "ss0_a,1\n编号,0\n".encode("gb18030"))


def test_a_header_alone_holds_no_predictions(tmp_path):
    with pytest.raises(UserError, match=r"no row after the header"):
        read_predictions(file(tmp_path, "id,label\n"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none.csv: no such file"):
        check(tmp_path / "none.csv", IDS)


def test_a_file_is_checked_against_the_official_test_files(tmp_path):
    raw = write_layout(tmp_path / "raw")
    write(tmp_path / "submission.csv", valid_ids(), [1] * 12)
    assert check_file(tmp_path / "submission.csv", raw) == 12
