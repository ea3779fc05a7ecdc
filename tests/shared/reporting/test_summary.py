import json
from pathlib import Path

import pytest

from shared.errors import UserError
from shared.reporting.summary import OVERVIEW, SHOWN_SLICES, Summary, Table, overview

SLICE = {"f1": 0.5, "precision": 0.4, "recall": 2 / 3, "positives": 3, "n": 7}
METRICS = {
    "f1": 0.61234,
    "f1_a": 1.0,
    "positives_a": 3,
    "ss_a": SLICE,
    "best_threshold": {"f1": 0.7, "threshold_a": 0.3},
    "best_epoch": 2,
    "weights": 1234,
    "baselines": {
        "always_positive": {"f1": 0.25, "f1_a": 0.5, "ss_a": SLICE | {"f1": 0.125}, "best_threshold": {"f1": 0.26}}
    },
}


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path("results/toy")
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    (folder / "data_report.json").write_text('{"ceiling": {"valid": {"f1": 0.98765, "lost": {}}}}', encoding="utf-8")
    (folder / "data_report.md").write_text("# 数据\n", encoding="utf-8")
    (folder / "history.csv").write_text("epoch,loss,f1\n1,0.5,0.25\n", encoding="utf-8")
    return folder


def change(results: Path, **metrics) -> Summary:
    left = {name: value for name, value in (METRICS | metrics).items() if value is not None}
    (results / "metrics.json").write_text(json.dumps(left), encoding="utf-8")
    return Summary.load("toy")


def test_columns_line_up_and_only_the_first_is_flush_left():
    table = Table("title", ["", "f1"], [["model", "0.5"], ["x", "1.0000"]])
    assert table.markdown() == "|       |     f1 |\n| ----- | -----: |\n| model |    0.5 |\n| x     | 1.0000 |"


def test_chinese_characters_take_two_columns():
    table = Table("title", ["", "f1"], [["主演", "0.5"], ["abcd", "1"]])
    assert table.markdown().splitlines()[2:] == ["| 主演 | 0.5 |", "| abcd |   1 |"]


def test_a_table_without_rows_has_its_header():
    assert Table("title", ["slice", "rows"], []).markdown() == "| slice | rows |\n| ----- | ---: |"


def test_scores_stand_beside_the_baselines_with_the_best_threshold(results):
    scores = Summary.load("toy").scores()
    assert scores.header == ["", "f1", "f1_a", "f1 at best thresholds"]
    assert scores.rows == [
        ["model (epoch 2)", "0.6123", "1.0000", "0.7000"],
        ["always_positive", "0.2500", "0.5000", "0.2600"],
    ]


def test_without_best_thresholds_there_is_no_such_column(results):
    assert change(results, best_threshold=None).scores().header == ["", "f1", "f1_a"]


def test_slices_stand_beside_the_baselines(results):
    (slices,) = Summary.load("toy").slices()
    assert slices.header == ["slice", "rows", "positives", "f1", "precision", "recall", "f1 always_positive"]
    assert slices.rows == [["ss_a", "7", "3", "0.5000", "0.4000", "0.6667", "0.1250"]]


def test_a_competition_without_slices_has_no_such_table(results):
    summary = change(results, ss_a=None)
    assert summary.slices() == []
    assert "precision" not in summary.markdown()


def test_each_way_of_slicing_has_its_table_and_the_text_shows_its_first_rows(results):
    parts = {f"p{number}": {"n": number, "f1": 0.5} for number in range(SHOWN_SLICES + 2)}
    baselines = {"always_positive": METRICS["baselines"]["always_positive"] | {"by_predicate": {"p1": {"f1": 0.25}}}}
    summary = change(results, by_predicate=parts, baselines=baselines)
    table = summary.slices()[1]
    assert table.title == "By predicate"
    assert table.header == ["predicate", "rows", "f1", "f1 always_positive"]
    assert table.rows[:2] == [["p0", "0", "0.5000", "0.0000"], ["p1", "1", "0.5000", "0.2500"]]
    assert len(table.rows) == SHOWN_SLICES + 2
    text = summary.markdown()
    assert f"| p{SHOWN_SLICES - 1} " in text
    assert f"| p{SHOWN_SLICES} " not in text
    assert "and 2 more: see the page." in text


def test_the_overview_sets_each_model_beside_its_best_baseline_and_its_ceiling(results):
    table = overview([Summary.load("toy")])
    assert table.header == OVERVIEW
    assert table.rows == [["toy", "f1", "0.6123", "0.2500 (always_positive)", "0.9877", "-"]]


def test_curves_are_read_by_the_name_of_their_file(results):
    summary = Summary.load("toy")
    assert summary.curve("history") == {"history": [{"epoch": "1", "loss": "0.5", "f1": "0.25"}]}
    assert summary.curve("pr_curve") == {}


def test_the_submission_is_named_once_there_is_one(results):
    assert Summary.load("toy").submission() == "no submission yet: dvc repro predict@toy"
    folder = Path("submissions/toy")
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"file": "submission.csv", "rows": 12}', encoding="utf-8")
    assert Summary.load("toy").submission() == (
        "submissions/toy/submission.csv: 12 rows, checked against the test files"
    )


def test_the_section_holds_name_tables_and_submission(results):
    text = Summary.load("toy").markdown()
    assert text.startswith("## toy\n\n| ")
    assert "| ss_a " in text
    assert text.endswith("Submission: no submission yet: dvc repro predict@toy\n")


def test_results_that_are_not_there_say_what_to_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"results/toy: no metrics.json. Run: dvc repro evaluate@toy"):
        Summary.load("toy")
