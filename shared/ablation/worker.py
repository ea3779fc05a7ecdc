"""What runs in a process of its own: `python -m shared.ablation.worker prepare|train FOLDER`.

FOLDER holds request.json, as `shared.ablation.runner` wrote it. Speed and memory are then those of this run alone.
"""

import os
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.ablation.record import METRICS, REQUEST, ROWS, Origin, Record
from shared.ablation.versions import code_version
from shared.cli import competition_module, run
from shared.errors import UserError
from shared.files import read_json, sha256_file, write_json
from shared.prepared import load_labels, load_split, load_vocabulary, save_prepared
from shared.pretrained.settings import with_checkpoint
from shared.settings import settings_from_dict
from shared.task import Task, load_task
from shared.training.hardware import configure
from shared.training.interruption import Interrupted

FAILURE = "failure.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status. A reason to fail is left in failure.json."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    what, folder = sys.argv[1:] if argv is None else argv
    act = {"prepare": prepare, "train": train}[what]
    try:
        act(Path(folder))
    except Interrupted:
        raise
    except Exception as error:
        text = str(error) if isinstance(error, UserError) else traceback.format_exception_only(error)[-1]
        write_json(Path(folder) / FAILURE, {"reason": " ".join(text.split())[:2000]})
        raise


def prepare(folder: Path) -> None:
    """Writes the arrays that a request asks for."""
    request = read_json(folder / REQUEST)
    task = load_task(request["competition"])
    settings = _settings(request, task, folder)
    prepared = task.encode(task.read(Path(request["raw"]), settings.data), settings)
    save_prepared(Path(request["prepared"]), prepared)


def train(folder: Path) -> None:
    """Trains and scores as the stages `train` and `evaluate` do, keeping figures in place of a model."""
    started = time.perf_counter()
    request = read_json(folder / REQUEST)
    if request["cpus"]:
        os.sched_setaffinity(0, request["cpus"])  # before the backend counts them
    name, arrays = request["competition"], Path(request["prepared"])
    task, code = load_task(name), code_version(name)  # the sources may have changed since the plan was begun
    origin = Origin(**request["origin"] | {"code": code})
    settings = _settings({"settings": origin.settings}, task, folder)
    splits = load_split(arrays, "train"), load_split(arrays, "valid")
    vocabulary, labels = load_vocabulary(arrays), load_labels(arrays)

    machine = configure(settings.hardware, settings.train.seed)
    from shared.ablation.measure import MemoryMeter, Stopwatch
    from shared.training import fit
    from shared.training.checkpoint import Checkpoints
    from shared.training.network import network_of  # these import Keras, which is configured now

    meter = MemoryMeter(machine)
    network, _ = network_of(task, settings, vocabulary, labels, machine)
    feed = task.feed(splits[0], settings, labels)
    engine = fit.engine_for(network, task.loss(settings), feed, settings, machine)
    watch = Stopwatch(engine)

    def answers() -> Any:
        return task.infer(network, splits[1], settings, labels)

    def validate() -> dict[str, float]:
        watch.epoch_ends()
        return task.score(answers(), splits[1], settings, labels)

    checkpoints = folder / "checkpoints"
    progress = fit.fit(
        engine,
        feed,
        settings.train,
        validate=validate,
        select_by=task.select_by,
        figures=task.figures,
        checkpoints=Checkpoints(checkpoints / origin.fingerprint, origin.fingerprint),
    )
    memory = meter.peak()
    asked = time.perf_counter()
    outputs = answers()
    predict_s = time.perf_counter() - asked
    metrics = task.score(outputs, splits[1], settings, labels)
    cost = {
        "seconds": time.perf_counter() - started,
        "weights": network.count_params(),
        "machine": str(machine),
        "jobs": request["jobs"],
        "memory": memory,
        "rows_an_epoch": len(feed.lengths),
        "micro_batches": engine.micro_batches,
        **(watch.speed() or {}),
        "predict_rows_per_s": splits[1].rows / predict_s,
    }
    shares = contributions(task, outputs, splits[1], settings, labels).get(request["measure"])
    if shares is not None:
        np.savez_compressed(folder / ROWS, shares=shares)
    Record(
        name,
        request["trial"],
        settings.train.seed,
        request["measure"],
        origin,
        cost,
        float(metrics[request["measure"]]),
        progress.best_epoch,
        metrics,
        None if shares is None else sha256_file(folder / ROWS),
    ).save(folder)
    shutil.rmtree(checkpoints, ignore_errors=True)
    print(f"{folder / METRICS}: {request['measure']} {metrics[request['measure']]:.4f}")


def contributions(task: Task, outputs: Any, split: Any, settings: Any, labels: Any) -> dict[str, np.ndarray]:
    """Returns each row's shares in the figures, by figure: (rows, classes, 2), see `shared.ablation.statistics`.

    They come from `competitions.<name>.contributions`; a competition may do without.
    """
    try:
        module = competition_module(task.name, "contributions")
    except UserError:
        return {}
    return module.contributions(outputs, split, settings, labels)


def _settings(request: dict[str, Any], task: Task, folder: Path) -> Any:
    return with_checkpoint(settings_from_dict(task.settings, request["settings"], str(folder / REQUEST)))


if __name__ == "__main__":
    sys.exit(main())
