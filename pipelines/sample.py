"""Writes a competition's bundled sample: invented texts in its official layout, the same bytes for the same seed.

`python -m pipelines.sample NAME --out data/sample/NAME` calls `competitions.NAME.sample.generate(out, seed)`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.cli import competition_module, run


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with one message, e.g. for a name without a sample."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.sample", description="Writes the bundled sample of a competition."
    )
    parser.add_argument("name", metavar="NAME", help="competition, e.g. sohu2021")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="files there are replaced; default: data/sample/NAME"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0, the seed of the committed sample")
    args = parser.parse_args(argv)
    generate = competition_module(args.name, "sample").generate
    out = args.out or Path("data/sample") / args.name
    splits = generate(out, args.seed)
    print(f"{out}: " + ", ".join(f"{len(examples)} {split}" for split, examples in splits.items()))


if __name__ == "__main__":
    sys.exit(main())
