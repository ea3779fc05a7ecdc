"""Our network and training step on synthetic rows, as every benchmark runs them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks import synthetic
from benchmarks.marks import plant
from benchmarks.real_rows import overridden
from benchmarks.throughput import matmul_flops
from shared.arrays import Split
from shared.settings import load_settings
from shared.task import Task, load_task
from shared.training.batches import Planned, training_batches
from shared.training.feed import Feed
from shared.training.hardware import Hardware, configure

# Limits and batches of the published baselines, by which the alternatives were measured: ../shared/PEERS.md.
PUBLISHED = {
    "sohu2021": ("data.max_length=300", "train.batch_size=16"),
    "lic2020_re": ("data.max_length=256", "train.batch_size=16", "train.subjects_per_step=one"),
    "lic2020_ee": ("data.max_length=128", "train.batch_size=32"),
    "lic2020_mrc": ("data.window=256", "data.stride=0", "train.batch_size=32"),
}
PRESETS = ("tiny", "small", "base")
PRECISIONS = ("float32", "bfloat16")
VOCABULARY_SIZE = 21128  # tokens, as in the published Chinese checkpoints


@dataclass(frozen=True)
class Case:
    """What is run: a competition on so many synthetic rows. overrides: `KEY=VALUE`, as in `dvc exp run -S`."""

    name: str
    rows: int
    preset: str = "small"
    precision: str = "float32"
    overrides: tuple[str, ...] = ()
    vocabulary_size: int = VOCABULARY_SIZE
    seed: int = 0

    @cached_property
    def task(self) -> Task:
        """The competition."""
        return load_task(self.name)

    @cached_property
    def settings(self) -> Any:
        """Those of params.yaml, with the published limits and batch size, then the case's own."""
        sizes = (f"model.backbone.preset={self.preset}", f"hardware.precision={self.precision}")
        overrides = (*PUBLISHED[self.name], *sizes, *self.overrides)
        return overridden(load_settings(self.name, self.task.settings), self.task, overrides)

    @cached_property
    def prepared(self) -> Any:
        """The rows, vocabulary and label schema."""
        return synthetic.make(self.name, self.settings, self.rows, self.vocabulary_size, self.seed)

    @property
    def split(self) -> Split:
        """The rows."""
        return self.prepared.splits["train"]

    @cached_property
    def feed(self) -> Feed:
        """Training units made of the rows."""
        return self.task.feed(self.split, self.settings, self.prepared.labels)

    def batches(self, devices: int = 1) -> list[Planned]:
        """Returns one epoch's batches by length bucket, always the same ones. devices: that share each."""
        settings, rng = self.settings, np.random.default_rng(self.seed)
        steps = settings.hardware.steps_per_execution
        return training_batches(self.feed.lengths, settings.train, devices, steps, rng)


@dataclass
class Ours:
    """The network of a case, ready to train and to predict; make it once in a process."""

    case: Case
    machine: Hardware
    network: Any

    @classmethod
    def of(cls, case: Case, *, marked: bool = False) -> "Ours":
        """Builds the network. marked: with heads that find what is marked in the rows, for prediction."""
        machine = configure(case.settings.hardware, case.settings.train.seed)
        with machine.distribution.scope():
            network = case.task.build(case.settings, case.prepared.vocabulary, case.prepared.labels)
        if marked:
            plant(case.name, network, case.split, case.prepared.labels)
        return cls(case, machine, network)

    def predict(self) -> Any:
        """Returns the answers to all rows."""
        case = self.case
        return case.task.infer(self.network, case.split, case.settings, case.prepared.labels)

    @cached_property
    def engine(self) -> Any:
        """The optimizer and its compiled steps."""
        from shared.training.engine import Engine  # imports Keras, which is configured by now

        settings = self.case.settings
        return Engine(
            self.network, self.case.task.loss(settings), settings.train, settings.hardware, 100_000, self.machine
        )

    def train(self, batches: Sequence[Planned]) -> dict[str, float]:
        """Takes a step for each batch. Returns loss: their mean; waited: share of the time, for input."""
        from shared.training.epoch import Meter, train_epoch

        meter = Meter()
        loss = train_epoch(self.engine, self.case.feed, batches, [self.case.seed], "", show=False, meter=meter)
        return {"loss": loss, "waited": meter.waited_s / meter.seconds}

    @cached_property
    def batches(self) -> list[Planned]:
        """One epoch's."""
        return self.case.batches(self.machine.devices * self.machine.hosts)

    def one_of_each_shape(self) -> list[Planned]:
        """Returns a batch of each shape, the widest first: after these, nothing is left to be compiled."""
        chosen = {(one.width, one.size): one for one in self.batches}
        return [chosen[shape] for shape in sorted(chosen, reverse=True)]

    def of_width(self, width: int, steps: int) -> list[Planned]:
        """Returns so many equal batches of this width, made of the longest rows that fit."""
        lengths, size = self.case.feed.lengths, self.case.settings.train.batch_size
        order = np.argsort(lengths, kind="stable")
        fitting = order[: max(1, int((lengths <= width).sum()))][::-1]
        return [Planned(np.resize(fitting, size), width, size)] * steps

    def matrix_rate(self, precision: str) -> float:
        """Returns the FLOP/s of large square matrix products of this backend, the best of five."""
        return matrix_rate(precision, 2048 if self.machine.accelerator == "cpu" else 8192)

    def work(self) -> tuple[float, float]:
        """Returns the FLOPs of the encoder's matrix products in an epoch, forward and backward: useful, padded."""
        places = np.concatenate([np.full(one.size, one.width) for one in self.batches])
        return 3 * matmul_flops(self.network, self.case.feed.lengths), 3 * matmul_flops(self.network, places)


def matrix_rate(precision: str, size: int) -> float:
    """Returns the FLOP/s of square matrix products in this backend, the best of five tries of a tenth of a second.

    Products are chained and the last one is waited for, so that a GPU's queue is never empty.
    """
    from keras import ops, random

    factor = ops.cast(random.normal((size, size), stddev=size**-0.5, seed=0), precision)

    def seconds(products: int) -> float:
        x, started = factor, time.perf_counter()
        for _ in range(products):
            x = ops.matmul(x, factor)
        ops.convert_to_numpy(ops.cast(x[0, 0], "float32"))
        return time.perf_counter() - started

    seconds(1)
    products = max(1, round(0.1 / seconds(1)))
    return 2 * size**3 * products / min(seconds(products) for _ in range(5))
