import pytest

from competitions.sohu2021 import submission
from pipelines import check
from tests.competitions.sohu2021.layout import valid_ids, write_layout


@pytest.fixture
def raw(tmp_path):
    return write_layout(tmp_path / "raw")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "submission.csv"
    submission.write(path, valid_ids(), [1] * 12)
    return path


def test_a_complete_file_passes(raw, file, capsys):
    assert check.main(["sohu2021", str(file), "--raw", str(raw)]) == 0
    assert capsys.readouterr().out == f"{file}: 12 rows, valid for the test files in {raw}.\n"


def test_the_folder_is_that_of_params_yaml_by_default(raw, file, capsys, monkeypatch):
    monkeypatch.setattr("shared.settings.raw_folders", lambda: {"sohu2021": raw})
    assert check.main(["sohu2021", str(file)]) == 0
    assert "12 rows" in capsys.readouterr().out


def test_a_competition_without_a_folder_in_params_yaml_is_named(file, capsys, monkeypatch):
    monkeypatch.setattr("shared.settings.raw_folders", dict)
    assert check.main(["sohu2021", str(file)]) == 1
    assert "params.yaml: no folder for 'sohu2021' under 'raw'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["missing", "extra", "duplicate"])
def test_wrong_ids_give_one_message(raw, file, capsys, kind):
    ids = {"missing": valid_ids()[1:], "extra": [*valid_ids(), "ll2_b"], "duplicate": [*valid_ids(), "ss0_a"]}[kind]
    submission.write(file, ids, [1] * len(ids))
    assert check.main(["sohu2021", str(file), "--raw", str(raw)]) == 1
    output = capsys.readouterr()
    expected = {"missing": "missing ids: 1 (ss0_a)", "extra": "unknown ids: 1", "duplicate": "ids given twice: 1"}
    assert expected[kind] in output.err
    assert output.out == ""


def test_an_unknown_competition_and_a_missing_file_are_named(raw, capsys):
    assert check.main(["sohu", "none.csv", "--raw", str(raw)]) == 1
    assert "Did you mean 'sohu2021'?" in capsys.readouterr().err
    assert check.main(["sohu2021", "none.csv", "--raw", str(raw)]) == 1
    assert capsys.readouterr().err == "none.csv: no such file.\n"
