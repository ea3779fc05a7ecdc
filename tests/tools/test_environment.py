"""tools/environment.py against small projects whose lock names two tiny wheels made here; no network."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import environment

REPOSITORY = Path(environment.__file__).resolve().parent.parent
STAMP = environment.STAMP


def make_wheel(folder: Path, name: str, version: str) -> str:
    """Write a wheel with one module; return its line for a lock."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f"version = {version!r}\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{about}/RECORD": f"{record}{about}/RECORD,,\n"}.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


class Project:
    """A folder with a lock, and wheels to fill it from."""

    def __init__(self, folder: Path) -> None:
        self.root, self.wheels = folder / "project", folder / "wheels"
        self.root.mkdir()
        self.wheels.mkdir(exist_ok=True)
        self.lock = self.root / "requirements.lock"
        self.venv = self.root / ".venv"

    def write_lock(self, **versions: str) -> None:
        lines = [make_wheel(self.wheels, name, version) for name, version in versions.items()]
        elsewhere = f"never==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{'0' * 64}\n"
        self.lock.write_text("# made by hand\n" + "".join(lines) + elsewhere)

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/python3*/site-packages"))

    def state(self) -> environment.State:
        return environment.state_of(self.root)

    def make(self) -> int:
        return environment.main([], self.root)

    def version_of(self, name: str) -> str:
        code = f"import {name}; print({name}.version)"
        return subprocess.check_output([self.venv / "bin" / "python", "-I", "-c", code], text=True).strip()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with its .venv made for real, once: to be copied, not changed."""
    project = Project(tmp_path_factory.mktemp("finished"))
    project.write_lock(alpha="1.0", beta="2.0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("PIP_FIND_LINKS", str(project.wheels))
        assert project.make() == 0
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of the finished project that a test may damage."""
    copy = Project(tmp_path)
    shutil.copytree(finished.root, copy.root, symlinks=True, dirs_exist_ok=True)
    shutil.copytree(finished.wheels, copy.wheels, dirs_exist_ok=True)
    stamp = json.loads((copy.venv / STAMP).read_text())
    (copy.venv / STAMP).write_text(json.dumps({**stamp, "folder": str(copy.venv)}))
    monkeypatch.setenv("PIP_FIND_LINKS", str(copy.wheels))
    return copy


def never(*_: object) -> None:
    raise AssertionError("nothing was to be installed")


# ---- What fits


def test_says_and_does_nothing_when_it_fits(project, monkeypatch, capfd):
    monkeypatch.setattr(environment, "_create", never)
    monkeypatch.setattr(environment, "_install", never)
    assert project.make() == 0
    assert capfd.readouterr() == ("", "")


def test_lines_for_other_platforms_are_not_asked_for(project):
    assert "never==1.0" in project.lock.read_text()
    assert project.state() == ([], [])


def test_packages_beside_the_locked_ones_are_left_alone(project):
    make_wheel(project.wheels, "extra", "3.0")
    with zipfile.ZipFile(project.wheels / "extra-3.0-py3-none-any.whl") as archive:
        archive.extractall(project.site)
    assert project.state() == ([], [])


# ---- What pip mends in place


def test_a_missing_package_is_put_back(project, monkeypatch, capsys):
    shutil.rmtree(project.site / "alpha")
    shutil.rmtree(project.site / "alpha-1.0.dist-info")
    monkeypatch.setattr(environment, "_create", never)
    assert project.make() == 0
    assert project.version_of("alpha") == "1.0"
    assert "alpha 1.0 is missing" in capsys.readouterr().err


def test_another_lock_changes_what_differs(project, monkeypatch, capsys):
    project.write_lock(alpha="1.1", beta="2.0")
    monkeypatch.setattr(environment, "_create", never)
    assert project.make() == 0
    assert (project.version_of("alpha"), project.version_of("beta")) == ("1.1", "2.0")
    assert "requirements.lock has changed; alpha is 1.0, locked is 1.1" in capsys.readouterr().err
    assert project.state() == ([], [])


def test_without_the_new_packages_the_old_environment_stays(project, monkeypatch, capsys):
    project.write_lock(alpha="1.1", beta="2.0")
    monkeypatch.setenv("PIP_FIND_LINKS", str(project.root))
    assert project.make() == 1
    assert "the package index lacks a locked version" in capsys.readouterr().err
    assert project.version_of("alpha") == "1.0"


