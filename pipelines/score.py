"""Scores a file of predictions by a competition's official measure, from the command line.

`python -m pipelines.score NAME --gold FILE_OR_DIR --pred FILE` prints one JSON object on standard output; all else goes
to standard error. It imports neither Keras nor the model, so it starts at once.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.cli import competition_module, run


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one message for input that cannot be scored."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.score", description="Scores predictions by the official measure."
    )
    parser.add_argument("name", metavar="NAME", help="competition, e.g. sohu2021; NAME --help lists its own options")
    parser.add_argument(
        "--gold", type=Path, required=True, metavar="FILE_OR_DIR", help="official file or folder with labels"
    )
    parser.add_argument(
        "--pred", type=Path, required=True, metavar="FILE", help="predictions in the form of a submission"
    )
    if argv and not argv[0].startswith("-"):  # the name decides which options there are
        scoring = competition_module(argv[0], "scoring")
        scoring.add_arguments(parser)
        args = parser.parse_args(argv)
        result = scoring.score_files(args.gold, args.pred, args)
        print(json.dumps(result, ensure_ascii=False, allow_nan=False))
    else:
        parser.parse_args(argv)
        parser.error("NAME comes first")


if __name__ == "__main__":
    sys.exit(main())
