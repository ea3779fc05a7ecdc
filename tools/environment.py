#!/usr/bin/env python3
"""Makes `.venv` fit requirements.lock: `python3 tools/environment.py`, which every make target runs first.

Standard library only, and nothing newer than Python 3.7, so that an old `python3` gets a message, not a traceback.

- When `.venv` fits, this says nothing and takes a fraction of a second. It fits when its stamp (written last, after a
  check) agrees with the lock, this folder and this machine, its Python starts, and every locked package is whole.
- When packages are missing or the lock has changed, pip mends it in place: pip downloads all before it replaces any, so
  without a network the old environment stays usable.
- When it is damaged (an installation killed, the system's Python upgraded, the folder moved) it is made anew.
- The user's Python and its packages are only read. Index, mirror, proxy and cache settings of the user's pip are kept.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 11), (3, 13)  # as `requires-python` in pyproject.toml; a test compares them
NEEDS = "1 GB of downloads and 5 GB of disk"  # measured: 0.9 GB; 3.2 GB stay, and the downloads for a while
STAMP = ".fits-requirements.lock.json"
LOCKED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*(.*?))?\s*\\?$")

# What the end of pip's output says -> what to tell the user. The first that matches wins.
EXPLANATIONS = (
    (
        "No space left on device|Disk quota exceeded",
        "the disk is full. {needs} are needed, part of it for a while in {tmp} (elsewhere: TMPDIR=/big/disk make ...).",
    ),
    (
        "DO NOT MATCH THE HASHES",
        "a downloaded file is not the one in requirements.lock: a broken download or an altered mirror. "
        "Try `python3 -m pip cache purge`, then again, or another index.",
    ),
    (
        "Connection(?:Error| refused| reset| broken)|name resolution|ProxyError|SSLError|[Tt]imed out|Max retries",
        "the package index cannot be reached. Check network and proxy; a mirror nearby is set once with "
        "`python3 -m pip config set global.index-url ADDRESS`. What is downloaded already stays in pip's cache.",
    ),
    (
        "No matching distribution|Could not find a version",
        "the package index lacks a locked version, or cannot be reached. Check the network, or set another index with "
        "`python3 -m pip config set global.index-url ADDRESS`; a mirror may also lag some days behind.",
    ),
)


class Failure(Exception):
    """One message for the user: what went wrong and what to do."""


class State(NamedTuple):
    """What keeps `.venv` from fitting the lock; both lists empty when it fits."""

    rebuild: list[str]  # only a new environment helps
    mend: list[str]  # pip can put it right in place


# ---- Inside .venv: `python environment.py --examine requirements.lock` prints what it finds as JSON.


def locked_packages(lock: Path) -> dict[str, str]:
    """Name -> version of the packages that the lock asks for on this platform and Python."""
    packages = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        match = LOCKED.match(line)
        if match:
            name, version, marker = match.groups()
            if not marker or _markers().Marker(marker).evaluate():
                packages[_normalized(name)] = version
    return packages


def examine(lock: Path) -> dict[str, list]:
    """Compare the running interpreter's packages with the lock: {"python": [3, 11], "damaged": [], "missing": []}."""
    from importlib import metadata  # Python 3.8

    found: dict[str, list[tuple[str, str]]] = {}  # name -> (version, damage) of each copy
    damaged = [] if importlib.util.find_spec("pip") else ["pip is missing"]
    missing = []
    try:
        locked = locked_packages(lock)
    except ImportError:  # neither `packaging` nor pip: no way to read the markers, and none to install
        return {"python": list(sys.version_info[:2]), "damaged": ["pip is missing"], "missing": []}
    for distribution in metadata.distributions():
        about = distribution.metadata
        found.setdefault(_normalized(about["Name"] or "?"), []).append((about["Version"], _damage(distribution)))
    for name, version in locked.items():
        copies = found.get(name, [])
        if not copies:
            missing.append(f"{name} {version} is missing")
        elif len(copies) > 1:
            damaged.append(f"{name} is there {len(copies)} times")
        elif copies[0][1]:
            damaged.append(f"{name} {copies[0][1]}")
        elif copies[0][0] != version:
            missing.append(f"{name} is {copies[0][0]}, locked is {version}")
    return {"python": list(sys.version_info[:2]), "damaged": damaged, "missing": missing}


def _damage(distribution: Any) -> str:
    """What is wrong with an installed package, or "". Looks at its top-level files and folders only, for speed."""
    record = distribution.read_text("RECORD")
    if not record:  # pip writes it last, so its installation was cut short; pip itself would take the package for whole
        return "is only half installed (no RECORD)"
    paths = (line.split(",", 1)[0].strip('"') for line in record.splitlines())
    tops = {path if path.startswith("..") else path.split("/", 1)[0] for path in paths}  # ../../../bin/dvc, or keras
    for top in sorted(tops - {"__pycache__", ""}):
        if not distribution.locate_file(top).exists():
            return f"has lost its {os.path.basename(top)}"
    return ""