# ---- What is made anew


def remove_stamp(project: Project) -> None:
    (project.venv / STAMP).unlink()


def cut_stamp(project: Project) -> None:
    (project.venv / STAMP).write_text("")


def remove_record(project: Project) -> None:
    (project.site / "alpha-1.0.dist-info" / "RECORD").unlink()


def empty_record(project: Project) -> None:
    (project.site / "alpha-1.0.dist-info" / "RECORD").write_text("")


def remove_module(project: Project) -> None:
    shutil.rmtree(project.site / "alpha")


def two_versions(project: Project) -> None:
    shutil.copytree(project.site / "alpha-1.0.dist-info", project.site / "alpha-0.9.dist-info")


def remove_pip(project: Project) -> None:
    shutil.rmtree(project.site / "pip")


def lose_interpreter(project: Project) -> None:
    (project.venv / "bin" / "python").unlink()
    (project.venv / "bin" / "python").symlink_to("/nowhere/python3")


def break_interpreter(project: Project) -> None:
    (project.venv / "bin" / "python").unlink()
    (project.venv / "bin" / "python").write_text("#!/bin/sh\nexit 127\n")
    (project.venv / "bin" / "python").chmod(0o755)


def other_python(project: Project) -> None:
    stamp = json.loads((project.venv / STAMP).read_text())
    (project.venv / STAMP).write_text(json.dumps({**stamp, "python": [3, 10]}))


def other_machine(project: Project) -> None:
    stamp = json.loads((project.venv / STAMP).read_text())
    (project.venv / STAMP).write_text(json.dumps({**stamp, "machine": "pdp11"}))


def moved(project: Project) -> None:
    project.root = project.root.rename(project.root.with_name("elsewhere"))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove_stamp, "its installation did not finish"),
        (cut_stamp, "its installation did not finish"),
        (remove_record, "alpha is only half installed"),
        (empty_record, "alpha is only half installed"),
        (remove_module, "alpha has lost its alpha"),
        (two_versions, "alpha is there 2 times"),
        (remove_pip, "pip is missing"),
        (lose_interpreter, "its Python does not start"),
        (break_interpreter, "its Python does not start"),
        (other_python, "made with Python 3.10, which is now"),
        (other_machine, "made on a pdp11 machine"),
        (moved, "it was made for the folder"),
    ],
)
def test_damage_calls_for_a_new_environment(project, damage: Callable[[Project], None], reason: str):
    damage(project)
    assert reason in project.state().rebuild[0]


def test_damaged_is_made_anew_and_fits(project, capsys):
    lose_interpreter(project)
    remove_record(project)
    (project.site / "left_over.py").touch()
    assert project.make() == 0
    assert project.state() == ([], [])
    assert not (project.site / "left_over.py").exists()
    assert ".venv fits requirements.lock" in capsys.readouterr().err


# ---- Failures


def test_a_failed_installation_leaves_a_message_and_no_stamp(project, monkeypatch, capsys):
    (project.venv / STAMP).unlink()
    monkeypatch.setattr(environment, "_create", lambda *_: None)  # its seconds add nothing here
    make_wheel(project.wheels, "alpha", "1.1")
    project.lock.write_text(f"alpha==1.1 --hash=sha256:{'0' * 64}\n")
    assert project.make() == 1
    error = capsys.readouterr().err
    assert "a downloaded file is not the one in requirements.lock" in error
    assert "Traceback" not in error
    assert not (project.venv / STAMP).exists()
    assert project.state().rebuild == ["its installation did not finish"]


def test_a_missing_lock_is_named(tmp_path, capsys):
    assert environment.main([], tmp_path) == 1
    assert "requirements.lock is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: ... [Errno -3] Temporary failure in name resolution')': /simple/keras/", "cannot be reached"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "broken download"),
        ("ERROR: No matching distribution found for keras==3.9", "lacks a locked version"),
    ],
)
def test_pip_errors_are_explained(words, meaning):
    assert meaning in environment._explanation(words)


