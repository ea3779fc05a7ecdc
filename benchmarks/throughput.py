"""Rows and tokens a second in training and prediction, peak memory, and the share of the machine's matrix rate.

    python -m benchmarks.throughput sohu2021 [--raw FOLDER] [--rows 960] [-S model.backbone.preset=small ...]

Lengths are those of the raw files: by default the development data in $BASELINE_KIT_SHARED (default ../shared), else
the bundled sample. Tokens are counted without padding. Machines differ and are noisy: compare ratios within one run.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.real_rows import RealRows, add_arguments
from shared.cli import run
from shared.training.batches import padded_share
from shared.training.prediction_batches import planned_batches


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    from benchmarks.ours import matrix_rate  # which imports this module

    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, rows=960)
    parser.add_argument("--repeats", type=int, default=3, help="timed repeats after one that warms up")
    arguments = parser.parse_args(argv)
    real = RealRows.of(arguments)
    lengths, rows, settings = real.feed.lengths, real.split.rows, real.settings
    units = f"{rows} rows, {len(lengths)} training units, {lengths.mean():.0f} tokens each"
    print(f"{real.raw}: {units}; {real.machine}; {real.network.count_params():,} weights")
    size = 2048 if real.machine.accelerator == "cpu" else 8192
    rate = matrix_rate(real.machine.precision, size)
    print(f"matrix product {size} cubed, {real.machine.precision}: {rate / 1e9:.0f} GFLOP/s")
    for label, work, padding, passes in (
        ("prediction", real.predict, padded_share(lengths, planned_batches(lengths, settings)), 1),
        ("training", real.train, padded_share(lengths, real.batches), 3),
    ):
        seconds = timed(work, arguments.repeats)
        middle = statistics.median(seconds)
        flops = passes * matmul_flops(real.network, lengths)
        print(
            f"{label}: {rows / middle:.1f} rows/s, {lengths.sum() / middle:.0f} tokens/s "
            f"(repeats {min(seconds):.1f} to {max(seconds):.1f} s), padding {padding:.0%}, "
            f"{flops / middle / rate:.0%} of the matrix rate, peak memory {peak_gib():.2f} GiB"
        )


def timed(work: Callable[[], object], repeats: int) -> list[float]:
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


def peak_gib() -> float:
    """Returns the largest memory that this process has had, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    sys.exit(main())
