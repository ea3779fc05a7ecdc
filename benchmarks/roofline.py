"""What share of the machine's matrix rate training reaches.

    python -m benchmarks.roofline [NAME ...] [--preset small base] [--precision float32 bfloat16]

First the rate of large square matrix products, with each backend that is installed and in each precision. Then, for
each competition, preset and precision, an epoch of training on synthetic rows of real lengths (cut and batched as the
published baselines do; -S changes that), against the rate measured in the same process before and after each repeat.
Work is counted as 3 times the matrix products of the encoder's forward pass: `useful` for the rows' own tokens,
`padded` for all that the device is given. Heads, embeddings and recomputation are not counted.
"""

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.ours import PRECISIONS, PRESETS, PUBLISHED, Case
from benchmarks.peers.process import WorkerProcess, environment
from benchmarks.peers.ratios import Spread, rates
from shared.cli import run

ROWS = {"tiny": 640, "small": 320, "base": 64}


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.roofline", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(PUBLISHED), metavar="NAME", help="competitions (default: all)")
    parser.add_argument("--preset", nargs="+", default=["small"], choices=PRESETS, help="(default: small)")
    parser.add_argument("--precision", nargs="+", default=list(PRECISIONS), choices=PRECISIONS, help="(default: both)")
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax"), help="that trains")
    parser.add_argument("--rows", type=int, help="rows an epoch (default: small 320, base 64)")
    parser.add_argument("--repeats", type=int, default=3, help="timed epochs (default: 3)")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads (default: 2)")
    parser.add_argument("--rates-only", action="store_true", help="measure the matrix rates and stop")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="as in dvc exp run")
    arguments = parser.parse_args(argv)
    for backend in ("tensorflow", "jax"):
        if importlib.util.find_spec(backend):
            with worker(Case("sohu2021", 8, "tiny"), backend, arguments.threads) as rater:
                for precision in PRECISIONS:
                    flops = max(rater.ask(do="rate", precision=precision)["flops"] for _ in range(2))
                    print(f"{backend}, {precision}: {flops / 1e9:.0f} GFLOP/s in large matrix products", flush=True)
    if arguments.rates_only:
        return
    for name in arguments.names:
        for preset in arguments.preset:
            for precision in arguments.precision:
                rows = arguments.rows or ROWS[preset]
                _measure(Case(name, rows, preset, precision, tuple(arguments.S)), arguments)


def worker(case: Case, backend: str, threads: int, *, marked: bool = False) -> contextlib.AbstractContextManager[Any]:
    """Returns a process with the network of the case, as a context; marked: see `Ours.of`."""

    @contextlib.contextmanager
    def started() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.peers.our_worker"]
            description = json.dumps({"marked": marked, "case": asdict(case)})
            variables = environment(threads) | {"KERAS_BACKEND": backend}
            log = Path(folder) / "log"
            with WorkerProcess(case.name, [*command, description], threads, variables, log) as process:
                yield process

    return started()


def _measure(case: Case, arguments: argparse.Namespace) -> None:
    with worker(case, arguments.backend, arguments.threads) as process:
        process.ask(do="warm")
        work, useful, padded, seconds = process.ask(do="work"), [], [], []
        for _ in range(arguments.repeats):
            before = process.ask(do="rate", precision=case.precision)["flops"]
            seconds.append(process.ask(do="train")["seconds"])
            rate = max(before, process.ask(do="rate", precision=case.precision)["flops"])
            useful.append(100 * work["useful"] / seconds[-1] / rate)
            padded.append(100 * work["padded"] / seconds[-1] / rate)
        facts = process.ask(do="facts")
    tokens = case.feed.lengths.sum()
    print(
        f"{case.name} {case.preset}, {facts['hardware']}: {rates(tokens, seconds).text(0)} tokens/s, "
        f"useful {Spread.of(useful).text()} %, padded {Spread.of(padded).text()} % of the matrix rate",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
