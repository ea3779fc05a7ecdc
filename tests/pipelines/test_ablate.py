"""Plans on five hand-written lines a file: two trials with two seeds, then the same command again."""

import csv
import json
import shutil
import signal
import time

import pytest

from pipelines import ablate
from shared.ablation import runner, table
from shared.ablation.plan import load_plan
from shared.ablation.record import Origin, Record, load_record, why_run
from shared.ablation.results import collect
from shared.ablation.runner import run_plan, runs_of
from shared.ablation.versions import code_version, prepare_params, prepared_folder
from shared.errors import UserError
from tests.pipelines.project import NAME, finish, set_param, start, write_project

PLAN = """\
competition: sohu2021
seeds: [0, 1]
base:
  train.epochs: 2
trials:
  baseline:
  smooth:
    train.label_smoothing: 0.1
  short:
    data.max_length: 24
"""


def write_plan(folder, text=PLAN):
    (folder / "plans").mkdir(exist_ok=True)
    (folder / "plans/small.yaml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = write_plan(write_project(tmp_path))
    monkeypatch.chdir(folder)
    return folder


class Workers:
    """In place of processes: writes what a worker would, without training. break_on: makes a run fail."""

    def __init__(self, monkeypatch):
        self.calls, self.break_on, self.status = [], None, 1
        monkeypatch.setattr(runner.Processes, "call", self.call)

    def call(self, what, folder, hear):
        request = json.loads((folder / "request.json").read_text("utf-8"))
        if what == "prepare":
            (folder.parent / request["prepared"].rsplit("/", 1)[1]).mkdir()
            self.calls.append("prepare")
            return 0
        origin = Origin(**request["origin"])
        seed, smoothing = origin.settings["train"]["seed"], origin.settings["train"]["label_smoothing"]
        self.calls.append(f"{request['trial']} {seed}")
        if self.calls[-1] == self.break_on:
            (folder / "failure.json").write_text('{"reason": "epoch 1: the model has collapsed"}', encoding="utf-8")
            return self.status
        score = 0.5 + 0.1 * seed + smoothing
        cost = {"memory": {"bytes": 100 + round(100 * smoothing)}, "rows_per_s": 10.0 / (1 + smoothing)}
        cost |= {"predict_rows_per_s": 7.0, "rows_an_epoch": 20, "machine": "m", "jobs": 1}
        Record(NAME, request["trial"], seed, "f1", origin, cost, score, 2, {"f1": score}).save(folder)
        return 0


@pytest.fixture
def workers(monkeypatch):
    return Workers(monkeypatch)


def plan():
    return load_plan("plans/small.yaml")


def run(trials=("baseline", "smooth"), seeds=(0, 1), said=None, **options):
    return run_plan(plan(), runs_of(plan(), trials, seeds), say=(said if said is not None else []).append, **options)


def test_a_second_call_runs_nothing(project, workers):
    said = []
    assert run(said=said) == 4
    assert workers.calls == ["prepare", "baseline 0", "smooth 0", "baseline 1", "smooth 1"]
    assert "[trial 4 of 4] smooth seed 1: f1 0.7000 in epoch 2, 9.1 rows/s" in said[-1]
    assert run(said=said) == 0
    assert len(workers.calls) == 5
    assert "0 runs to do, 4 of 4 there already" in said[-1]


def test_runs_side_by_side_have_a_share_of_the_cpus_each(project, workers, monkeypatch):
    monkeypatch.setattr(runner.os, "sched_getaffinity", lambda process: {0, 1, 2, 5, 7})
    run(jobs=2)
    given = [json.loads(path.read_text("utf-8"))["cpus"] for path in project.glob("ablations/small/*/*/request.json")]
    assert sorted(map(tuple, given)) in ([(0, 1)] * n + [(2, 5)] * (4 - n) for n in range(1, 5))


def test_a_full_disk_ends_the_plan_and_leaves_no_run_waiting(project, workers, monkeypatch):
    def full(path, document):
        raise OSError(28, "No space left on device")

    assert run(trials=["baseline"], seeds=[0]) == 1  # the arrays are made
    monkeypatch.setattr(runner, "write_json", full)
    with pytest.raises(OSError, match="No space left"):
        run(seeds=[1, 2])


@pytest.mark.parametrize(("jobs", "cpus"), [(1, {0, 1}), (3, {0, 1})])
def test_one_run_and_more_runs_than_cpus_have_all_cpus(monkeypatch, jobs, cpus):
    monkeypatch.setattr(runner.os, "sched_getaffinity", lambda process: cpus)
    shares = runner.shares_of_cpus(jobs)
    assert [shares.get() for _ in range(jobs)] == [[]] * jobs


def test_a_damaged_result_runs_again_and_is_named(project, workers):
    run()
    (project / "ablations/small/smooth/seed-1/metrics.json").write_text('{"version": 1, "sco', encoding="utf-8")
    said = []
    assert run(said=said) == 1
    assert said[0].startswith("smooth seed 1: again: ablations/small/smooth/seed-1/metrics.json:1:")
    assert workers.calls[-1] == "smooth 1"


@pytest.mark.parametrize("text", ["[]", '{"version": 1}', '{"version": 0}', '{"version": 1, "origin": {}}', ""])
def test_what_is_no_result_runs_again(project, workers, text):
    run()
    (project / "ablations/small/baseline/seed-0/metrics.json").write_text(text, encoding="utf-8")
    assert run() == 1


def test_another_setting_runs_again_and_is_named(project, workers):
    run()
    set_param(project, "dropout: 0.1\n      attention", "dropout: 0.2\n      attention")
    said = []
    assert run(said=said) == 4
    assert "baseline seed 0: again: model.backbone.dropout was 0.1, is 0.2" in said


def without(folder, section, key):
    """Takes a key out of a result's settings, as if it was from before there was such a key."""
    document = json.loads((folder / "metrics.json").read_text("utf-8"))
    value = document["origin"]["settings"][section].pop(key)
    (folder / "metrics.json").write_text(json.dumps(document), encoding="utf-8")
    return value


def test_a_result_older_than_a_key_stands_as_long_as_the_key_has_its_default(project, workers):
    run()
    for folder in sorted(project.glob("ablations/small/*/seed-*")):
        assert without(folder, "model", "last_layers") == 1
        assert without(folder, "train", "focal_gamma") == 2.0
    assert run() == 0
    results = collect(plan(), runs_of(plan(), ("baseline", "smooth"), (0, 1)))
    assert [len(trial.records) for trial in results.trials] == [2, 2]
    assert without(project / "ablations/small/smooth/seed-1", "train", "label_smoothing") == 0.1
    said = []
    assert run(said=said) == 1
    assert "smooth seed 1: again: train.label_smoothing was 0.0, is 0.1" in said


def test_other_data_and_other_code_run_again(project, workers, monkeypatch):
    run()
    said = []
    monkeypatch.setattr(runner, "code_version", lambda name: "other")
    assert run(any_code=True) == 0
    assert run(said=said) == 4
    assert "baseline seed 0: again: other code" in said
    monkeypatch.setattr(runner, "sha256_folder", lambda path: "other")
    assert run(said=said) == 4
    assert "baseline seed 0: again: other official files" in said


def test_a_result_from_other_official_files_is_named_in_the_table(project, workers):
    run(trials=("baseline",))
    shutil.copytree("data/sample/sohu2021", "other")
    (project / "other/more.txt").write_text("", encoding="utf-8")
    other = load_plan("plans/small.yaml", project / "other")
    assert run_plan(other, runs_of(other, ["smooth"], (0,)), say=[].append) == 1
    text = table.markdown(collect(plan(), runs_of(plan(), ["baseline", "smooth"], (0, 1))))
    assert "The runs were made from different official files" in text


def test_data_that_cannot_be_prepared_fail_their_trial_only(project, workers):
    call = workers.call

    def fails_for_short(self, what, folder, hear):
        settings = json.loads((folder / "request.json").read_text("utf-8")).get("settings")
        if settings and settings["data"]["max_length"] == 24:
            (folder / "failure.json").write_text('{"reason": "too short"}', encoding="utf-8")
            return 1
        return call(what, folder, hear)

    runner.Processes.call = fails_for_short
    run(trials=("baseline", "short"), seeds=(0,))
    assert load_record(project / "ablations/small/baseline/seed-0").failed is None
    failed = load_record(project / "ablations/small/short/seed-0").failed
    assert failed == "its data could not be prepared: too short"


def test_trials_share_arrays_unless_their_data_settings_differ(project, workers):
    run(trials=("baseline", "smooth", "short"), seeds=(0,))
    assert workers.calls.count("prepare") == 2


def test_a_failed_trial_is_recorded_and_the_rest_goes_on(project, workers):
    workers.break_on, said = "smooth 0", []
    assert run(said=said) == 4
    assert workers.calls[-1] == "smooth 1"
    assert any("smooth seed 0: failed: epoch 1: the model has collapsed" in line for line in said)
    assert run() == 0
    workers.break_on = None
    assert run(said=said, retry=True) == 1
    assert "smooth seed 0: again, as it failed: epoch 1: the model has collapsed" in said


def test_a_killed_process_is_a_failure_with_its_signal(project, workers):
    workers.break_on, workers.status = "smooth 0", -signal.SIGKILL
    call = workers.call
    runner.Processes.call = lambda self, what, folder, hear: without_reason(call(what, folder, hear), folder)
    run()
    record = load_record(project / "ablations/small/smooth/seed-0")
    assert record.failed == "killed by SIGKILL; the system does so when memory runs out"


def without_reason(status, folder):
    (folder / "failure.json").unlink(missing_ok=True)
    return status


def test_a_run_stopped_from_outside_is_neither_result_nor_failure(project, workers):
    workers.break_on, workers.status = "smooth 0", 143
    run()
    workers.break_on = None
    assert run() == 1


def test_the_table_has_means_spread_differences_costs_and_failures(project, workers):
    workers.break_on = "short 1"
    run(trials=("baseline", "smooth", "short"))
    results = collect(plan(), runs_of(plan(), list(plan().trials), (0, 1)))
    baseline, smooth, short = table.rows(results)
    assert (baseline["mean"], baseline["min"], baseline["max"]) == (pytest.approx(0.55), 0.5, 0.6)
    assert baseline["sd"] == pytest.approx(0.1 / 2**0.5)
    assert baseline["difference"] is None
    assert [smooth[key] for key in ("difference", "low", "high")] == [pytest.approx(0.1)] * 3
    assert (smooth["step_time"], smooth["epoch_time"], smooth["memory"]) == (
        pytest.approx(1.1),
        pytest.approx(1.1),
        1.1,
    )
    assert smooth["verdict"] == "better"
    assert (short["seeds"], short["failed"], short["difference"], short["low"]) == (1, 1, 0.0, None)
    text = table.markdown(results)
    assert "- short seed 1: failed: epoch 1: the model has collapsed" in text
    assert "The intervals tell of the spread of seeds only" in text


def test_the_table_leaves_out_results_of_other_settings(project, workers):
    run()
    set_param(project, "dropout: 0.1\n      attention", "dropout: 0.2\n      attention")
    results = collect(plan(), runs_of(plan(), ["baseline", "smooth"], (0, 1)))
    assert all(row["seeds"] == 0 and row["missing"] == 2 for row in table.rows(results))
    assert "- smooth seed 0, 1: only a result of other settings" in table.markdown(results)


def test_the_command_writes_table_and_figure_and_names_what_is_missing(project, workers, capsys):
    assert ablate.main(["plans/small.yaml", "--only", "smooth", "--seeds", "0"]) == 0
    assert workers.calls == ["prepare", "baseline 0", "smooth 0"]
    out = capsys.readouterr().out
    assert "- short seed 0, 1: not run yet" in out
    assert "- (all): `-S sohu2021.train.epochs=2`" in out
    assert "- smooth: `-S +sohu2021.train.label_smoothing=0.1`" in out
    folder = project / "ablations/small"
    assert (folder / "table.md").read_text("utf-8") in out
    with (folder / "table.csv").open(encoding="utf-8") as file:
        assert [row["trial"] for row in csv.DictReader(file)] == ["baseline", "smooth", "short"]
    first = (folder / "differences.svg").read_bytes()
    assert first.startswith(b"<?xml")
    assert ablate.main(["plans/small.yaml", "--table"]) == 0
    assert (folder / "differences.svg").read_bytes() == first
    assert len(workers.calls) == 3


def test_an_unknown_trial_and_an_empty_table_are_the_users_slips(project, workers, capsys):
    assert ablate.main(["plans/small.yaml", "--only", "smoth"]) == 1
    assert (
        "--only smoth: no trial of small. Did you mean 'smooth'? Trials: baseline, smooth, short."
        in capsys.readouterr().err
    )
    assert ablate.main(["plans/small.yaml", "--table"]) == 1
    assert "no result yet" in capsys.readouterr().err


def test_the_commands_are_printed_for_the_first_seed(project, capsys):
    assert ablate.main(["plans/small.yaml", "--commands"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == (
        "dvc exp run evaluate@sohu2021 -S sohu2021.train.epochs=2 -S +sohu2021.train.label_smoothing=0.1 "
        "-S sohu2021.train.seed=0"
    )


def test_comments_and_reports_are_no_other_code(tmp_path):
    def version(text, place="shared/one.py"):
        for name, source in {"shared/one.py": "x = 1", f"competitions/{NAME}/two.py": "y = 2", place: text}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(source, encoding="utf-8")
        return code_version(NAME, tmp_path)

    first = version("x = 1")
    assert version("x  =  1  # why") == first
    assert version("z = 3", "shared/ablation/table.py") == first
    assert version("x = 2") != first
    assert version("z = 3", f"competitions/{NAME}/two.py") != first


def test_arrays_depend_on_what_the_prepare_stage_reads():
    params = prepare_params()
    assert ("data",) in params
    settings = {"data": {"a": 1}, "train": {"b": 1}}

    def folder(settings, raw="r", code="c"):
        return prepared_folder(NAME, settings, raw, code, params)

    assert folder(settings) == folder(settings | {"train": {"b": 2}})
    assert (
        len(
            {folder(settings), folder(settings | {"data": {"a": 2}}), folder(settings, "s"), folder(settings, "r", "d")}
        )
        == 4
    )


def test_a_damaged_file_of_rows_is_found(project, workers):
    run()
    folder = project / "ablations/small/smooth/seed-0"
    record = load_record(folder)
    (folder / "rows.npz").write_bytes(b"not what was written")
    Record(**vars(record) | {"rows_sha256": "0" * 64}).save(folder)
    with pytest.raises(UserError, match=r"rows.npz: missing, or not the file"):
        load_record(folder)
    assert why_run(folder, record.origin, "f1").startswith("again: ")


@pytest.mark.slow
def test_two_trials_with_two_seeds_end_to_end(tmp_path):
    text = PLAN.replace("  short:\n    data.max_length: 24\n", "")
    folder = write_plan(write_project(tmp_path), text)
    out = finish(start(folder, "-m", "pipelines.ablate", "plans/small.yaml"))
    assert "[trial 4 of 4]" in out
    assert "smooth seed 1: epoch 2/2:" in out
    runs = sorted((folder / "ablations/small").glob("*/seed-*"))
    assert [run.relative_to(folder / "ablations/small").as_posix() for run in runs] == [
        f"{trial}/seed-{seed}" for trial in ("baseline", "smooth") for seed in (0, 1)
    ]
    for one in runs:
        record = load_record(one)
        assert record.score == record.metrics["f1"]
        assert record.cost["rows_per_s"] > 0
        assert record.cost["memory"]["bytes"] > 0
        assert not (one / "checkpoints").exists()
    with (folder / "ablations/small/table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["seeds"] for row in rows] == ["2", "2"]
    again = finish(start(folder, "-m", "pipelines.ablate", "plans/small.yaml"))
    assert "0 runs to do, 4 of 4 there already" in again
    # The stages come to the same score.
    set_param(folder, "seed: 0", "seed: 1")
    stages = "from pipelines import evaluate, prepare, train\n"
    stages += "".join(f"assert {stage}.main(['{NAME}']) == 0\n" for stage in ("prepare", "train", "evaluate"))
    finish(start(folder, "-c", stages))
    official = json.loads((folder / f"results/{NAME}/metrics.json").read_text("utf-8"))
    assert official["f1"] == load_record(folder / "ablations/small/baseline/seed-1").score


@pytest.mark.slow
def test_a_plan_that_is_stopped_goes_on_from_its_state_to_the_same_score(tmp_path):
    text = "competition: sohu2021\nseeds: [0]\nbase:\n  train.epochs: 60\ntrials:\n  baseline:\n"
    folder = write_plan(write_project(tmp_path), text)
    process = start(folder, "-m", "pipelines.ablate", "plans/small.yaml")
    run = folder / "ablations/small/baseline/seed-0"
    deadline = time.monotonic() + 120
    while not list(run.glob("checkpoints/*/*.safetensors")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "stopped; the same command goes on" in err
    assert not (run / "metrics.json").exists()
    out = finish(start(folder, "-m", "pipelines.ablate", "plans/small.yaml"))
    assert "resuming behind epoch" in out or "resuming after" in out
    broken = load_record(run)
    shutil.rmtree(run)
    finish(start(folder, "-m", "pipelines.ablate", "plans/small.yaml"))
    assert load_record(run).metrics == broken.metrics
