"""The estimate against the peak of real steps, each in a process of its own."""

import json
import os
import subprocess
import sys

import keras
import pytest

from tests.conftest import REPOSITORY

TINY = ("num_layers=2", "hidden_dim=128", "num_heads=2", "ffn_dim=512")
SMALL = ("num_layers=4", "hidden_dim=312", "num_heads=12", "ffn_dim=1200")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("precision", "width", "rows", "options"),
    [
        ("bfloat16", 256, 8, SMALL),
        ("float32", 256, 48, (*TINY, "recompute=true")),
    ],
)
def test_the_estimate_is_within_a_third_of_the_peak(precision, width, rows, options):
    command = [sys.executable, "-m", "tests.shared.training.memory_peak", precision, str(width), str(rows), *options]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend()}
    output = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True).stdout
    found = json.loads(output.splitlines()[-1])
    assert found["expected"] == pytest.approx(found["measured"], rel=1 / 3)
