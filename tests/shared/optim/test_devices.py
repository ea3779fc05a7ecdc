"""Every kind and every wrapper on two devices comes to what it comes to on one."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

OPTIMIZERS = {
    "wrapped": {
        "kind": "adam",
        "wrap": ["weight_decay", "layer_adaptation", "lazy", "layer_decay", "rates", "piecewise", "lookahead"],
        "lazy_names": ["embeddings"],
        "layer_decay_rate": 0.5,
        "rate_factors": [["out", 2.0]],
        "piecewise_points": [[2, 1.0], [5, 0.1]],
        "lookahead_steps": 2,
    },
    "swa": {"wrap": ["swa"], "swa_start": 0.2, "swa_every": 2},
    **{kind: {"kind": kind} for kind in ("radam", "sgd", "lion", "rmsprop", "adafactor")},
}


def run(folder, devices, **settings):
    """Runs device_run.py with all optimizers and returns what it wrote."""
    environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "KERAS_BACKEND")}
    hardware = {"accelerator": "cpu", "precision": "float32", "devices": devices, **settings}
    if devices > 1:
        hardware["strategy"] = "data_parallel"
    file = folder / f"{devices}.npz"
    arguments = ["-m", "tests.shared.optim.device_run", file, json.dumps(hardware), json.dumps(OPTIMIZERS)]
    options = {"cwd": REPOSITORY, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run([sys.executable, *arguments], **options, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(np.load(file))


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def results(request, tmp_path_factory):
    """Of all optimizers, on one device and on two."""
    folder = tmp_path_factory.mktemp(request.param)
    return [run(folder, devices, backend=request.param) for devices in (1, 2)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_devices_equal_one_and_their_copies_each_other(results, name):
    one, two = results
    assert two[f"{name}_copies_differ"].tolist() == []
    for key in ("losses", "norms", "weights"):
        np.testing.assert_allclose(two[f"{name}_{key}"], one[f"{name}_{key}"], atol=1e-5)
