"""The training run of tests/shared/training/device_run.py with another optimizer, in a process of its own."""

import json
import sys
from pathlib import Path

import numpy as np

from shared.training.hardware import configure
from shared.training.settings import HardwareSettings
from tests.shared.training import device_run


def main(argv: list[str]) -> None:
    """Writes what came out as arrays. Args: file to write, hardware settings and the optimizer's, as JSON."""
    path, settings, optimizer = Path(argv[0]), HardwareSettings(**json.loads(argv[1])), json.loads(argv[2])
    machine = configure(settings, seed=3)
    from tests.shared.training import toy  # imports Keras, whose devices are chosen by now

    plain = toy.train_settings
    toy.train_settings = lambda **changes: plain(**changes, optimizer=optimizer)
    np.savez(path, **device_run.trained(settings, machine))


if __name__ == "__main__":
    main(sys.argv[1:])
