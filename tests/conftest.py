"""What tests share. Imports no backend: collecting the tests of tools, text or scoring must stay cheap."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Before the first `import keras` of any test.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

REPOSITORY = Path(__file__).resolve().parent.parent


def to_numpy(tensor: Any) -> np.ndarray:
    """Turn a tensor of any backend into an array; bfloat16, which NumPy lacks, into float32."""
    from keras import ops

    if ops.is_tensor(tensor) and "bfloat16" in str(tensor.dtype):
        tensor = ops.cast(tensor, "float32")
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with `data/` and `scorers/` that are not part of the project; its tests skip without it."""
    folder = Path(os.environ.get("BASELINE_KIT_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "scorers").is_dir():
        pytest.skip(f"no shared data at {folder}; set BASELINE_KIT_SHARED")
    return folder
