"""predict: the trained model on the test rows -> a submission, checked against the official test files."""

import argparse
import sys
from collections.abc import Sequence

from shared.cli import run
from shared.errors import UserError
from shared.files import new_folder, read_json, sha256_file, sha256_folder, write_json
from shared.folders import Folders
from shared.prepared import load_split
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.predict", description=__doc__)
    parser.add_argument("name", help="competition, a key of `raw:` in params.yaml")
    name = parser.parse_args(argv).name
    task, folders = load_task(name), Folders(name)
    settings, raw = load_settings(name, task.settings), raw_folders()[name]
    test = load_split(folders.prepared, "test")

    for warning in configure(settings.hardware, settings.train.seed, alone=True).warnings:
        print(f"warning: {warning}", flush=True)
    from shared.training import model_folder, provenance  # they import Keras, which is configured now

    model = model_folder.load_model(folders.model, task)
    model_folder.require_same_encoding(model, folders.prepared)
    if not (folders.results / "metrics.json").exists():
        raise UserError(
            f"{folders.results}: no metrics.json, which the manifest quotes. Run: dvc repro evaluate@{name}"
        )
    scores = read_json(folders.results / "metrics.json")
    if scores["weights_sha256"] != sha256_file(folders.model / model_folder.WEIGHTS):
        raise UserError(f"{folders.results}/metrics.json: scores of another model. Run: dvc repro evaluate@{name}")
    outputs = task.infer(model.network, test, settings, model.labels, label="test")
    with new_folder(folders.submission) as new:
        file = task.write(new, outputs, test, settings, model.labels)
        rows = task.check(file, raw)
        manifest = {
            "competition": name,
            "file": file.name,
            "rows": rows,
            "sha256": sha256_file(file),
            "scores": scores,
            "params": settings.model_dump(mode="json"),
            "trained_with": model.settings.model_dump(mode="json"),
            "model": {"sha256": sha256_folder(folders.model), **model.provenance},
            "data": {"raw": raw.as_posix(), "raw_sha256": sha256_folder(raw)},
            "code": {"sha256": provenance.code_version(name), "commit": provenance.git_commit()},
        }
        write_json(new / "manifest.json", manifest)
    print(f"{name}: {rows} rows, checked -> {folders.submission / file.name}")


if __name__ == "__main__":
    sys.exit(main())
