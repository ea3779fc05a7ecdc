import csv
import io

import numpy as np

from shared.csv_files import write_csv


def written(tmp_path, rows) -> bytes:
    write_csv(tmp_path / "new" / "table.csv", rows)
    return (tmp_path / "new" / "table.csv").read_bytes()


def test_the_header_is_the_keys_of_the_first_row(tmp_path):
    assert written(tmp_path, [{"epoch": 1, "f1": 0.5}, {"epoch": 2, "f1": 1.0}]) == b"epoch,f1\n1,0.5\n2,1.0\n"


def test_floats_keep_every_digit(tmp_path):
    values = [0.1 + 0.2, 1e-300, 1 / 3, float(np.float32(0.1))]
    rows = csv.DictReader(io.StringIO(written(tmp_path, [{"x": value} for value in values]).decode()))
    assert [float(row["x"]) for row in rows] == values


def test_texts_are_quoted_where_needed_and_utf8(tmp_path):
    row = {"text": '今,"天"', "other": "a\nb"}
    data = written(tmp_path, [row])
    assert data.decode() == 'text,other\n"今,""天""","a\nb"\n'
    assert list(csv.DictReader(io.StringIO(data.decode(), newline=""))) == [row]


def test_no_rows_give_an_empty_file(tmp_path):
    assert written(tmp_path, []) == b""


def test_nothing_else_is_left_in_the_folder(tmp_path):
    written(tmp_path, [{"a": 1}])
    written(tmp_path, [{"b": 2}])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.csv"]
