"""The training engine: a network, its loss and its optimizer, and the compiled steps that bring them on."""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from shared.optim.build import build_optimizer, learning_rate
from shared.optim.schedule import WarmupLinearDecay
from shared.training.batch import Batch, filled
from shared.training.checkpoint import Groups, assign, values
from shared.training.hardware import Hardware
from shared.training.loss import Loss
from shared.training.out_of_memory import (
    indivisible,
    is_out_of_memory,
    next_micro_batches,
    out_of_reach,
    smaller_pieces,
)
from shared.training.settings import HardwareSettings, TrainSettings
from shared.training.tricks.tricks import tricks_of


class Engine:
    """Takes optimizer steps on batches; all that changes on the way is in `state`.

    The loss and its gradient are those of the whole batch, whatever devices or micro-batches its rows are divided
    among; the gradient is clipped, and decay, moments, weight average and rate move once a step.

    Args:
        network: keras.Model, a dict of inputs to a dict of outputs. loss: see Loss.
        train, hardware: the settings. total_steps: optimizer steps of the run, for the learning rate.
        machine: as made by `configure`. The network must have been built under `machine.distribution.scope()`.
        say: what tells the user that steps are taken in smaller pieces.
    Attributes:
        burst: int. Steps of one shape that `run` should be given at a time; the order of batches follows from it, so
            that it depends on the settings alone.
        micro_batches: int. Parts that each device's rows are computed in, one after the other, to save memory; at first
            train.accumulate. Doubled when the memory does not suffice.
    """

    def __init__(
        self,
        network: keras.Model,
        loss: Loss,
        train: TrainSettings,
        hardware: HardwareSettings,
        total_steps: int,
        machine: Hardware,
        say: Callable[[str], None] = print,
    ):
        self.network, self.machine, self.micro_batches, self._say = network, machine, train.accumulate, say
        self.burst = hardware.steps_per_execution
        self._fitting: set[tuple] = set()  # shapes that the memory was enough for
        warmup_steps = round(train.warmup_share * total_steps)
        self._train, self._divisible = train, loss.divisible
        self.schedule = WarmupLinearDecay(train.learning_rate, warmup_steps, total_steps, train.final_rate)
        backbone = next((layer for layer in network.layers if hasattr(layer, "recompute")), None)
        if backbone is not None:
            backbone.recompute = hardware.recompute
        with machine.distribution.scope():
            self.optimizer = build_optimizer(train, self.schedule, network.trainable_variables)
        steps = importlib.import_module(f"shared.training.steps_{keras.config.backend()}")
        tricks = tricks_of(train.tricks, network, loss, hardware.recompute)
        self._steps = steps.Steps(network, loss, self.optimizer, train.clip_norm, train.seed, machine, tricks)

    def run(self, batches: Sequence[Batch]) -> dict[str, Any]:
        """Takes a step for each batch, all of one shape, in one call of the device; does not wait for it to end.

        Returns: loss, norm: (steps,) float32 on the device; the loss before each step, and the norm of its gradient
            before clipping.
        Raises: UserError if not even single rows fit into the memory, if the loss cannot be computed in parts, or if
            the memory runs out for a shape that has fitted.
        """
        parts = self.machine.distribution.replicas
        while True:
            full = [filled(batch, parts * self.micro_batches) for batch in batches]
            shape = (full[0].shape, len(full), self.micro_batches)
            known = shape in self._fitting
            # A call that fails in the middle may have changed the state already, or given it away to the device.
            before = None if known or (self._steps.all_or_nothing and len(full) == 1) else self.state()
            try:
                metrics = self._steps.run(full, self.micro_batches)
                if not known:  # JAX tells of missing memory only when the result is looked at
                    metrics = {name: np.asarray(value) for name, value in metrics.items()}
                    self._fitting.add(shape)
                return metrics
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if known or self.machine.hosts > 1:
                    raise out_of_reach(error) from error
                if before is not None:
                    self.restore(before)
                rows = len(full[0].weight)
                if not self._divisible:
                    raise indivisible(rows) from error
                self.micro_batches = next_micro_batches(self.micro_batches, rows, parts)
                width = max(array.shape[1] for array in full[0].inputs.values() if array.ndim > 1)
                self._say(smaller_pieces(rows, width, parts, self.micro_batches))

    @property
    def steps_done(self) -> int:
        """Optimizer steps taken so far."""
        return int(keras.ops.convert_to_numpy(self.optimizer.iterations))

    @property
    def compilations(self) -> int:
        """How many programs were made for steps, one a shape where shapes are compiled."""
        return self._steps.compilations

    def learning_rate(self, step: int) -> float:
        """Returns the learning rate of the optimizer step with this number, from 0."""
        return learning_rate(self._train, self.schedule, step)

    def state(self) -> Groups:
        """Returns copies of all that training changes: the arrays of network and optimizer."""
        return {"network": values(self.network.variables), "optimizer": values(self.optimizer.variables)}

    def restore(self, groups: Groups) -> None:
        """Takes back what `state` returned."""
        assign(self.network.variables, groups["network"])
        assign(self.optimizer.variables, groups["optimizer"])

    def averages(self) -> list[np.ndarray]:
        """Returns the averaged weights, or the weights themselves without an average."""
        source = self.optimizer.averages if self.optimizer.use_ema else self.network.trainable_variables
        return values(source)
