"""The state of an unfinished run, on disk often enough to go on from, exactly, after a kill at any moment."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors
import safetensors.numpy

from shared.errors import UserError

Groups = dict[str, list[np.ndarray]]  # e.g. network, optimizer, best: their arrays in a fixed order

_KEPT = 2
_PARTIAL = ".partial-"  # folders in which a state is being written


@dataclass(frozen=True)
class State:
    """What a run goes on from. step: optimizer steps taken; progress: JSON values that the loop keeps beside arrays."""

    step: int
    groups: Groups
    progress: dict[str, Any]


class Checkpoints:
    """The newest two states of one run, each a file `step-<optimizer steps>.safetensors` with a checksum.

    A file appears under its name only when it is whole and flushed to disk, so that a kill or a power cut at any moment
    leaves the states before it. Beside the groups given, no copy of the arrays is held.

    Args: folder: of this run alone; made at the first save. fingerprint: of all that makes two runs equal (settings,
        data, code, machine); states of another one are refused.
    """

    def __init__(self, folder: Path, fingerprint: str):
        self.folder, self.fingerprint = Path(folder), fingerprint

    def save(self, step: int, groups: Groups, progress: dict[str, Any]) -> None:
        """Writes a state, then deletes all but it and the one before.

        Args: groups: arrays of any shape; numbers or bool. progress: JSON values; floats keep every digit.
        Raises: UserError if it cannot be written (disk full, no permission); the states before it stay as they are.
        """
        tensors = {name: np.asarray(array, order="C") for name, array in _named(groups)}
        counts = {group: len(arrays) for group, arrays in groups.items()}
        document = {"fingerprint": self.fingerprint, "step": step, "groups": counts, "progress": progress}
        text = json.dumps(document)
        metadata = {"state": text, "sha256": _sha256(text, tensors)}
        path, partial = self._path(step), None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            partial = Path(tempfile.mkdtemp(dir=self.folder, prefix=_PARTIAL))
            safetensors.numpy.save_file(tensors, partial / path.name, metadata=metadata)
            _flush(partial / path.name)
            os.replace(partial / path.name, path)
            _flush_folder(self.folder)
        except (OSError, safetensors.SafetensorError) as error:
            needed = sum(array.nbytes for array in tensors.values())
            raise UserError(
                f"{path}: cannot be written: {error}. It takes {needed / 1e6:.1f} MB{_free(self.folder)}; the states "
                "before it are unchanged. Free some space, or make the folder writable."
            ) from None
        finally:
            if partial is not None:
                shutil.rmtree(partial, ignore_errors=True)
        before = [other for other in self._steps() if other < step]
        self._delete(set(self._steps()) - {step, *before[-_KEPT + 1 :]})

    def load(self, say: Callable[[str], None]) -> State | None:
        """Returns the newest state that is whole, None if there is none; removes what a kill left half written.

        A damaged file (cut, altered, not a state) is named to `say` and removed, so that it is never counted among the
        two kept; an unreadable one is named and left.

        Raises: UserError if a whole state has another fingerprint.
        """
        for partial in self.folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(partial, ignore_errors=True)
        steps = self._steps()
        for step in reversed(steps):
            path = self._path(step)
            try:
                fingerprint, state = _read(path)
            except OSError as error:
                say(f"{path}: cannot be read: {error.strerror or error}; trying the state before it")
                continue
            except (safetensors.SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
                say(f"{path}: damaged ({error}) and removed; trying the state before it")
                self._delete({step})
                continue
            if fingerprint != self.fingerprint:
                raise UserError(
                    f"{path}: the state of a run with other settings or data: fingerprint {fingerprint}, this run has "
                    f"{self.fingerprint}. Delete {self.folder}, or train with what it was made with."
                )
            return state
        if steps:
            say(f"{self.folder}: no whole state is left; the training starts anew")
        return None

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}.safetensors"

    def _steps(self) -> list[int]:
        """Steps of the states there are, rising."""
        names = [path.name.removeprefix("step-").split(".")[0] for path in self.folder.glob("step-*.safetensors")]
        return sorted(int(name) for name in names if name.isdecimal())

    def _delete(self, steps: set[int]) -> None:
        for step in steps:
            with contextlib.suppress(OSError):
                self._path(step).unlink()


class Pace:
    """Says when the next state within an epoch is due: `minutes` after the last was written; 0: never.

    The time that writing takes does not count, so that slow disks cannot bring training to a stop.
    Args: clock: seconds, of any origin.
    """

    def __init__(self, minutes: float, clock: Callable[[], float] = time.monotonic):
        self._seconds, self._clock = 60.0 * minutes, clock
        self.saved()

    @property
    def due(self) -> bool:
        """Whether it is time to write one."""
        return self._seconds > 0 and self._clock() - self._last >= self._seconds

    def saved(self) -> None:
        """Starts the time anew: a state was written, or could not be."""
        self._last = self._clock()


def values(variables) -> list[np.ndarray]:
    """Copies of variables as arrays."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables, arrays) -> None:
    """Sets variables to arrays, one to one."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _named(groups: Groups) -> Iterator[tuple[str, np.ndarray]]:
    for group, arrays in groups.items():
        for i, array in enumerate(arrays):
            yield f"{group}.{i}", array


def _read(path: Path) -> tuple[str, State]:
    """Returns the fingerprint and the state. Raises: OSError, SafetensorError, KeyError, TypeError, ValueError."""
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        document = json.loads(metadata["state"])
        groups = {
            group: [file.get_tensor(f"{group}.{i}") for i in range(count)]
            for group, count in document["groups"].items()
        }
    if _sha256(metadata["state"], dict(_named(groups))) != metadata["sha256"]:
        raise ValueError("its checksum does not fit")
    return document["fingerprint"], State(document["step"], groups, document["progress"])


def _sha256(text: str, tensors: dict[str, np.ndarray]) -> str:
    """Over the text and each array's name, type, shape and bytes; the arrays are C-contiguous."""
    digest = hashlib.sha256(text.encode())
    for name, array in tensors.items():
        digest.update(f"\n{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data)  # no copy; hashlib takes one dimension only
    return digest.hexdigest()


def _flush(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Makes a renaming last; Windows cannot open folders and needs no flush."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _free(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return f", {shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    return ""
