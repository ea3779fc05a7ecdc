"""The whole of dvc.yaml through DVC itself, on five hand-written lines a file."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shared.arrays import Split
from tests.conftest import REPOSITORY
from tests.pipelines.project import NAME, PARAMS, RAW, environment, files, set_param, write_raw

pytestmark = pytest.mark.slow

PROJECT = (
    "pipelines",
    "competitions",
    "shared",
    "dvc.yaml",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvcignore",
    ".gitignore",
)
MADE = (f"data/prepared/{NAME}", f"models/{NAME}", f"results/{NAME}", f"submissions/{NAME}", "reports")
NOTHING_TO_DO = "Data and pipelines are up to date."


def command(folder: Path, *arguments: str) -> str:
    """Runs a command in the folder and returns what it prints; it must succeed."""
    done = subprocess.run(
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, encoding="utf-8", timeout=540
    )
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def dvc(folder: Path, *arguments: str) -> str:
    return command(folder, sys.executable, "-m", "dvc", *arguments)


def ran(output: str) -> list[str]:
    """The stages that DVC ran, in their order."""
    return re.findall(r"Running stage '([^']+)'", output)


def commit(folder: Path) -> None:
    command(folder, "git", "add", "-A")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    command(folder, "git", *identity, "commit", "-q", "-m", "everything")


@pytest.fixture(scope="module")
def first_run(tmp_path_factory) -> tuple[Path, list[str]]:
    """A checkout in which `dvc repro` ran and whose files are committed, and the stages that ran."""
    folder = tmp_path_factory.mktemp("checkout") / "project"
    for name in PROJECT:
        source, target = REPOSITORY / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
    write_raw(folder / RAW)
    command(folder, "git", "init", "-q")
    stages = ran(dvc(folder, "repro"))
    commit(folder)
    return folder, stages


@pytest.fixture
def checkout(first_run, tmp_path) -> Path:
    """A copy of that checkout, for one test."""
    shutil.copytree(first_run[0], tmp_path / "project", symlinks=True)
    return tmp_path / "project"


def test_one_command_runs_every_stage_once(first_run):
    folder, stages = first_run
    assert stages == [*(f"{stage}@{NAME}" for stage in ("prepare", "train", "evaluate", "predict")), "report"]
    for name in MADE:
        assert files(folder, name)
    metrics = json.loads((folder / "results" / NAME / "metrics.json").read_text(encoding="utf-8"))
    assert 0 <= metrics["f1"] <= 1
    assert len((folder / "submissions" / NAME / "submission.csv").read_text(encoding="utf-8").splitlines()) == 31


def test_git_keeps_the_small_results_and_none_of_the_large_ones(first_run):
    tracked = command(first_run[0], "git", "ls-files").splitlines()
    assert {f"results/{NAME}/metrics.json", f"results/{NAME}/history.csv", "reports/report.md", "dvc.lock"} <= set(
        tracked
    )
    heavy = ("models/", "submissions/", "data/prepared/", "checkpoints/", f"results/{NAME}/valid/")
    assert [name for name in tracked if name.startswith(heavy)] == []
    assert [name for name in tracked if name.endswith((".gitignore", ".pyc"))] == [
        name for name in tracked if name.endswith(".gitignore")
    ]


def test_the_second_run_does_nothing(checkout):
    before = files(checkout, *MADE)
    output = dvc(checkout, "repro")
    assert NOTHING_TO_DO in output
    assert ran(output) == []
    assert files(checkout, *MADE) == before


def test_edits_of_readmes_and_caches_run_nothing(checkout):
    for folder in (f"competitions/{NAME}", "."):
        (checkout / folder / "README.md").write_text("# new\n", encoding="utf-8")
    for folder in (f"competitions/{NAME}", "shared", "pipelines"):
        (checkout / folder / "__pycache__").mkdir(exist_ok=True)
        (checkout / folder / "__pycache__" / "new.cpython-311.pyc").write_bytes(b"\0")
    assert NOTHING_TO_DO in dvc(checkout, "repro")


def test_what_only_evaluation_reads_trains_nothing(checkout):
    model = files(checkout, f"models/{NAME}")
    set_param(checkout, "baseline_rows: 100", "baseline_rows: 101")
    assert ran(dvc(checkout, "repro")) == [f"evaluate@{NAME}"]
    assert files(checkout, f"models/{NAME}") == model


@pytest.mark.parametrize(
    ("old", "new", "stages"),
    [
        ("min_count: 1", "min_count: 2", ["prepare"]),
        ("epochs: 2", "epochs: 3", ["train"]),
        ("condition_dim: 4", "condition_dim: 5", ["train"]),
        (
            "threshold_a: 0.5",
            "threshold_a: 0.6",
            ["prepare", "train", "evaluate", "predict"],
        ),  # the best epoch, the ceiling
    ],
)
def test_each_stage_reads_just_its_sections(checkout, old, new, stages):
    set_param(checkout, old, new)
    assert sorted(json.loads(dvc(checkout, "status", "--json"))) == sorted(f"{stage}@{NAME}" for stage in stages)


def test_other_raw_files_are_switched_to_by_one_param(checkout, tmp_path):
    elsewhere = write_raw(tmp_path / "elsewhere" / NAME, ending="（新）")
    targets = (f"evaluate@{NAME}", f"predict@{NAME}")
    output = dvc(checkout, "exp", "run", *targets, "-S", f"raw.{NAME}={elsewhere}")
    assert ran(output) == [f"{stage}@{NAME}" for stage in ("prepare", "train", "evaluate", "predict")]
    valid = Split.load(checkout / "data" / "prepared" / NAME / "valid.safetensors")
    assert all(text.endswith("（新）") for text in valid.ragged("source").texts())
    manifest = json.loads((checkout / "submissions" / NAME / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["data"]["raw"] == str(elsewhere)
    assert manifest["code"]["commit"]
