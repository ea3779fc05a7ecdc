"""The stages prepare, train, evaluate, predict and report on five hand-written lines a file."""

import csv
import importlib
import json
import re
import shutil
from pathlib import Path

import pytest

from competitions.sohu2021.submission import check_file
from pipelines import evaluate, predict, prepare, report, search, train
from tests.pipelines import project
from tests.pipelines.project import NAME, RAW, files, finish, set_param, start, write_project

ALL = ("prepare", "train", "evaluate", "predict", "report", "score", "check", "schema", "ablate", "search")

RUN = """
import sys
from pipelines import evaluate, predict, prepare, report, train
for stage in (prepare, train, evaluate, predict):
    assert stage.main(["sohu2021"]) == 0
assert report.main([]) == 0
"""

# After a whole run: the training again, ended from outside after its first epoch, then started anew.
INTERRUPTED = """
from pathlib import Path
from competitions.sohu2021 import model
Path("models").rename("models_unbroken")
Path("results/sohu2021/history.csv").unlink()
original, calls = model.infer, []
def interrupted(*arguments, **options):
    calls.append(1)
    if len(calls) == 2:
        raise KeyboardInterrupt
    return original(*arguments, **options)
model.infer = interrupted
assert train.main(["sohu2021"]) == 130
assert len(list(Path("checkpoints/sohu2021").glob("*/*.safetensors"))) == 1
assert not Path("models/sohu2021").exists()
model.infer = original
assert train.main(["sohu2021"]) == 0
assert len(calls) == 2
assert not list(Path("checkpoints").rglob("*.safetensors"))
"""


@pytest.fixture(scope="session")
def twice(tmp_path_factory) -> tuple[Path, Path]:
    """Two folders with the same params and files; all stages ran in each, in the second the training once more."""
    folders = [write_project(tmp_path_factory.mktemp(name) / "project") for name in ("first", "second")]
    for process in [start(folders[0], "-c", RUN), start(folders[1], "-c", RUN + INTERRUPTED)]:
        finish(process)
    return folders[0], folders[1]


@pytest.fixture(scope="session")
def done(twice) -> Path:
    return twice[0]


