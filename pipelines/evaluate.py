"""evaluate: the trained model and trivial baselines on the validation rows -> official scores, slices, curves."""

import argparse
import sys
from collections.abc import Sequence

from shared.cli import run
from shared.csv_files import write_csv
from shared.files import new_folder, sha256_file, write_json
from shared.folders import Folders
from shared.prepared import load_split
from shared.settings import load_settings
from shared.task import load_task
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.evaluate", description=__doc__)
    parser.add_argument("name", help="competition, a key of `raw:` in params.yaml")
    name = parser.parse_args(argv).name
    task, folders = load_task(name), Folders(name)
    settings = load_settings(name, task.settings)
    train, valid = load_split(folders.prepared, "train"), load_split(folders.prepared, "valid")

    for warning in configure(settings.hardware, settings.train.seed, alone=True).warnings:
        print(f"warning: {warning}", flush=True)
    from shared.training import model_folder  # it imports Keras, which is configured now

    model = model_folder.load_model(folders.model, task)
    model_folder.require_same_encoding(model, folders.prepared)
    outputs = task.infer(model.network, valid, settings, model.labels, label="valid")
    metrics = task.score(outputs, valid, settings, model.labels)
    metrics["best_epoch"] = model.provenance["best_epoch"]
    metrics["weights"] = model.network.count_params()
    metrics["weights_sha256"] = sha256_file(folders.model / model_folder.WEIGHTS)
    metrics["baselines"] = {
        baseline: task.score(answers, valid, settings, model.labels)
        for baseline, answers in task.baselines(train, valid, settings, model.labels).items()
    }
    with new_folder(folders.valid) as new:
        task.write(new, outputs, valid, settings, model.labels)
    for file, rows in task.tables(outputs, valid, settings, model.labels).items():
        write_csv(folders.results / file, rows)
    write_json(folders.results / "metrics.json", metrics)
    print(f"{name}: {task.select_by} {metrics[task.select_by]:.4f} -> {folders.results / 'metrics.json'}")


if __name__ == "__main__":
    sys.exit(main())
