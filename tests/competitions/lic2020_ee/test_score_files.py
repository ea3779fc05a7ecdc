import argparse
import io
import json
import subprocess
import sys
import zipfile

import pytest

from competitions.lic2020_ee import scoring
from competitions.lic2020_ee.scoring import LITERAL, score_files
from shared.errors import UserError
from tests.competitions.lic2020_ee.layout import MATCH, line, match, put, write_layout
from tests.conftest import REPOSITORY


def winners(*texts: str) -> list[dict]:
    """Returns an event_list of one event with these arguments."""
    return [{"event_type": MATCH, "arguments": [{"role": "胜者", "argument": text} for text in texts]}]


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    return parser.parse_args(argv)


def test_files_are_scored_in_every_form(tmp_path, capsys):
    folder = write_layout(tmp_path / "raw")
    rows = line("b1", winners("红星"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("duee.json", rows)
    results = [
        score_files(gold, pred, options())
        for gold in (folder, folder / "duee_dev.json")
        for pred in (put(tmp_path / "duee.json", rows.encode()), put(tmp_path / "duee.zip", archive.getvalue()))
    ]
    assert all(result == results[0] for result in results)
    assert (results[0]["score_sum"], results[0]["predicted"], results[0]["gold"]) == (0.8, 1, 3)
    assert capsys.readouterr().err == ""


def test_the_reading_is_an_option(tmp_path):
    gold = put(tmp_path / "gold.json", [line("1", winners("甲某"))])
    pred = put(tmp_path / "pred.json", [line("1", winners("某甲", "甲某"))])
    assert score_files(gold, pred, options())["precision"] == 0.5
    assert score_files(gold, pred, options("--reading", LITERAL))["precision"] == 1.0
    assert score_files(gold, pred, options("--reading", "subsequence/best/keep"))["precision"] == 0.75
    with pytest.raises(SystemExit):
        options("--reading", "multiset")


def test_ids_that_only_one_file_has_are_named(tmp_path, capsys):
    gold = put(tmp_path / "gold.json", [line("1", winners("甲")), line("2", winners("乙"))])
    pred = put(tmp_path / "pred.json", [line("1", winners("甲")), line("9", winners("乙"))])
    assert score_files(gold, pred, options())["precision"] == 1.0
    err = capsys.readouterr().err
    assert "pred.json: 1 of 2 ids are missing; they count as empty." in err
    assert f"1 of 2 ids are not in {gold}: ignored; see --unknown-ids." in err
    assert score_files(gold, pred, options("--unknown-ids", "count"))["precision"] == 0.5
    assert "counted as wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("gold", "pred", "message"),
    [
        ([line("1", [])], ["{"], r"pred.json: lines of another form: 1 \(line 1: not JSON"),
        ([line("1")], [line("1", [])], r"gold.json: lines of another form: 1 \(line 1: no 'event_list'"),
        ([line("1", [])], [line("1", []), line("1", [])], r"pred.json: ids given twice"),
        (
            [line("1", [])],
            [line("2", [])],
            r"pred.json: none of its 1 ids is in .*gold.json, which has ids such as '1'",
        ),
        (
            [line("1", [match(arguments=[{"role": "胜者", "argument": "红", "alias": "红星"}])])],
            [line("1", [])],
            r"gold.json: id '1': 'alias' is a string. Expected a list of texts",
        ),
    ],
)
def test_bad_files_are_named(tmp_path, gold, pred, message):
    with pytest.raises(UserError, match=message):
        score_files(put(tmp_path / "gold.json", gold), put(tmp_path / "pred.json", pred), options())


def test_the_command_line_scores_without_a_deep_learning_framework(tmp_path):
    folder = write_layout(tmp_path / "raw")
    pred = put(tmp_path / "pred.json", [line("b1", [match()])])
    code = (
        "import sys; from pipelines.score import main; status = main(sys.argv[1:]); "
        "slow = {'keras', 'tensorflow', 'pandas', 'sklearn', 'pydantic', 'scipy'} & sys.modules.keys(); "
        "sys.exit(f'imported: {slow}' if slow else status)"
    )
    arguments = ["lic2020_ee", "--gold", str(folder / "duee_dev.json"), "--pred", str(pred)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["f1"] == 1.0


def test_the_development_data_scores_one_against_itself(shared_data):
    gold = shared_data / "data" / "duee1" / "duee_dev.json"
    result = score_files(gold, gold, options())
    assert {result[name] for name in ("f1", "event_type_f1", "exact_argument_f1", "event_f1")} == {1.0}
    assert (result["literal"]["f1"], result["gold"]) == (1.0, 460)
