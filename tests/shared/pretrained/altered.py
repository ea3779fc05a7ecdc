"""The fixtures of tests/data/backbones with something changed: damaged, or made for another task."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from tests.shared.pretrained import published

Tensors = dict[str, np.ndarray]
assert ml_dtypes  # safetensors writes bfloat16 arrays once this is imported


def folder(path: Path, name: str, change: Callable[[Tensors], Tensors | None] | None = None, **config: Any) -> Path:
    """Writes a fixture as safetensors to `path`. change: of the tensors, in place or as new ones. config: other
    values; ... removes a key.
    """
    shutil.copytree(published.FIXTURES / name, path)
    for file in path.glob("*.bin"):
        file.unlink()
    (weights,) = path.glob("*.safetensors")
    tensors = published.tensors(name)
    tensors = (change(tensors) or tensors) if change else tensors
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, weights)
    (file,) = path.glob("*config.json")
    document = json.loads(file.read_text(encoding="utf-8")) | config
    document = {key: value for key, value in document.items() if value is not ...}
    file.write_text(json.dumps(document), encoding="utf-8")
    return path
