"""A training ended from outside and started again, as often as it takes, ends with the bytes of an unbroken one."""

import csv
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.pipelines.project import NAME, files, finish, set_param, start, write_project

pytestmark = pytest.mark.slow

EPOCHS, STEPS = 6, 30  # steps an epoch: 30 rows, one a step
KILLS = 5  # of each of two runs
LATE = 4  # the best epoch is this one or a later one, and kills come before its end: else they could not change weights
RESULTS = (f"models/{NAME}/weights.safetensors", f"results/{NAME}/history.csv")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A project whose data are prepared; dropout and the weight average are on, the rate rises nearly to the end."""
    folder = write_project(tmp_path_factory.mktemp("kill") / "project")
    set_param(folder, "epochs: 2", f"epochs: {EPOCHS}")
    set_param(folder, "    batch_size: 8", "    batch_size: 1")
    set_param(folder, "learning_rate: 1.0e-3", "learning_rate: 2.0e-4\n    warmup_share: 0.95")
    finish(start(folder, "-m", "pipelines.prepare", NAME))
    return folder


@pytest.fixture(scope="module")
def unbroken(prepared, tmp_path_factory) -> dict[str, bytes]:
    """Weights and learning curve of a run that nobody disturbed and that saved its state after epochs only."""
    folder = copy(prepared, tmp_path_factory.mktemp("unbroken"), checkpoint_minutes="0.0")
    finish(train(folder))
    with (folder / RESULTS[1]).open(encoding="utf-8") as file:
        scores = [float(row["f1"]) for row in csv.DictReader(file)]
    assert scores.index(max(scores)) + 1 >= LATE
    return files(folder, *RESULTS)


def copy(prepared: Path, to: Path, checkpoint_minutes: str) -> Path:
    folder = shutil.copytree(prepared, to / "project")
    momentum = "    ema_momentum: 0.9"
    set_param(folder, momentum, f"{momentum}\n    checkpoint_minutes: {checkpoint_minutes}")
    return folder


def train(folder: Path) -> subprocess.Popen[str]:
    return start(folder, "-m", "pipelines.train", NAME)


def newest(folder: Path) -> int:
    """Steps of the newest state."""
    names = folder.glob(f"checkpoints/{NAME}/*/step-*.safetensors")
    return max((int(re.sub(r"\D", "", path.stem)) for path in names), default=0)


def torn(folder: Path) -> list[Path]:
    """What is being written, or was at the moment of a kill."""
    return list(folder.glob(f"checkpoints/{NAME}/*/.partial-*"))


def wait(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Waits until the condition holds while the process runs."""
    deadline = time.monotonic() + 120
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"exit status {process.returncode}: {process.communicate()}")
        time.sleep(0.0005)


def kill_often(folder: Path, seed: int) -> int:
    """Kills a training KILLS times and starts it again, then lets it end; returns how many kills hit a writing.

    Moments are counted in steps since the start; every other kill waits for a half-written state.
    """
    rng, steps, halves = random.Random(seed), [0], 0
    for kill in range(KILLS):
        process = train(folder)
        goal = newest(folder) + rng.randint(5, 20)
        wait(process, lambda goal=goal: newest(folder) >= goal)
        if kill % 2:
            wait(process, lambda: torn(folder))
        else:
            time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        steps.append(newest(folder))
        halves += bool(torn(folder))
    assert steps == sorted(set(steps))  # each life went on from where the one before had ended
    assert steps[-1] < LATE * STEPS
    finish(train(folder))
    return halves


def test_ten_kills_at_random_moments_leave_no_trace_in_the_weights(prepared, unbroken, tmp_path):
    """Two runs side by side, with a state after every step."""
    folders = [copy(prepared, tmp_path / name, checkpoint_minutes="1.0e-7") for name in ("first", "second")]
    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(kill_often, folders, range(len(folders)))) > 0
    for folder in folders:
        assert files(folder, *RESULTS) == unbroken
        assert not list(folder.glob(f"checkpoints/{NAME}/*/*"))


def test_sigterm_in_the_middle_of_an_epoch_saves_the_state_and_ends_with_143(prepared, unbroken, tmp_path):
    folder = copy(prepared, tmp_path, checkpoint_minutes="2.0e-3")
    process = train(folder)
    wait(process, lambda: 0 < newest(folder) % STEPS < STEPS / 2)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    told = re.search(r"stopped by SIGTERM after step (\d+); the state is saved: run the same command to go on", err)
    assert told, err
    assert "Traceback" not in err
    assert int(told[1]) % STEPS
    assert newest(folder) == int(told[1])
    assert not (folder / "models" / NAME).exists()
    finish(train(folder))
    assert files(folder, *RESULTS) == unbroken
