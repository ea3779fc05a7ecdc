import json
import shutil
import subprocess
import sys
import time

import pytest

from competitions.sohu2021 import submission
from competitions.sohu2021.scoring import score
from competitions.sohu2021.variants import VARIANTS
from pipelines.score import main
from tests.competitions.sohu2021.layout import valid_ids, write_layout
from tests.conftest import REPOSITORY

HEAVY = ("tensorflow", "jax", "keras", "pandas", "sklearn", "scipy", "pydantic", "tokenizers", "matplotlib")


@pytest.fixture
def gold(tmp_path):
    return write_layout(tmp_path / "raw")


@pytest.fixture
def pred(tmp_path):
    path = tmp_path / "pred.csv"
    submission.write(path, valid_ids(), [1] * 12)
    return path


def test_prints_one_json_object_of_unrounded_fractions(gold, pred, capsys):
    assert main(["sohu2021", "--gold", str(gold), "--pred", str(pred)]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert output.err == ""
    assert result["f1"] == result["f1_a"] == result["ss_a"]["f1"] == 2 / 3
    assert result == score([v.index for v in VARIANTS for _ in range(2)], [0, 1] * 6, [1] * 12)


def test_variants_whose_folder_is_absent_are_left_out_with_a_note(gold, tmp_path, capsys):
    pred = tmp_path / "a.csv"
    ids = [example_id for example_id in valid_ids() if example_id.endswith("_a")]
    submission.write(pred, ids, [1] * len(ids))
    for variant in VARIANTS:
        if variant.kind == "b":
            shutil.rmtree(gold / variant.folder)
    assert main(["sohu2021", "--gold", str(gold), "--pred", str(pred)]) == 0
    output = capsys.readouterr()
    result = json.loads(output.out)
    assert (result["n_a"], result["n_b"], result["f1_b"]) == (6, 0, 0.0)
    assert "scored without 短短匹配B类, 短长匹配B类, 长长匹配B类" in output.err


def test_predictions_for_an_absent_variant_are_an_error(gold, pred, capsys):
    shutil.rmtree(gold / VARIANTS[5].folder)
    assert main(["sohu2021", "--gold", str(gold), "--pred", str(pred)]) == 1
    assert "unknown ids: 2" in capsys.readouterr().err


def test_the_competitions_own_options_are_known(gold, pred, capsys):
    assert main(["sohu2021", "--gold", str(gold), "--pred", str(pred), "--split", "train"]) == 0
    assert json.loads(capsys.readouterr().out)["n_a"] == 6
    with pytest.raises(SystemExit):
        main(["sohu2021", "--gold", str(gold), "--pred", str(pred), "--split", "dev"])
    assert "invalid choice: 'dev'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "sohu2012"}, "unknown competition 'sohu2012'. Did you mean 'sohu2021'?"),
        ({"--gold": "nowhere"}, "nowhere: no such folder"),
        ({"--gold": "{pred}"}, "pred.csv: a file, not a folder"),
        ({"--pred": "none.csv"}, "none.csv: no such file"),
        ({"--pred": "{gold}"}, "raw: cannot be read: Is a directory"),
        ({"--split": "test"}, "12 of 12 lines of split 'test' have no label"),
    ],
)
def test_unusable_input_gives_one_message_and_status_one(gold, pred, capsys, change, message):
    call = {"name": "sohu2021", "--gold": "{gold}", "--pred": "{pred}"} | change
    call = {option: value.format(gold=gold, pred=pred) for option, value in call.items()}
    name = call.pop("name")
    assert main([name, *(word for pair in call.items() for word in pair)]) == 1
    output = capsys.readouterr()
    assert message in output.err
    assert output.out == ""
    assert output.err.count("\n") == 1


def test_incomplete_predictions_give_one_message(gold, pred, capsys):
    submission.write(pred, valid_ids()[1:], [1] * 11)
    assert main(["sohu2021", "--gold", str(gold), "--pred", str(pred)]) == 1
    assert "missing ids: 1 (ss0_a)" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["--gold", "a", "--pred", "b", "sohu2021"], ["sohu2021", "--gold", "a"]])
def test_a_wrong_call_shows_the_usage(argv, capsys):
    with pytest.raises(SystemExit) as error:
        main(argv)
    assert error.value.code == 2
    assert "usage: python -m pipelines.score" in capsys.readouterr().err


def test_runs_without_the_heavy_imports_in_about_a_second(gold, pred):
    program = (
        "import sys; from pipelines.score import main; status = main(sys.argv[1:]); "
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr); sys.exit(status)"
    )
    argv = ["sohu2021", "--gold", str(gold), "--pred", str(pred)]
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, *argv], cwd=REPOSITORY, capture_output=True, text=True)
    seconds = time.monotonic() - start
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert json.loads(done.stdout)["f1"] == 2 / 3
    assert seconds < 5  # 0.15 s on an idle machine


def test_is_run_as_a_module_without_a_trace(gold):
    argv = [sys.executable, "-m", "pipelines.score", "sohu2021", "--gold", str(gold), "--pred", "none.csv"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "none.csv: no such file.\n")
