"""Wrapped optimizers on two devices come to what they come to on one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

OPTIMIZER = {
    "kind": "adam",
    "wrap": ["weight_decay", "layer_adaptation", "lazy", "rates", "piecewise", "lookahead"],
    "lazy_names": ["embeddings"],
    "rate_factors": [["out", 2.0]],
    "piecewise_points": [[2, 1.0], [5, 0.1]],
    "lookahead_steps": 2,
}


def run(folder, devices, **settings):
    """Runs device_run.py and returns what it wrote."""
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "KERAS_BACKEND")}
    hardware = {"accelerator": "cpu", "precision": "float32", "devices": devices, **settings}
    if devices > 1:
        hardware["strategy"] = "data_parallel"
    file = folder / f"{devices}.npz"
    arguments = ["-m", "tests.shared.optim.device_run", file, json.dumps(hardware), json.dumps(OPTIMIZER)]
    options = {"cwd": REPOSITORY, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([sys.executable, *arguments], **options, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(file))


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_equal_one_and_their_copies_each_other(tmp_path, backend):
    one, two = (run(tmp_path, devices, backend=backend) for devices in (1, 2))
    assert two["copies_differ"].tolist() == []
    for name in ("losses", "norms", "weights"):
        np.testing.assert_allclose(two[name], one[name], atol=1e-5)