@pytest.fixture
def copy(done, tmp_path, monkeypatch) -> Path:
    """A copy of a project whose stages ran, as working directory."""
    shutil.copytree(done, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def fresh(tmp_path, monkeypatch) -> Path:
    """A project in which no stage ran, as working directory."""
    monkeypatch.chdir(write_project(tmp_path / "project"))
    return tmp_path / "project"


def refused(stage, capsys) -> str:
    """The one message of a stage that ends with 1."""
    assert stage.main([NAME]) == 1
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return err.strip()


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_every_stage_leaves_its_files(done):
    made = {path.relative_to(done).as_posix() for path in done.rglob("*") if path.is_file()}
    assert made - {path for path in made if path.startswith((RAW, "params.yaml"))} == {
        *(f"data/prepared/{NAME}/{file}" for file in ("labels.json", "vocab.txt")),
        *(f"data/prepared/{NAME}/{split}.safetensors" for split in ("train", "valid", "test")),
        *(f"models/{NAME}/{file}.json" for file in ("labels", "provenance", "settings")),
        *(f"models/{NAME}/{file}" for file in ("vocab.txt", "weights.safetensors")),
        *(f"results/{NAME}/data_report.{ending}" for ending in ("json", "md")),
        f"results/{NAME}/history.csv",
        *(f"results/{NAME}/valid/{file}.csv" for file in ("probabilities", "submission")),
        *(f"results/{NAME}/{file}/{kind}.csv" for file in ("confusion", "pr_curve") for kind in "ab"),
        f"results/{NAME}/metrics.json",
        *(f"submissions/{NAME}/{file}" for file in ("manifest.json", "probabilities.csv", "submission.csv")),
        "reports/index.html",
        "reports/report.md",
    }


def test_two_runs_of_the_same_params_give_equal_bytes(twice):
    first, second = (files(folder, "data/prepared", "results", "reports", "submissions") for folder in twice)
    assert [name for name in first if first[name] != second[name]] == []
    assert list(first) == list(second)


def test_an_interrupted_training_started_again_ends_as_an_unbroken_one(twice):
    unbroken, broken = twice
    assert files(broken / "models_unbroken", NAME) == files(unbroken / "models", NAME)
    assert files(broken / "models", NAME) == files(unbroken / "models", NAME)


def test_the_metrics_hold_score_slices_and_baselines(done):
    metrics = read_json(done / "results" / NAME / "metrics.json")
    assert metrics["f1"] == (metrics["f1_a"] + metrics["f1_b"]) / 2
    assert metrics["ll_b"]["n"] == 5
    assert set(metrics["baselines"]) == {"always_positive", "tfidf_logistic_regression"}
    assert metrics["baselines"]["always_positive"]["f1"] == 0.75  # 3 of 5 are positive
    assert metrics["best_epoch"] in (1, 2)
    assert metrics["weights"] > 100_000


def test_the_learning_curve_has_a_row_an_epoch(done):
    rows = list(csv.DictReader((done / "results" / NAME / "history.csv").open(encoding="utf-8")))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert list(rows[0])[:4] == ["epoch", "loss", "learning_rate", "f1"]
    metrics = read_json(done / "results" / NAME / "metrics.json")
    assert float(rows[metrics["best_epoch"] - 1]["f1"]) == metrics["f1"]  # the saved model is the validated one


def test_the_submission_is_complete_and_its_manifest_says_where_it_comes_from(done):
    folder = done / "submissions" / NAME
    assert check_file(folder / "submission.csv", done / RAW) == 30
    manifest = read_json(folder / "manifest.json")
    assert (manifest["competition"], manifest["file"], manifest["rows"]) == (NAME, "submission.csv", 30)
    assert manifest["scores"] == read_json(done / "results" / NAME / "metrics.json")
    assert manifest["params"]["predict"].items() >= {"threshold_a": 0.5, "threshold_b": 0.45}.items()
    assert {len(manifest[part]["sha256"]) for part in ("model", "code")} == {64}
    assert len(manifest["data"]["raw_sha256"]) == 64


def test_the_report_shows_scores_plots_and_data(done):
    text = (done / "reports" / "report.md").read_text(encoding="utf-8")
    assert "| tfidf_logistic_regression" in text
    assert "submission.csv: 30 rows, checked" in text
    page = (done / "reports" / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "{{" not in page


def test_report_show_prints_the_tables_and_writes_nothing(copy, capsys):
    shutil.rmtree(copy / "reports")
    assert report.main(["--show"]) == 0
    assert "| always_positive" in capsys.readouterr().out
    assert not (copy / "reports").exists()


def test_the_model_folder_needs_nothing_else(copy):
    from competitions.sohu2021.task import task
    from shared.arrays import Split
    from shared.training.model_folder import load_model

    valid = Split.load(shutil.move(copy / "data" / "prepared" / NAME / "valid.safetensors", copy.parent))
    with (copy / "results" / NAME / "valid" / "probabilities.csv").open(encoding="utf-8") as file:
        want = [float(row["probability"]) for row in csv.DictReader(file)]
    shutil.move(copy / "models" / NAME, copy.parent / "moved")
    shutil.rmtree(copy)
    model = load_model(copy.parent / "moved", task)
    changed = model.settings.model_copy(
        update={"hardware": model.settings.hardware.model_copy(update={"predict_batch_size": 7})}
    )
    logits = task.infer(model.network, valid, changed, model.labels)["logits"]
    probability = 1 / (1 + pytest.importorskip("numpy").exp(logits[:, 0] - logits[:, 1]))
    assert probability.tolist() == pytest.approx(want, abs=1e-5)
    assert model.labels["labels"] == ["0", "1"]
    assert len(model.vocabulary) == len((copy.parent / "moved" / "vocab.txt").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate", "predict"])
def test_a_slip_in_any_section_is_told_before_any_work(copy, capsys, stage):
    shutil.rmtree(copy / RAW)  # what is looked at later
    shutil.rmtree(copy / "data" / "prepared")
    set_param(copy, "threshold_a: 0.5", "treshold_a: 0.5")
    text = refused(importlib.import_module(f"pipelines.{stage}"), capsys)
    assert "unknown key 'sohu2021.predict.treshold_a'. Did you mean 'threshold_a'?" in text


def test_the_search_prints_values_that_reach_the_score_it_tells(copy, capsys):
    set_param(copy, "threshold_a: 0.5", "threshold_a: 0.99")  # nothing is a match: much to gain
    before = files(copy, ".")
    assert search.main([NAME, "--rounds", "3"]) == 0
    assert files(copy, ".") == before
    out = capsys.readouterr().out
    assert "| predict.threshold_a | 0.99 |" in out
    assert "can_alpha" not in out  # it changes nothing while `can` is off
    told = re.search(r"f1 on all validation rows: (\S+) -> (\S+), ", out)
    found = re.findall(r"\| predict.(threshold_.) \| \S+ +\| (\S+) ", out)
    assert float(told[2]) > float(told[1])
    for key, value in found:
        set_param(copy, f"{key}: {'0.99' if key == 'threshold_a' else '0.45'}", f"{key}: {value}")
    assert evaluate.main([NAME]) == 0
    assert read_json(copy / f"results/{NAME}/metrics.json")["f1"] == pytest.approx(float(told[2]), abs=5e-5)


def test_the_search_refuses_what_it_cannot_search(copy, capsys):
    assert search.main([NAME, "predict.treshold_a"]) == 1
    assert "predict.treshold_a: no decimal number that is set. Did you mean 'threshold_a'?" in capsys.readouterr().err
    assert search.main([NAME, "can_alpha"]) == 1
    assert "none of these numbers changes f1" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate", "predict"])
def test_an_unknown_competition_is_told_with_the_nearest_name(fresh, capsys, stage):
    assert importlib.import_module(f"pipelines.{stage}").main(["sohu2012"]) == 1
    assert "unknown competition 'sohu2012'. Did you mean 'sohu2021'?" in capsys.readouterr().err


def test_stages_before_their_time_name_the_one_to_run_first(fresh, capsys):
    assert refused(train, capsys).endswith("train.safetensors: no such file. Run the prepare stage first.")
    assert refused(evaluate, capsys).endswith("Run the prepare stage first.")
    assert refused(predict, capsys).endswith("Run the prepare stage first.")
    assert report.main([]) == 1
    assert "Run: dvc repro evaluate@sohu2021" in capsys.readouterr().err
    assert prepare.main([NAME]) == 0
    capsys.readouterr()
    for stage in (evaluate, predict):
        assert "models/sohu2021: no such folder. Run the train stage first: dvc repro train@sohu2021" in refused(
            stage, capsys
        )
    assert not (fresh / "submissions").exists()


def test_missing_raw_files_are_told_and_nothing_is_written(fresh, capsys):
    shutil.rmtree(fresh / RAW)
    assert "data/sample/sohu2021: no such folder" in refused(prepare, capsys)
    assert {path.name for path in fresh.iterdir()} == {"params.yaml", "competitions", "data"}
    assert not (fresh / "data" / "prepared").exists()


def test_a_bad_line_ends_prepare_and_the_earlier_arrays_stay(copy, capsys):
    file = next((copy / RAW).glob("*/train.txt"))
    file.write_text('{"source": "今"\n', encoding="utf-8")
    before = files(copy, "data/prepared")
    assert f"{file.parent.name}/train.txt:1: not JSON" in refused(prepare, capsys)
    assert files(copy, "data/prepared") == before


@pytest.mark.parametrize("stage", [evaluate, predict])
def test_a_model_of_another_competition_is_refused(copy, capsys, stage):
    path = copy / "models" / NAME / "settings.json"
    path.write_text(json.dumps(read_json(path) | {"competition": "lic2019"}), encoding="utf-8")
    before = files(copy, "results", "submissions")
    assert "a model of 'lic2019', but 'sohu2021' was asked for" in refused(stage, capsys)
    assert files(copy, "results", "submissions") == before


def test_a_model_with_settings_of_an_older_version_is_refused(copy, capsys):
    path = copy / "models" / NAME / "settings.json"
    path.write_text(json.dumps(read_json(path) | {"version": 0}), encoding="utf-8")
    assert "settings of version 0, this kit reads version 1" in refused(evaluate, capsys)


def test_a_damaged_model_is_refused(copy, capsys):
    path = copy / "models" / NAME / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    assert "weights.safetensors: damaged" in refused(evaluate, capsys)


def test_test_files_changed_after_prepare_leave_the_earlier_submission(copy, capsys):
    file = next((copy / RAW).glob("*/test_with_id.txt"))
    file.write_text("".join(file.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")
    before = files(copy, "submissions")
    assert "unknown ids: 1" in refused(predict, capsys)
    assert files(copy, "submissions") == before
    assert [path.name for path in (copy / "submissions").iterdir()] == [NAME]


@pytest.mark.parametrize("stage", ALL)
def test_every_stage_explains_itself(stage, capsys):
    arguments = ["--help"] if stage != "score" else [NAME, "--help"]
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"pipelines.{stage}").main(arguments)
    assert end.value.code == 0
    assert f"usage: python -m pipelines.{stage}" in capsys.readouterr().out


@pytest.mark.parametrize("stage", ALL)
def test_a_call_without_sense_ends_with_2(stage, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"pipelines.{stage}").main(["--no-such-option"])
    assert end.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "arguments"),
    [
        ("prepare", [NAME]),
        ("score", [NAME, "--gold", RAW, "--pred", f"results/{NAME}/valid/submission.csv"]),
        ("check", [NAME, f"submissions/{NAME}/submission.csv"]),
        ("report", []),
        ("schema", []),
    ],
)
def test_stages_that_do_not_compute_start_without_a_backend(copy, stage, arguments):
    code = (
        f"import sys; from pipelines import {stage}; assert {stage}.main({arguments!r}) == 0; "
        "loaded = {'tensorflow', 'keras', 'jax', 'torch', 'sklearn', 'pandas'} & set(sys.modules); "
        "assert not loaded, loaded"
    )
    finish(start(copy, "-c", code))


def test_the_score_of_the_saved_predictions_is_that_of_the_metrics(copy):
    scored = json.loads(
        finish(
            start(copy, "-m", "pipelines.score", NAME, "--gold", RAW, "--pred", f"results/{NAME}/valid/submission.csv")
        )
    )
    metrics = read_json(copy / "results" / NAME / "metrics.json")
    assert {name: metrics[name] for name in scored} == scored


def test_the_files_of_the_tests_have_both_labels():
    assert {label for *_, label in project.PAIRS} == {0, 1}
