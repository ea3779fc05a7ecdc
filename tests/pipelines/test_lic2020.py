"""Relations, events and reading comprehension from raw files to checked submissions, by the stages themselves."""

import json
from pathlib import Path

import pytest

from shared.files import read_json, sha256_file
from tests.pipelines.lic2020 import NAMES, write_params, write_raw
from tests.pipelines.project import files, finish, start

pytestmark = pytest.mark.slow

RUN = """
import sys
from pipelines import evaluate, predict, prepare, report, train
for name in sys.argv[1:]:
    for stage in (prepare, train, evaluate, predict):
        assert stage.main([name]) == 0
assert report.main([]) == 0
"""
SCORED = {
    "lic2020_re": ("duie_dev.json", ("precision", "recall", "f1")),
    "lic2020_ee": ("duee_dev.json", ("precision", "recall", "f1")),
    "lic2020_mrc": ("dev.json", ("f1", "em")),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """A folder in which all stages of the three competitions ran, with two epochs each."""
    folder = tmp_path_factory.mktemp("lic2020")
    for name in NAMES:
        (folder / "competitions" / name).mkdir(parents=True)
        write_raw(name, folder / "raw" / name)
    write_params(folder, epochs=2, batch_size=8)
    finish(start(folder, "-c", RUN, *NAMES))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_leaves_its_files(done, name):
    metrics = read_json(done / "results" / name / "metrics.json")
    assert 0 <= metrics["f1"] <= 1
    assert metrics["baselines"]
    assert len((done / "results" / name / "history.csv").read_text(encoding="utf-8").splitlines()) == 3
    for folder in ("pr_curve", "confusion", "valid"):
        assert files(done, f"results/{name}/{folder}")
    manifest = read_json(done / "submissions" / name / "manifest.json")
    assert manifest["sha256"] == sha256_file(done / "submissions" / name / manifest["file"])
    assert name in (done / "reports" / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_model_could_answer_everything(done, name):
    ceiling = read_json(done / "results" / name / "data_report.json")["ceiling"]
    assert ceiling["valid"]["f1"] == pytest.approx(1.0)
    assert "Label ceiling" in (done / "results" / name / "data_report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_the_score_of_the_saved_answers_is_that_of_the_metrics(done, name):
    gold, figures = SCORED[name]
    file = read_json(done / "submissions" / name / "manifest.json")["file"]
    arguments = ["--gold", f"raw/{name}/{gold}", "--pred", f"results/{name}/valid/{file}"]
    scored = json.loads(finish(start(done, "-m", "pipelines.score", name, *arguments)))
    metrics = read_json(done / "results" / name / "metrics.json")
    assert {figure: scored[figure] for figure in figures} == {figure: metrics[figure] for figure in figures}


@pytest.mark.parametrize("name", NAMES)
def test_the_submission_passes_the_check_of_the_command_line(done, name):
    file = read_json(done / "submissions" / name / "manifest.json")["file"]
    told = finish(start(done, "-m", "pipelines.check", name, f"submissions/{name}/{file}"))
    assert "valid for the test files" in told
