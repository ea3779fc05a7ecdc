"""Optimizer steps on one batch, for the tests of networks and losses."""

import keras
import numpy as np

from shared.training.batch import Batch
from shared.training.engine import Engine
from shared.training.hardware import Hardware
from shared.training.settings import HardwareSettings, TrainSettings

MACHINE = Hardware("cpu", "float32", jit=keras.backend.backend() != "tensorflow", backend=keras.backend.backend())


def engine_of(network, loss, train: TrainSettings, total_steps: int, **hardware) -> Engine:
    return Engine(network, loss, train, HardwareSettings(**hardware), total_steps, MACHINE)


def take_steps(network, loss, batches, learning_rate: float = 0.01) -> list[float]:
    """Returns the loss of each (inputs, targets) before the step on it; plain Adam without warm-up or decay."""
    plain = {"warmup_share": 0.0, "final_rate": 1.0, "weight_decay": 0.0, "clip_norm": 0.0, "ema_momentum": 0.0}
    settings = TrainSettings(seed=0, epochs=1, batch_size=1, bucket_lengths=(8,), learning_rate=learning_rate, **plain)
    engine = engine_of(network, loss, settings, 1000)
    losses = []
    for inputs, targets in batches:
        rows = len(next(iter(inputs.values())))
        losses.append(float(np.asarray(engine.run([Batch(inputs, targets, np.ones(rows, np.float32))])["loss"])[0]))
    return losses
