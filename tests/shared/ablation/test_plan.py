"""Plans of a small project, see tests/pipelines/project.py."""

import shlex
from types import SimpleNamespace
from typing import get_args

import pytest
from dvc.utils.hydra import apply_overrides

from shared.ablation.commands import commands
from shared.ablation.plan import Plan, Trial, load_plan
from shared.errors import UserError
from shared.optim.settings import Kind, Wrap
from shared.settings_document import read_yaml
from shared.training.tricks.settings import TricksSettings
from tests.conftest import REPOSITORY
from tests.pipelines.lic2020 import NAMES
from tests.pipelines.project import NAME, write_project

PLAN = """\
competition: sohu2021
seeds:
  - 0
  - 5
base:
  train.epochs: 1
trials:
  baseline:
  smooth:
    train.label_smoothing: 0.1
  plain:
    model.condition: none
    train:
      clip_norm: 0.0
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = write_project(tmp_path)
    monkeypatch.chdir(folder)
    return folder


def load(text):
    with open("plan.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    return load_plan("plan.yaml")


def refused(text):
    with pytest.raises(UserError) as error:
        load(text)
    return str(error.value)


def test_trials_change_what_they_name_on_top_of_base_and_params(project):
    plan = load(PLAN)
    assert list(plan.trials) == ["baseline", "smooth", "plain"]
    assert plan.measure == "f1"
    smooth, plain = plan.trials["smooth"].settings, plan.trials["plain"].settings
    assert (smooth.train.epochs, smooth.train.label_smoothing, smooth.train.learning_rate) == (1, 0.1, 1e-3)
    assert (plain.model.condition, plain.train.clip_norm, plain.train.label_smoothing) == ("none", 0.0, 0.0)
    assert plan.trials["plain"].with_seed(5).train.seed == 5


def test_every_slip_of_all_trials_comes_at_once_with_line_trial_and_nearest_name(project):
    text = PLAN.replace("label_smoothing: 0.1", "label_smothing: 0.1").replace("condition: none", "condition: nonn")
    first, second = refused(text).split("\n")
    assert first.startswith("plan.yaml:10: trial 'smooth': unknown key 'train.label_smothing'. Did you mean")
    assert second.startswith("plan.yaml:12: trial 'plain': model.condition = 'nonn': expected")
    assert "Did you mean 'none'?" in second


def test_a_slip_in_base_comes_once(project):
    got = refused(PLAN.replace("train.epochs: 1", "train.epochs: 0"))
    assert got.startswith("plan.yaml:6: trial 'baseline': train.epochs = 0: expected an integer >= 1")
    assert "\n" not in got


def test_settings_that_exclude_each_other_are_refused_at_the_trial(project):
    got = refused(
        PLAN.replace("model.condition: none", "data.max_length: 4096").replace(
            "base:", "base:\n  model.backbone.kind: bert"
        )
    )
    assert got.startswith(
        "plan.yaml:12: trial 'plain': data.max_length=4096 needs 4096 positions, the backbone has 512"
    )


def test_a_section_cannot_become_a_number_and_a_number_no_section(project):
    assert "'smooth': train.tricks = 3" in refused(PLAN.replace("train.label_smoothing: 0.1", "train.tricks: 3"))
    assert "train.epochs" in refused(PLAN.replace("train.label_smoothing: 0.1", "train.epochs.deep: 3"))


def test_equal_trials_are_refused(project):
    text = PLAN + "  smooth_too:\n    train.label_smoothing: 0.1\n  same:\n    train.epochs: 1\n"
    first, second = refused(text).split("\n")
    assert "trial 'smooth_too' has the settings of 'smooth': no trial runs twice" in first
    assert "trial 'same' has the settings of 'baseline': it changes nothing" in second


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("competition: sohu2021", "competition: sohu2022", "plan.yaml:1: competition: unknown competition 'sohu2022'"),
        ("competition:", "competitoin:", "plan.yaml:1: unknown key 'competitoin'. Did you mean 'competition'?"),
        ("seeds:", "measure: f1_c\nseeds:", "plan.yaml:2: measure = 'f1_c': no figure of sohu2021. Did you mean 'f1_"),
        ("  - 5", "  - 0", "plan.yaml:2: seeds: one is given twice"),
        ("  - 5", "  - -1", "plan.yaml:4: seeds[1] = -1: expected an integer >= 0"),
        ("  baseline:\n", "", "no trial 'baseline'"),
        (
            "  baseline:\n",
            "  baseline:\n    train.epochs: 2\n",
            "plan.yaml:8: trial 'baseline' has settings of its own",
        ),
        ("  smooth:", "  Smooth/1:", "plan.yaml:9: trial 'Smooth/1': a name"),
        ("  smooth:", "  plain:", "duplicate key 'trials.plain'"),
        ("train.epochs: 1", "train.seed: 1", "plan.yaml:6: train.seed in base: the plan's `seeds:` set it"),
        ("      clip_norm", "      clip_norm: 1.0\n    train.clip_norm", "train.clip_norm is given twice"),
        ("seeds:", "raw: /nowhere/at/all\nseeds:", "plan.yaml:2: /nowhere/at/all: no such folder"),
    ],
)
def test_slips_of_the_file_itself(project, old, new, message):
    assert message in refused(PLAN.replace(old, new))


def test_a_trial_becomes_a_line_for_dvc(project):
    plan = load(PLAN.replace("train.epochs: 1", "train.bucket_lengths: [16, 32]"))
    (line,) = commands(plan, read_yaml(project / "params.yaml").value, ["plain"], [5])
    assert line == (
        "dvc exp run evaluate@sohu2021 -S 'sohu2021.train.bucket_lengths=[16,32]' -S sohu2021.model.condition=none "
        "-S +sohu2021.train.clip_norm=0.0 -S sohu2021.train.seed=5"
    )


@pytest.mark.parametrize("value", [True, None, "none", "null", "a b", 'say "x"', "路径", 1e-5, [1, 2], {"a": [0.5]}, 3])
def test_dvc_reads_the_values_that_the_plan_has(value, project):
    file = project / "top.yaml"
    file.write_text("sohu2021:\n  key: 0\n", encoding="utf-8")
    trial = Trial("one", {("key",): value}, None)
    plan = Plan("plan", SimpleNamespace(name="sohu2021"), project, False, "f1", (0,), {}, {"one": trial})
    (line,) = commands(plan, read_yaml(file).value, ["one"], [0])
    options = [word for word in shlex.split(line) if "=" in word]
    apply_overrides(file, options)
    assert read_yaml(file).value["sohu2021"] == {"key": value, "train": {"seed": 0}}


@pytest.mark.parametrize(("name", "preset"), [(NAME, "tiny"), *((name, "small") for name in NAMES)])
def test_the_plans_of_the_kit_are_valid_and_have_three_seeds(name, preset, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    plan = load_plan(REPOSITORY / "plans" / f"{name}.yaml")
    assert plan.task.name == name
    assert len(plan.seeds) == 3
    assert plan.trials["baseline"].settings.model.backbone.preset == preset


def test_a_trial_of_sohu_has_each_optimizer_each_wrapper_and_each_key_of_the_tricks(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    trials = load_plan(REPOSITORY / "plans" / f"{NAME}.yaml").trials.values()
    optimizers = [trial.settings.train.optimizer for trial in trials]
    assert {one.kind for one in optimizers} == set(get_args(Kind))
    assert {name for one in optimizers for name in one.wrap} == set(get_args(Wrap))
    adversaries = TricksSettings.model_fields["adversary"].annotation
    assert {trial.settings.train.tricks.adversary for trial in trials} == set(get_args(adversaries))
    keys = {place[2] for trial in trials for place in trial.overrides if place[:2] == ("train", "tricks")}
    assert keys == set(TricksSettings.model_fields)


def test_every_plan_of_the_kit_has_a_competition_of_its_name():
    assert sorted(path.stem for path in (REPOSITORY / "plans").glob("*.yaml")) == sorted([NAME, *NAMES])
