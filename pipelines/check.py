"""Checks a submission file against the official test files: `python -m pipelines.check NAME FILE [--raw FOLDER]`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.cli import competition_module, run
from shared.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one message that names all that is wrong with the file."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.check", description="Checks a submission against the test files."
    )
    parser.add_argument("name", metavar="NAME", help="competition, e.g. sohu2021")
    parser.add_argument("file", type=Path, metavar="FILE", help="the submission")
    parser.add_argument("--raw", type=Path, metavar="FOLDER", help="official files (default: raw.NAME of params.yaml)")
    args = parser.parse_args(argv)
    submission = competition_module(args.name, "submission")
    raw = _raw_folder(args.name) if args.raw is None else args.raw
    rows = submission.check_file(args.file, raw)
    print(f"{args.file}: {rows} rows, valid for the test files in {raw}.")


def _raw_folder(name: str) -> Path:
    from shared.settings import raw_folders  # only here: pydantic and the YAML reader take their time

    folders = raw_folders()
    if name not in folders:
        raise UserError(f"params.yaml: no folder for {name!r} under 'raw'. Add it there, or name it with --raw FOLDER.")
    return Path(folders[name])


if __name__ == "__main__":
    sys.exit(main())
