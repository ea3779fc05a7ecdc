"""Batched prediction against one row at a time, as the published scripts predict, with the same trained model.

    python -m benchmarks.prediction lic2020_re [--rows 200] [--split train]

Takes what the stages left: data/prepared/NAME and models/NAME, so run `dvc repro train@NAME` first. One row at a time
is measured twice: with `Model.predict`, which the published scripts call for every row, and with the lighter compiled
function of `shared.training.predict`, which is ours. Machines are noisy, so read the ratios of one run, not the rates
of two.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from shared.arrays import Split
from shared.cli import run
from shared.folders import Folders
from shared.prepared import load_split
from shared.task import load_task
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.prediction",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--rows", type=int, default=200, help="rows to predict, spread evenly over the split")
    parser.add_argument("--split", default="valid", choices=("train", "valid"))
    parser.add_argument("--repeats", type=int, default=3, help="timed repeats after one that warms up")
    arguments = parser.parse_args(argv)
    task, folders = load_task(arguments.name), Folders(arguments.name)
    split = load_split(folders.prepared, arguments.split)
    split = split.take(np.unique(np.linspace(0, split.rows - 1, min(arguments.rows, split.rows)).astype(int)))

    from shared.training import model_folder  # imports Keras, which is configured below, before anything is built

    settings = model_folder.saved_settings(folders.model, task)
    machine = configure(settings.hardware, settings.train.seed)
    model = model_folder.load_model(folders.model, task)
    single = settings.model_copy(update={"hardware": settings.hardware.model_copy(update={"predict_batch_size": 1})})
    rows = [split.take(np.array([row])) for row in range(split.rows)]
    print(
        f"{arguments.name}: {split.rows} rows of {arguments.split}; {machine}; {model.network.count_params():,} weights"
    )

    def batched() -> list[Any]:
        return [task.infer(model.network, split, settings, model.labels)]

    def one_by_one() -> list[Any]:
        return [task.infer(model.network, row, single, model.labels) for row in rows]

    ways = [("batches", batched, arguments.repeats), ("one row at a time", one_by_one, 1)]
    fastest = _measured(task, split, settings, model.labels, ways)
    parts = vars(model.network.parts).values() if hasattr(model.network, "parts") else []
    for network in [model.network, *parts]:
        network.predictor = partial(network.predict, verbose=0)
    slowest = _measured(task, split, settings, model.labels, [("one row at a time, Model.predict", one_by_one, 1)])
    batches, *others = fastest + slowest
    print("batches are faster by " + " and ".join(f"{batches / other:.1f}" for other in others))


def _measured(task: Any, split: Split, settings: Any, labels: Any, ways: Sequence[Any]) -> list[float]:
    """Prints and returns the rows a second of (name, work, repeats), after a run of each that warms up."""
    rates = []
    for name, work, repeats in ways:
        outputs, seconds = work(), []
        for _ in range(repeats):
            started = time.perf_counter()
            outputs = work()
            seconds.append(time.perf_counter() - started)
        rates.append(split.rows / min(seconds))
        figure = task.score(_joined(outputs), split, settings, labels)[task.select_by]
        print(f"{name}: {rates[-1]:.1f} rows/s, {task.select_by} {figure:.4f}")
    return rates


def _joined(outputs: Sequence[Any]) -> dict[str, Any]:
    return {name: [answer for part in outputs for answer in part[name]] for name in outputs[0]}


if __name__ == "__main__":
    sys.exit(main())
