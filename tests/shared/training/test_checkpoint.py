import json
import resource
import subprocess
import sys

import keras
import numpy as np
import pytest
import safetensors.numpy

from shared.errors import UserError
from shared.training.checkpoint import Checkpoints, Pace, assign, values
from tests.conftest import REPOSITORY

GROUPS = {
    "network": [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32(2), np.array([1, 2], np.uint32)],
    "optimizer": [np.int64(7), np.zeros((0, 3), np.float32), np.arange(6, dtype=np.float32).reshape(2, 3).T],
    "best": [],
}
PROGRESS = {"epoch": 2, "history": [{"loss": 0.1 + 0.2}], "best_score": float("-inf")}

# Ten processes, one after the other, that write states until they are killed; prints how many kills hit a writing.
TEN_KILLS = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from shared.training.checkpoint import Checkpoints
folder, rng, step, torn = Path(sys.argv[1]), np.random.default_rng(0), 0, 0
states = Checkpoints(folder, "f")
for _ in range(10):
    writer = os.fork()
    while not writer:
        step += 1
        states.save(step, {"network": [np.full((500, 1000), step, np.float32)] * 2}, {})
    while not (folder / f"step-{step + 2:08d}.safetensors").exists():
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.05))
    os.kill(writer, signal.SIGKILL)
    os.waitpid(writer, 0)
    torn += any(folder.glob(".partial-*"))
    said = []
    state = states.load(said.append)
    assert said == [], said
    assert state.step >= step + 2
    assert all((array == state.step).all() for array in state.groups["network"])
    step = state.step
print(torn)
"""


def store(folder, *steps: int, fingerprint: str = "f") -> Checkpoints:
    """States of the steps named, each told from the others by its progress."""
    states = Checkpoints(folder, fingerprint)
    for step in steps:
        states.save(step, GROUPS, {"epoch": step})
    return states


def path(folder, step: int):
    return folder / f"step-{step:08d}.safetensors"


def names(folder) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def loaded(states: Checkpoints) -> tuple[int | None, str]:
    """The step of the state that is found, and what was said."""
    said: list[str] = []
    state = states.load(said.append)
    return (state and state.step), "\n".join(said)


def test_a_state_comes_back_with_types_shapes_and_every_digit(tmp_path):
    states = Checkpoints(tmp_path, "f")
    states.save(123, GROUPS, PROGRESS)
    said = []
    state = states.load(said.append)
    assert (state.step, state.progress, said) == (123, PROGRESS, [])
    assert {name: len(arrays) for name, arrays in state.groups.items()} == {"network": 3, "optimizer": 3, "best": 0}
    for name, arrays in GROUPS.items():
        for got, want in zip(state.groups[name], arrays, strict=True):
            assert (got.dtype, got.shape) == (want.dtype, want.shape)
            np.testing.assert_array_equal(got, want)


def test_the_file_is_named_after_the_step_and_is_plain_safetensors(tmp_path):
    store(tmp_path / "new" / "folder", 123)
    assert names(tmp_path / "new" / "folder") == ["step-00000123.safetensors"]
    tensors = safetensors.numpy.load_file(path(tmp_path / "new" / "folder", 123))
    assert sorted(tensors) == [f"{group}.{i}" for group in ("network", "optimizer") for i in range(3)]


def test_the_newest_two_states_are_kept(tmp_path):
    states = store(tmp_path, 9, 10, 100)
    assert names(tmp_path) == [path(tmp_path, 10).name, path(tmp_path, 100).name]
    assert loaded(states) == (100, "")


def test_a_state_of_the_same_step_takes_the_place_of_the_earlier(tmp_path):
    states = store(tmp_path, 1, 2)
    states.save(2, GROUPS, {"epoch": 22})
    assert names(tmp_path) == [path(tmp_path, 1).name, path(tmp_path, 2).name]
    assert states.load(print).progress == {"epoch": 22}


def test_without_a_folder_or_a_state_there_is_none(tmp_path):
    assert loaded(Checkpoints(tmp_path / "absent", "f")) == (None, "")
    assert loaded(Checkpoints(tmp_path, "f")) == (None, "")
    assert not (tmp_path / "absent").exists()


def damage(file, how: str) -> None:
    """Cuts the file, flips one bit of it, or writes something else into it."""
    data = bytearray(file.read_bytes())
    if how == "bit of an array":
        data[-1] ^= 1
    elif how == "progress":
        start = data.index(b'\\"epoch\\": 2')
        data[start + 11 : start + 12] = b"7"
    elif how == "shape":
        start = data.index(b"[2,3]")
        data[start : start + 5] = b"[3,2]"
    elif how == "fingerprint":
        start = data.index(b'\\"fingerprint\\": \\"f')
        data[start + 20 : start + 21] = b"g"
    else:
        data = {"cut": data[:-3], "cut header": data[:50], "empty": b"", "no state": b"\x02" + b"\0" * 7 + b"{}"}[how]
    file.write_bytes(data)


DAMAGES = ["cut", "cut header", "empty", "no state", "bit of an array", "progress", "shape", "fingerprint"]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_newest_state_falls_back_to_the_one_before_and_says_so(tmp_path, how):
    states = store(tmp_path, 1, 2)
    damage(path(tmp_path, 2), how)
    step, said = loaded(states)
    assert step == 1
    assert said.startswith(f"{path(tmp_path, 2)}: damaged (")
    assert said.endswith("and removed; trying the state before it")


def test_a_checksum_that_does_not_fit_is_named(tmp_path):
    states = store(tmp_path, 1)
    damage(path(tmp_path, 1), "bit of an array")
    assert "damaged (its checksum does not fit)" in loaded(states)[1]


def test_a_damaged_state_does_not_count_among_the_two_kept(tmp_path):
    states = store(tmp_path, 1, 2)
    damage(path(tmp_path, 2), "cut")
    states.load(print)
    states.save(3, GROUPS, {})
    assert names(tmp_path) == [path(tmp_path, 1).name, path(tmp_path, 3).name]


def test_when_all_states_are_damaged_the_run_starts_anew_and_says_so(tmp_path):
    states = store(tmp_path, 1, 2)
    for step in (1, 2):
        damage(path(tmp_path, step), "cut")
    step, said = loaded(states)
    assert step is None
    assert said.splitlines()[-1] == f"{tmp_path}: no whole state is left; the training starts anew"
    assert loaded(states) == (None, "")


def test_an_unreadable_state_is_named_and_left(tmp_path):
    states = store(tmp_path, 1)
    path(tmp_path, 2).mkdir()
    step, said = loaded(states)
    assert step == 1
    assert said.startswith(f"{path(tmp_path, 2)}: cannot be read")
    assert path(tmp_path, 2).exists()


def test_states_of_other_settings_are_refused(tmp_path):
    store(tmp_path, 1, fingerprint="abc")
    with pytest.raises(UserError, match=r"step-00000001.safetensors: the state of a run with other settings or data"):
        Checkpoints(tmp_path, "xyz").load(print)
    assert path(tmp_path, 1).exists()


@pytest.fixture
def full_disk():
    """Stands for one: no file may grow beyond 1000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_told_with_the_size_and_leaves_the_states_before(tmp_path, full_disk):
    states, large = store(tmp_path), {"network": [np.zeros(1_000_000, np.float32)]}
    states.save(1, {"network": [np.zeros(3, np.float32)]}, {})
    with pytest.raises(UserError, match=r"step-00000002.safetensors: cannot be written: .*large.* It takes 4.0 MB, .*"):
        states.save(2, large, {})
    assert names(tmp_path) == [path(tmp_path, 1).name]
    assert loaded(states) == (1, "")


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(UserError, match=r"step-00000001.safetensors: cannot be written"):
        store(tmp_path / "file" / "folder", 1)


