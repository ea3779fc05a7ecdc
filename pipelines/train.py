"""train: arrays -> the model of the best epoch, with its learning curve."""

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence

from shared.cli import run
from shared.csv_files import write_csv
from shared.files import sha256_folder
from shared.folders import Folders
from shared.prepared import load_labels, load_split, load_vocabulary
from shared.pretrained.settings import with_checkpoint
from shared.settings import load_settings
from shared.task import load_task
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.train", description=__doc__)
    parser.add_argument("name", help="competition, a key of `raw:` in params.yaml")
    name = parser.parse_args(argv).name
    task, folders = load_task(name), Folders(name)
    settings = with_checkpoint(load_settings(name, task.settings))
    train, valid = load_split(folders.prepared, "train"), load_split(folders.prepared, "valid")
    vocabulary, labels = load_vocabulary(folders.prepared), load_labels(folders.prepared)

    machine = configure(settings.hardware, settings.train.seed)
    from shared.pretrained.audit import render
    from shared.training import fit, model_folder, provenance
    from shared.training.checkpoint import Checkpoints
    from shared.training.guards import TrainingStopped
    from shared.training.network import network_of  # these import Keras, which is configured now

    for warning in machine.warnings:
        print(f"warning: {warning}", flush=True)
    network, audit = network_of(task, settings, vocabulary, labels, machine)
    if audit:
        print(render(audit), flush=True)
    source = {
        "data": sha256_folder(folders.prepared),
        "code": provenance.code_version(name),
        "hardware": str(machine),
        "software": provenance.software(),
        "pretrained": audit and {"folder": settings.model.backbone.pretrained, "sha256": audit.sha256},
    }
    print(f"{name}: {train.rows} rows, {network.count_params():,} weights, {machine}", flush=True)

    def validate() -> dict[str, float]:
        return task.score(task.infer(network, valid, settings, labels, label="valid"), valid, settings, labels)

    asked = {"settings": settings.model_dump(mode="json", include={"model", "train", "hardware", "predict"}), **source}
    fingerprint = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    checkpoints = folders.checkpoints(fingerprint)
    feed = task.feed(train, settings, labels)
    engine = fit.engine_for(network, task.loss(settings), feed, settings, machine)

    def save(progress: fit.Progress) -> None:
        facts = {"best_epoch": progress.best_epoch, task.select_by: progress.best_score, **source}
        model_folder.save_model(folders.model, network, task, settings, vocabulary, labels, facts)

    try:
        progress = fit.fit(
            engine,
            feed,
            settings.train,
            validate=validate,
            select_by=task.select_by,
            figures=task.figures,
            checkpoints=Checkpoints(checkpoints, fingerprint),
        )
    except TrainingStopped as error:
        if machine.is_chief and error.progress.best_epoch:
            save(error.progress)
            print(f"{name}: the model of epoch {error.progress.best_epoch} is in {folders.model}", flush=True)
        raise
    if not machine.is_chief:
        return
    save(progress)
    write_csv(folders.results / "history.csv", progress.history)
    shutil.rmtree(checkpoints.parent, ignore_errors=True)  # those of abandoned runs too
    print(f"{name}: epoch {progress.best_epoch}, {task.select_by} {progress.best_score:.4f} -> {folders.model}")


if __name__ == "__main__":
    sys.exit(main())
