"""Devices change no trick: one process on one device and one on two, compared."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import REPOSITORY

TRICKS = {
    "fgm": {"adversary": "fgm"},
    "pgd": {"adversary": "pgd", "pgd_steps": 2},
    "gradient_penalty": {"adversary": "gradient_penalty"},
    "virtual": {"adversary": "virtual", "r_drop": 4.0},
}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_take_the_steps_of_one(backend, tmp_path):
    one, two = (run(tmp_path / f"{devices}.npz", backend, devices) for devices in (1, 2))
    assert (one["replicas"], two["replicas"]) == (1, 2)
    for name in TRICKS:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5, err_msg=name)


def run(file, backend, devices):
    strategy = "single" if devices == 1 else "data_parallel"
    settings = {"backend": backend, "devices": devices, "strategy": strategy, "accelerator": "cpu"}
    arguments = [file, json.dumps(settings | {"precision": "float32"}), json.dumps(TRICKS)]
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "KERAS_BACKEND")}
    command = [sys.executable, "-m", "tests.shared.training.tricks.device_run", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(file))
