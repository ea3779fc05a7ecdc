"""The state of an interrupted run, in one file, written whole after every epoch."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import safetensors
import safetensors.numpy

from shared.files import write_bytes

NAME = "last_epoch.safetensors"


def save_state(folder: Path, groups: dict[str, list[np.ndarray]], progress: dict[str, Any]) -> None:
    """Writes arrays by group and place, and `progress` (JSON values), atomically."""
    tensors = {f"{group}.{i}": np.asarray(a) for group, arrays in groups.items() for i, a in enumerate(arrays)}
    counts = {group: len(arrays) for group, arrays in groups.items()}
    metadata = {"state": json.dumps({"groups": counts, "progress": progress})}
    write_bytes(folder / NAME, safetensors.numpy.save(tensors, metadata=metadata))


def load_state(folder: Path) -> tuple[dict[str, list[np.ndarray]], dict[str, Any]] | None:
    """Returns what `save_state` wrote, or None if there is nothing or it is damaged."""
    try:
        with safetensors.safe_open(folder / NAME, framework="numpy") as file:
            state = json.loads(file.metadata()["state"])
            groups = {
                group: [file.get_tensor(f"{group}.{i}") for i in range(count)]
                for group, count in state["groups"].items()
            }
        return groups, state["progress"]
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError):
        return None


def values(variables) -> list[np.ndarray]:
    """Copies of variables as arrays."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables, arrays) -> None:
    """Sets variables to arrays, one to one."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
