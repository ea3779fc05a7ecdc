import subprocess
import sys

import pytest

from shared.cli import competition_module, run
from shared.errors import UserError
from tests.conftest import REPOSITORY


def raising(error: BaseException):
    def main(argv):
        raise error

    return main


def test_a_run_that_ends_well_returns_zero_and_gets_the_arguments():
    seen = []
    assert run(seen.append, ["a", "b"]) == 0
    assert seen == [["a", "b"]]


def test_a_users_slip_is_one_message_on_standard_error(capsys):
    assert run(raising(UserError("params.yaml:3: 出错了"))) == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "params.yaml:3: 出错了\n")


def test_an_interruption_returns_130(capsys):
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_defect_keeps_its_trace():
    with pytest.raises(ZeroDivisionError):
        run(raising(ZeroDivisionError()))


@pytest.mark.parametrize(
    ("code", "reader"),
    [("print('x\\n' * 10**6)", "head -n 1"), ("print('一')", "true")],
    ids=["reader stops early", "reader never reads"],
)
def test_a_closed_pipe_is_quiet(code, reader):
    program = f"from shared.cli import run\nimport sys\nsys.exit(run(lambda argv: {code}))"
    command = f'sleep 0.1; exec {sys.executable} -c "$PROGRAM" | {reader}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=REPOSITORY, env={"PROGRAM": program, "PATH": "/usr/bin:/bin"}, capture_output=True
    )
    assert done.stderr == b""


def test_characters_that_the_terminal_lacks_are_escaped():
    program = "from shared.cli import run\nrun(lambda argv: print('短短'))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"\\u77ed\\u77ed\n"


def test_the_part_of_a_competition_is_imported_by_name():
    assert competition_module("sohu2021", "scoring").__name__ == "competitions.sohu2021.scoring"


@pytest.mark.parametrize(
    ("name", "message"), [("sohu", "Did you mean 'sohu2021'"), ("..", "Valid names: .*sohu2021"), ("", "Valid names")]
)
def test_an_unknown_competition_is_an_error_with_the_valid_names(name, message):
    with pytest.raises(UserError, match=message):
        competition_module(name, "scoring")
