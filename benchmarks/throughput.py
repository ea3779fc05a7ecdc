"""Rows and tokens a second in training and prediction, peak memory, and the share of the machine's matrix rate.

    python -m benchmarks.throughput sohu2021 [--raw FOLDER] [--rows 960] [-S model.backbone.preset=small ...]

Lengths are those of the raw files: by default the development data in $BASELINE_KIT_SHARED (default ../shared), else
the bundled sample. Tokens are counted without padding. Machines differ and are noisy: compare ratios within one run.
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.arrays import Ragged, Split
from shared.cli import run
from shared.settings import load_settings, raw_folders, settings_from_dict
from shared.task import load_task
from shared.training.batches import padded_share, prediction_batches, training_batches
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--raw", type=Path, help="folder of official files")
    parser.add_argument("--rows", type=int, default=960, help="training rows a repeat; drawn evenly by length")
    parser.add_argument("--repeats", type=int, default=3, help="timed repeats after one that warms up")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="another value, as in dvc exp run")
    arguments = parser.parse_args(argv)
    task = load_task(arguments.name)
    settings = overridden(load_settings(arguments.name, task.settings), task, arguments.S)
    raw = arguments.raw or development_data(arguments.name) or raw_folders()[arguments.name]
    prepared = task.encode(task.read(raw, settings.data), settings)

    machine = configure(settings.hardware, settings.train.seed)
    from shared.training.epoch import train_epoch  # these import Keras, which is configured now
    from shared.training.fit import engine_for

    network = task.build(settings, prepared.vocabulary, prepared.labels)
    split = evenly(prepared.splits["train"], arguments.rows)
    feed = task.feed(split, settings, prepared.labels)
    lengths = feed.lengths
    units = f"{split.rows} rows, {len(lengths)} training units, {lengths.mean():.0f} tokens each"
    print(f"{raw}: {units}; {machine}; {network.count_params():,} weights")
    rate = matmul_rate(machine.precision)
    print(f"matrix product 2048 cubed, {machine.precision}: {rate / 1e9:.0f} GFLOP/s")

    def predict_all() -> None:
        task.infer(network, split, settings, prepared.labels)

    engine = engine_for(network, task.loss(settings), feed, settings, machine)
    batches = training_batches(lengths, settings.train, machine.distribution.replicas, 1, np.random.default_rng(0))

    def train_all() -> None:
        train_epoch(engine, feed, batches, [0], "", show=False)

    size = settings.hardware.predict_batch_size, settings.train.bucket_lengths
    for label, work, padding, passes in (
        ("prediction", predict_all, padded_share(lengths, prediction_batches(lengths, *size)), 1),
        ("training", train_all, padded_share(lengths, batches), 3),
    ):
        seconds = timed(work, arguments.repeats)
        middle = statistics.median(seconds)
        flops = passes * matmul_flops(network, lengths)
        print(
            f"{label}: {split.rows / middle:.1f} rows/s, {lengths.sum() / middle:.0f} tokens/s "
            f"(repeats {min(seconds):.1f} to {max(seconds):.1f} s), padding {padding:.0%}, "
            f"{flops / middle / rate:.0%} of the matrix rate, peak memory {peak_gib():.2f} GiB"
        )


def overridden(settings: Any, task: Any, overrides: Sequence[str]) -> Any:
    """Returns the settings with other values. Args: overrides: KEY=VALUE, the key with or without the competition."""
    values = settings.model_dump(mode="json")
    for override in overrides:
        key, _, text = override.partition("=")
        *parents, last = key.removeprefix(f"{task.name}.").split(".")
        section = values
        for parent in parents:
            section = section[parent]
        try:
            section[last] = json.loads(text)
        except ValueError:
            section[last] = text
    return settings_from_dict(task.settings, values, "-S")


def development_data(name: str) -> Path | None:
    """Returns the folder of a competition's development data, or None if it is not there."""
    folder = Path(os.environ.get("BASELINE_KIT_SHARED", "../shared"), "data", name)
    return folder if folder.is_dir() else None


def evenly(split: Split, rows: int) -> Split:
    """Returns `rows` rows spread evenly over their sizes, so that few rows have the whole file's distribution."""
    sizes = sum(field.lengths for field in split.values() if isinstance(field, Ragged))
    order = np.argsort(sizes, kind="stable")
    return split.take(np.sort(order[np.linspace(0, len(order) - 1, min(rows, len(order))).astype(int)]))


def timed(work: Callable[[], None], repeats: int) -> list[float]:
    """Returns the seconds of each repeat, after one that warms up."""
    work()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds


def matmul_flops(network: Any, lengths: np.ndarray) -> float:
    """Returns multiply-adds times two of one forward pass over the rows: projections and attention, no padding."""
    sizes = network.get_layer("backbone").architecture
    dim, layers = sizes.hidden_dim, sizes.num_layers
    projections = 2 * layers * (4 * dim * dim + 2 * dim * sizes.ffn_dim)  # a token
    return float(projections * lengths.sum() + 4 * layers * dim * (lengths.astype(float) ** 2).sum())


def matmul_rate(precision: str) -> float:
    """Returns the FLOP/s of a large matrix product in this backend, the best of five."""
    from keras import ops, random

    a = ops.cast(random.normal((2048, 2048), seed=0), precision)
    best = float("inf")
    for _ in range(6):
        started = time.perf_counter()
        ops.convert_to_numpy(ops.cast(ops.matmul(a, a)[0, 0], "float32"))
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def peak_gib() -> float:
    """Returns the largest memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    sys.exit(main())
