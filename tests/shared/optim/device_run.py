"""The training run of tests/shared/training/device_run.py with other optimizers, in a process of its own."""

import json
import sys
from pathlib import Path

import numpy as np

from shared.training.hardware import configure
from shared.training.settings import HardwareSettings
from tests.shared.training import device_run


def main(argv: list[str]) -> None:
    """Writes what came out as arrays. Args: file to write, hardware settings, those of optimizers by name, as JSON."""
    path, settings, optimizers = Path(argv[0]), HardwareSettings(**json.loads(argv[1])), json.loads(argv[2])
    machine = configure(settings, seed=3)
    from tests.shared.optim import blocks  # these import Keras, whose devices are chosen by now
    from tests.shared.training import toy

    plain, toy.network, results = toy.train_settings, blocks.network, {}
    for name, optimizer in optimizers.items():
        own = {"optimizer": optimizer} | ({"ema_momentum": 0.0} if "swa" in optimizer.get("wrap", ()) else {})
        toy.train_settings = lambda own=own, **changes: plain(**changes | own)
        results |= {f"{name}_{key}": value for key, value in device_run.trained(settings, machine).items()}
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1:])