def _markers() -> Any:
    for name in ("packaging.markers", "pip._vendor.packaging.markers"):
        with contextlib.suppress(ImportError):
            return import_module(name)
    raise ImportError("packaging")


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()  # PEP 503


# ---- Outside: by the user's Python.


def state_of(root: Path) -> State:
    """Compare `.venv` with the lock, the folder and the machine, without changing anything."""
    venv, lock = root / ".venv", root / "requirements.lock"
    if not os.path.lexists(str(venv)):
        return State(["there is none yet"], [])
    try:
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        made_with, made_in, made_on, made_from = (stamp[key] for key in ("python", "folder", "machine", "lock"))
    except (OSError, ValueError, KeyError, TypeError):
        return State(["its installation did not finish"], [])
    if made_in != str(venv):  # its scripts begin with #!/old/folder/.venv/bin/python
        return State([f"it was made for the folder {made_in}"], [])
    if made_on != os.uname().machine:
        return State([f"it was made on a {made_on} machine, this one is {os.uname().machine}"], [])
    try:
        command = [str(venv / "bin" / "python"), "-I", __file__, "--examine", str(lock)]
        done = subprocess.run(command, capture_output=True, env=_environment(), timeout=120)
        report = json.loads(done.stdout.decode()) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        report = None
    if report is None:
        return State(["its Python does not start (was the system's Python upgraded?)"], [])
    if report["python"] != made_with:
        return State(["it was made with Python {}.{}, which is now {}.{}".format(*made_with, *report["python"])], [])
    changed = [] if made_from == _sha256(lock) else ["requirements.lock has changed"]
    return State(report["damaged"], changed + report["missing"])


def make_it_fit(root: Path) -> None:
    """Bring `.venv` into the state of the lock; return at once when it is."""
    lock = root / "requirements.lock"
    if not lock.is_file():
        raise Failure(f"{lock} is missing; `git checkout requirements.lock` brings it back.")
    if state_of(root) == ([], []):
        return
    with _one_at_a_time(lock):
        state = state_of(root)  # again: another make may just have done the work
        if state == ([], []):
            return
        reasons = state.rebuild or state.mend
        more = f", and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        _say(f".venv: {'; '.join(reasons[:3])}{more}.")
        start = time.monotonic()
        if state.rebuild:
            python = find_python(root)
            _say(f"Making .venv with {python}: up to {NEEDS}, about 3 minutes on top of the downloads.")
            _create(root, python)
        else:
            _say("Mending it in place with pip.")
        _install(root)
        _stamp(root)
        state = state_of(root)
        if state != ([], []):
            (root / ".venv" / STAMP).unlink()
            fault = (state.rebuild + state.mend)[0]
            raise Failure(f"pip reported success, yet .venv does not fit: {fault}. Run it again to make .venv anew.")
        _say(f".venv fits requirements.lock ({time.monotonic() - start:.0f} s).")


def find_python(root: Path) -> str:
    """A Python that the lock is made for and that can make environments: the user's own, else the newest on PATH."""
    within = str(root / ".venv") + os.sep  # .venv may be activated; it cannot make itself anew
    path = os.pathsep.join(
        p for p in os.environ.get("PATH", "").split(os.pathsep) if not (p + os.sep).startswith(within)
    )
    minors = range(NEWEST[1], OLDEST[1] - 1, -1)
    found = [shutil.which(f"python3.{minor}", path=path) for minor in minors]
    own = getattr(sys, "_base_executable", None) or sys.executable  # of an activated .venv: the Python that made it
    without_venv = ""
    for python in [own, shutil.which("python3", path=path), *found]:
        version, can_make = _ask(python) if python else ((), False)
        if python and version and OLDEST <= version <= NEWEST:
            if can_make:
                return python
            without_venv = without_venv or "{}.{}".format(*version)
    if without_venv:
        raise Failure(
            f"this Python {without_venv} comes without its `venv` module. On Debian and Ubuntu: "
            f"sudo apt install python{without_venv}-venv"
        )
    raise Failure(
        "Python {}.{} to {}.{} is needed, but python3 is {}.{} and none of {} is on PATH. Install one, e.g. "
        "`sudo apt install python3.11 python3.11-venv`, or name one: make PYTHON=/path/to/python3.12 ...".format(
            *OLDEST, *NEWEST, *sys.version_info[:2], ", ".join(f"python3.{minor}" for minor in minors)
        )
    )


