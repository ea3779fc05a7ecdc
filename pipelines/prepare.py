"""prepare: official files -> checked examples -> arrays, with a report on the data."""

import argparse
import sys
from collections.abc import Sequence

from shared.cli import run
from shared.files import write_json, write_text
from shared.folders import Folders
from shared.prepared import save_prepared
from shared.pretrained.settings import with_checkpoint
from shared.reporting import ceiling
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.text.casing import casing_warning
from shared.text.units import units_warning


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m pipelines.prepare", description=__doc__)
    parser.add_argument("name", help="competition, a key of `raw:` in params.yaml")
    name = parser.parse_args(argv).name
    task, folders = load_task(name), Folders(name)
    settings = with_checkpoint(load_settings(name, task.settings))
    examples = task.read(raw_folders()[name], settings.data)
    prepared = task.encode(examples, settings)
    document = task.report(examples)
    text = task.render(document)
    if task.ceiling:
        document["ceiling"] = task.ceiling(examples, prepared, settings)
        text += f"\n{ceiling.render(document['ceiling'])}\n"
    save_prepared(folders.prepared, prepared)
    write_json(folders.results / "data_report.json", document)
    write_text(folders.results / "data_report.md", text)
    rows = ", ".join(f"{split.rows} {split_name}" for split_name, split in prepared.splits.items())
    print(f"{name}: {rows} rows, {len(prepared.vocabulary)} tokens in the vocabulary -> {folders.prepared}")
    print(f"{name}: data report -> {folders.results / 'data_report.md'}")
    warnings = [
        casing_warning(settings.text, prepared.vocabulary),
        units_warning(settings.text, prepared.vocabulary, task.spans),
        *ceiling.warnings(document.get("ceiling", {}), task.select_by),
    ]
    for warning in filter(None, warnings):
        print(f"{name}: warning: {warning}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
