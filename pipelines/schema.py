"""Writes params.schema.json, for editors to complete and check params.yaml: `python -m pipelines.schema`."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.cli import run
from shared.errors import UserError
from shared.files import read_text, write_text
from shared.settings import json_schema, raw_folders

SCHEMA = Path("params.schema.json")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one message; with --check 1 also if the file on disk differs."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.schema", description=f"Writes {SCHEMA} for all competitions in raw of params.yaml."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if the file is out of date")
    args = parser.parse_args(argv)
    text = _schema_text()
    if not args.check:
        write_text(SCHEMA, text)
    elif not SCHEMA.exists() or read_text(SCHEMA) != text:
        raise UserError(f"{SCHEMA}: out of date. Run `python -m pipelines.schema` and commit the file.")


def _schema_text() -> str:
    from shared.task import load_task  # imports the competitions, which a mere --help does not need

    schema = json_schema({name: load_task(name).settings for name in raw_folders()})
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