def _ask(python: str) -> tuple[tuple, bool]:
    """(major, minor) of an interpreter, () when it does not start, and whether it has venv and ensurepip."""
    code = "import sys; print(*sys.version_info[:2]); sys.stdout.flush(); import venv, ensurepip; print('venv')"
    try:  # a pyenv shim is on PATH for each version ever installed, and fails for those not chosen
        output = subprocess.run(
            [python, "-I", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            timeout=60,
        ).stdout.decode()
        words = output.split()
        return (int(words[0]), int(words[1])), words[2:] == ["venv"]
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return (), False


def _create(root: Path, python: str) -> None:
    command = [python, "-I", "-m", "venv", "--clear", str(root / ".venv")]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment())
    if done.returncode:
        output = done.stdout.decode(errors="replace").strip()
        raise Failure(_explanation(output) or f"`{' '.join(command)}` failed:\n{output}")


def _install(root: Path) -> None:
    """Let pip install the lock, showing a line now and then; all of its output goes to .venv/pip.log."""
    venv, lock = root / ".venv", root / "requirements.lock"
    command = [str(venv / "bin" / "python"), "-I", "-m", "pip", "install", "--require-hashes", "--progress-bar", "off"]
    command += ["--no-deps", "-r", str(lock)]  # the lock is complete: nothing to resolve
    total = len(re.findall("(?m)^[^#\\s].*==", lock.read_text(encoding="utf-8")))
    collected, lines, on_terminal = 0, [], sys.stderr.isatty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment()) as pip:
        assert pip.stdout is not None
        for raw in pip.stdout:
            line = raw.decode(errors="replace").rstrip()
            lines.append(line)
            if line.startswith("Ignoring "):  # its marker is for another platform
                total -= 1
            elif line.startswith(("Collecting ", "Processing ", "Requirement already satisfied: ")):
                collected += 1
                if on_terminal:
                    package = os.path.basename(re.sub("^.*: |^[A-Z][a-z]+ ", "", line).split()[0])
                    print(f"\r\033[K  {collected}/{total} {package[:60]}", end="", file=sys.stderr, flush=True)
                elif collected % 40 == 0:
                    _say(f"  {collected}/{total} packages fetched")
            elif line.startswith("Installing collected packages"):
                print("\r\033[K" if on_terminal else "", end="", file=sys.stderr)
                count = line.count(",") + 1
                _say(f"Installing {count} package{'s' * (count > 1)}{', 1 to 3 minutes' * (count > 50)}.")
    with contextlib.suppress(OSError):  # a full disk must not hide pip's own message
        (venv / "pip.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if pip.returncode:
        print("\r\033[K" if on_terminal else "", end="", file=sys.stderr)
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        reason = _explanation("\n".join(lines[-20:])) or "of an unknown fault; try again, or `make distclean` first."
        raise Failure(
            f"pip stopped: {reason}\n  pip's words: {errors[0] if errors else 'none'}\n  all of them: .venv/pip.log"
        )


def _explanation(output: str) -> str:
    for pattern, meaning in EXPLANATIONS:
        if re.search(pattern, output):
            return meaning.format(needs=NEEDS, tmp=tempfile.gettempdir())
    return ""


def _stamp(root: Path) -> None:
    """Note what `.venv` was made from. Until then, and after a kill in between, it counts as unfinished."""
    venv = root / ".venv"
    python = subprocess.check_output(
        [str(venv / "bin" / "python"), "-I", "-c", "import sys; print(*sys.version_info[:2])"]
    )
    stamp = {"lock": _sha256(root / "requirements.lock"), "folder": str(venv), "machine": os.uname().machine}
    temporary = venv / (STAMP + ".new")
    temporary.write_text(json.dumps({**stamp, "python": [int(word) for word in python.split()]}), encoding="utf-8")
    os.replace(str(temporary), str(venv / STAMP))


def _environment() -> dict[str, str]:
    """The environment for every Python started here: the user's, less all that leads out of `.venv`."""
    python = {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "__PYVENV_LAUNCHER__"}
    pip = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_DRY_RUN", "PIP_REQUIREMENT", "PIP_CONSTRAINT"}
    kept = {name: value for name, value in os.environ.items() if name not in python | pip}
    ours = {"PIP_REQUIRE_VIRTUALENV": "1", "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return {**kept, **ours, "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1"}


@contextlib.contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Wait while another make works on this `.venv`. The file locked is requirements.lock: so none is left behind."""
    with lock.open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Another make is at work on .venv; waiting for it.")
            fcntl.flock(held, fcntl.LOCK_EX)
        except OSError:  # a network file system without locks: go on without
            pass
        yield


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: list[str], root: Path = ROOT) -> int:
    """Make `.venv` fit; return 0, or 1 after a message."""
    if argv[:1] == ["--examine"]:
        print(json.dumps(examine(Path(argv[1]))))
        return 0
    try:
        make_it_fit(root)
    except Failure as failure:
        _say(f"No environment: {failure}")
        return 1
    except OSError as error:
        _say(f"No environment: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nStopped. The same command goes on from pip's cache.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