def test_what_a_kill_left_half_written_is_removed_on_the_next_start(tmp_path):
    states = store(tmp_path, 1)
    (tmp_path / ".partial-abc").mkdir()
    (tmp_path / ".partial-abc" / path(tmp_path, 2).name).write_bytes(b"half")
    assert loaded(states) == (1, "")
    assert names(tmp_path) == [path(tmp_path, 1).name]


@pytest.mark.slow
def test_a_kill_at_any_moment_of_writing_leaves_a_whole_state(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TEN_KILLS, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0  # else no kill hit a writing and this has shown nothing


def test_no_copy_of_the_arrays_is_made_for_writing(tmp_path, monkeypatch):
    given = []
    original = safetensors.numpy.save_file
    monkeypatch.setattr(safetensors.numpy, "save_file", lambda t, *a, **k: (given.append(t), original(t, *a, **k)))
    array = np.ones((3, 4), np.float32)
    Checkpoints(tmp_path, "f").save(1, {"network": [array]}, {})
    assert np.shares_memory(given[0]["network.0"], array)


def test_the_metadata_is_readable_json(tmp_path):
    store(tmp_path, 5)
    with safetensors.safe_open(path(tmp_path, 5), framework="numpy") as file:
        metadata = file.metadata()
    document = json.loads(metadata["state"])
    assert (document["fingerprint"], document["step"]) == ("f", 5)
    assert len(metadata["sha256"]) == 64


def test_a_state_is_due_once_its_minutes_are_over():
    now = [100.0]
    pace = Pace(0.5, clock=lambda: now[0])
    assert not pace.due
    now[0] = 129.9
    assert not pace.due
    now[0] = 130.0
    assert pace.due
    now[0] = 150.0
    pace.saved()
    now[0] = 179.9
    assert not pace.due
    now[0] = 180.0
    assert pace.due


def test_with_zero_minutes_no_state_is_due():
    now = [0.0]
    pace = Pace(0, clock=lambda: now[0])
    now[0] = 1e9
    assert not pace.due


def test_values_are_copies_and_assign_brings_them_back():
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32", trainable=False)]
    saved = values(variables)
    variables[0].assign([5.0, 6.0])
    assert saved[0].tolist() == [1.0, 2.0]
    assign(variables, saved)
    assert values(variables)[0].tolist() == [1.0, 2.0]
    with pytest.raises(ValueError):
        assign(variables, saved[:1])


def test_variables_come_back_through_a_file(tmp_path):
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3, dtype="int32", trainable=False)]
    states = Checkpoints(tmp_path, "f")
    states.save(1, {"network": values(variables)}, {})
    variables[0].assign([5.0, 6.0])
    assign(variables, states.load(print).groups["network"])
    assert [array.tolist() for array in values(variables)] == [[1.0, 2.0], 3]