def fake_python(folder: Path, name: str, version: str, can_make: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    script = folder / name
    script.write_text(f"#!/bin/sh\necho {version}\n" + ("echo venv\n" if can_make else "exit 1\n"))
    script.chmod(0o755)
    return script


@pytest.fixture
def old_python(tmp_path, monkeypatch) -> Path:
    """The user's python3 is 3.9, the only one on PATH; returns the folder on PATH."""
    folder = tmp_path / "bin"
    monkeypatch.setattr(sys, "_base_executable", str(fake_python(folder, "python3", "3 9")))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_too_old_a_python_is_told_what_to_do(old_python, tmp_path, capsys):
    (tmp_path / "requirements.lock").touch()
    assert environment.main([], tmp_path) == 1
    assert "Python 3.11 to 3.13 is needed, but python3 is 3.9" in capsys.readouterr().err
    assert not (tmp_path / ".venv").exists()


def test_a_fitting_python_on_path_is_used_instead(old_python, tmp_path):
    fake_python(old_python, "python3.11", "3 11")
    newest = fake_python(old_python, "python3.12", "3 12")
    (old_python / "python3.13").write_text("#!/bin/sh\necho 'pyenv: not chosen' >&2; exit 127\n")
    (old_python / "python3.13").chmod(0o755)
    assert environment.find_python(tmp_path) == str(newest)


def test_a_python_without_venv_names_the_package_to_install(old_python, tmp_path):
    fake_python(old_python, "python3.11", "3 11", can_make=False)
    with pytest.raises(environment.Failure, match=r"sudo apt install python3\.11-venv"):
        environment.find_python(tmp_path)


def test_an_activated_environment_does_not_make_itself(old_python, tmp_path, monkeypatch):
    fake_python(tmp_path / ".venv", "x", "0 0").parent.joinpath("bin").mkdir()
    fake_python(tmp_path / ".venv" / "bin", "python3.11", "3 11")
    monkeypatch.setenv("PATH", f"{tmp_path / '.venv' / 'bin'}:{old_python}")
    with pytest.raises(environment.Failure, match="is needed"):
        environment.find_python(tmp_path)


# ---- Around it


def test_the_second_of_two_waits_for_the_first(project, monkeypatch, capsys):
    (project.venv / STAMP).rename(project.venv / "stamp")
    monkeypatch.setattr(environment, "_install", never)
    with project.lock.open("rb") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = threading.Thread(target=project.make)
        second.start()
        second.join(0.5)
        assert second.is_alive()
        (project.venv / "stamp").rename(project.venv / STAMP)  # the first is done
    second.join(20)
    assert not second.is_alive()
    assert capsys.readouterr().err == "Another make is at work on .venv; waiting for it.\n"


def test_nothing_leads_out_of_the_environment(monkeypatch):
    for name in ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"):
        monkeypatch.setenv(name, "/somewhere")
    monkeypatch.setenv("PIP_USER", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    got = environment._environment()
    assert not {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"} & set(got)
    assert (got["PIP_USER"], got["PIP_REQUIRE_VIRTUALENV"], got["PYTHONNOUSERSITE"]) == ("0", "1", "1")
    assert got["PIP_INDEX_URL"] == "https://mirror.example/simple"


def test_only_the_environment_is_written(project, tmp_path, monkeypatch):
    """With settings of user site, target and home that would lead a plain pip elsewhere."""
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shutil.rmtree(project.site / "alpha")
    shutil.rmtree(project.site / "alpha-1.0.dist-info")
    assert project.make() == 0
    assert not [name for name in ("target", "user", "home/.local") if (tmp_path / name).exists()]
    assert sorted(path.name for path in project.root.iterdir()) == [".venv", "requirements.lock"]


def test_the_python_range_is_that_of_pyproject():
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        requires = tomllib.load(file)["project"]["requires-python"]
    (oldest, newest) = environment.OLDEST, environment.NEWEST
    assert requires == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"


def test_the_lock_carries_no_address_and_hashes_for_all():
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    starts = [number for number, line in enumerate(lines) if environment.LOCKED.match(line)]
    assert starts
    assert all(lines[number + 1].startswith("    --hash=sha256:") for number in starts)
    assert [line for line in lines if line and not line.startswith((" ", "#"))] == [lines[number] for number in starts]
