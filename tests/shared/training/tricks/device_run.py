"""Two steps with each trick on so many devices, to be started as a process of its own."""

import json
import sys

import numpy as np

from shared.training.hardware import configure
from shared.training.settings import HardwareSettings


def main(argv: list[str]) -> None:
    """Writes the weights after the steps, by trick. Args: file to write, hardware settings and tricks, as JSON."""
    settings = HardwareSettings(**json.loads(argv[1]))
    machine = configure(settings, seed=0)
    from shared.training.engine import Engine  # these import Keras, whose devices are chosen by now
    from tests.shared.training import toy
    from tests.shared.training.tricks import tables

    results = {"replicas": np.array(machine.distribution.replicas)}
    for name, tricks in json.loads(argv[2]).items():
        with machine.distribution.scope():
            network = tables.network(dropout=0.3)
        train = toy.train_settings(tricks=tricks, learning_rate=0.05, weight_decay=0.0)
        engine = Engine(network, tables.loss, train, settings, 10, machine)
        for seed in range(2):
            engine.run([tables.batch(5, seed)])
        results[name] = np.concatenate([array.ravel() for array in engine.state()["network"]])
    np.savez(argv[0], **results)


if __name__ == "__main__":
    main(sys.argv[1:])
