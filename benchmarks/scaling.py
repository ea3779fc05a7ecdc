"""How time and memory grow with the data, the length and the devices, and whether they grow with time.

    python -m benchmarks.scaling data    NAME [--rows 256]      1, 4 and 16 times the rows: an epoch and a prediction
    python -m benchmarks.scaling length  NAME [--steps 5]       batches of 64 to 512 tokens
    python -m benchmarks.scaling devices NAME [--backend jax]   1, 2 and 4 logical CPU devices on the same cores
    python -m benchmarks.scaling leak    NAME [--epochs 20]     memory after each of 20 epochs and 20 predictions

Every size has a process of its own, so that the peak of one does not hide that of the next. Logical devices share the
cores: what is measured there is what dividing costs. Rows are synthetic, of real lengths.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.ours import PRECISIONS, PRESETS, Case
from benchmarks.roofline import worker
from shared.cli import run

TIMES, WIDTHS, DEVICES = (1, 4, 16), (64, 128, 256, 512), (1, 2, 4)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("data", "length", "devices", "leak"), help="what it is scaled with; see above")
    parser.add_argument("name", help="competition")
    parser.add_argument("--preset", default="small", choices=PRESETS, help="(default: small)")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS, help="(default: float32)")
    parser.add_argument("--backend", default="tensorflow", choices=("tensorflow", "jax"), help="(default: tensorflow)")
    parser.add_argument("--rows", type=int, default=256, help="rows, with data: of the smallest (default: 256)")
    parser.add_argument("--steps", type=int, default=5, help="of each length (default: 5)")
    parser.add_argument("--epochs", type=int, default=20, help="of the search for leaks (default: 20)")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads (default: 2)")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="as in dvc exp run")
    arguments = parser.parse_args(argv)
    case = Case(arguments.name, arguments.rows, arguments.preset, arguments.precision, tuple(arguments.S))
    measure = {"data": _data, "length": _length, "devices": _devices, "leak": _leak}[arguments.what]
    print(f"{case.name} {case.preset}, {case.precision}, {arguments.backend}, {arguments.threads} threads", flush=True)
    measure(case, arguments)


def _data(case: Case, arguments: argparse.Namespace) -> None:
    for times in TIMES:
        larger = replace(case, rows=times * case.rows)
        for phase in ("train", "predict"):
            with worker(larger, arguments.backend, arguments.threads, marked=phase == "predict") as process:
                process.ask(do="warm" if phase == "train" else "predict")
                before = process.ask(do="facts")["gib"]
                answer = process.ask(do=phase)
            print(
                f"{larger.rows} rows, {phase}: {answer['seconds']:.1f} s, {1000 * answer['seconds'] / larger.rows:.2f} "
                f"ms a row, peak memory {answer['gib']:.2f} GiB, {1024 * (answer['gib'] - before):.0f} MiB of it new "
                "after the warm-up",
                flush=True,
            )


def _length(case: Case, arguments: argparse.Namespace) -> None:
    for width in WIDTHS:
        with worker(case, arguments.backend, arguments.threads) as process:
            process.ask(do="steps", width=width, steps=2)
            answer = process.ask(do="steps", width=width, steps=arguments.steps)
        rows = case.settings.train.batch_size
        seconds = answer["seconds"] / arguments.steps
        print(
            f"{rows} x {width} tokens: {seconds:.3f} s a step, {1e6 * seconds / (rows * width):.0f} us a token, "
            f"peak memory {answer['gib']:.2f} GiB",
            flush=True,
        )


def _devices(case: Case, arguments: argparse.Namespace) -> None:
    for devices in DEVICES:
        keys = ["accelerator=cpu"] + ([f"devices={devices}", "strategy=data_parallel"] if devices > 1 else [])
        divided = replace(case, overrides=(*case.overrides, *(f"hardware.{key}" for key in keys)))
        with worker(divided, arguments.backend, arguments.threads) as process:
            process.ask(do="warm")
            answer, facts = process.ask(do="train"), process.ask(do="facts")
        print(
            f"{facts['hardware']}: {answer['seconds']:.1f} s an epoch, loss {answer['loss']:.6f}, peak memory "
            f"{answer['gib']:.2f} GiB",
            flush=True,
        )


def _leak(case: Case, arguments: argparse.Namespace) -> None:
    for phase in ("train", "predict"):
        with worker(case, arguments.backend, arguments.threads, marked=phase == "predict") as process:
            if phase == "train":
                process.ask(do="warm")
            held = [1024 * process.ask(do=phase)["rss"] for _ in range(arguments.epochs)]
        shown, late = " ".join(f"{one:.0f}" for one in held), held[len(held) // 2 :]
        print(f"{phase}: {shown} MiB; in the second half {slope(late):+.2f} MiB each time", flush=True)


def slope(values: Sequence[float]) -> float:
    """Returns how much the values rise from one to the next, by least squares; 0 for fewer than two."""
    if len(values) < 2:
        return 0.0
    return float(np.polyfit(np.arange(len(values)), np.asarray(values, float), 1)[0])


if __name__ == "__main__":
    sys.exit(main())
