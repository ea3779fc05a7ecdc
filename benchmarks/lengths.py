"""How long the texts of a competition are and how much is labelled in them, as quantiles; and rows drawn from these.

    python -m benchmarks.lengths lic2020_re --raw FOLDER_OF_THE_OFFICIAL_FILES

reads the training file and writes benchmarks/lengths/lic2020_re.json: for each quantity its 0th to 100th percentile,
and how many labels the schema has. Benchmarks draw synthetic rows from these tables, so that they need no data.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.arrays import Split
from shared.cli import run
from shared.errors import UserError
from shared.files import read_json, write_text
from shared.settings import load_settings, settings_from_dict
from shared.task import load_task

FOLDER = Path(__file__).with_suffix("")
UNCUT = 8192  # tokens; the longest that the settings allow


@dataclass(frozen=True)
class Lengths:
    """What a competition's training file is like.

    rows: it was measured on. quantiles: quantity -> 101 rising numbers, the 0th to the 100th percentile over rows;
    `tokens` are those of a row before it is cut. labels: how many labels each group of the schema has: slots of each
    predicate, roles of each event type; empty without a schema.
    """

    rows: int
    quantiles: dict[str, list[float]]
    labels: list[int]

    def draw(self, quantity: str, rows: int, rng: np.random.Generator) -> np.ndarray:
        """Returns so many values of a quantity in random order, (rows,) float64.

        They stand evenly over the distribution, so that few rows have the mean of many.
        """
        return spread(np.array(self.quantiles[quantity]), rows, rng)


def spread(quantiles: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Returns the quantiles' distribution at (i + 1/2) / rows for i < rows, interpolated, shuffled: (rows,) float64."""
    places = (np.arange(rows) + 0.5) / max(rows, 1) * (len(quantiles) - 1)
    return rng.permutation(np.interp(places, np.arange(len(quantiles)), quantiles))


def percentiles(values: np.ndarray) -> list[float]:
    """Returns the 0th to the 100th percentile, 101 rising numbers of `values`; shares to 3 digits behind the point."""
    return np.percentile(values, np.arange(101), method="nearest").round(3).tolist()


def load(name: str) -> Lengths:
    """Returns the table of a competition. Raises: UserError if there is none."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.json"))) or "none"
        raise UserError(f"{path}: no table of lengths. There are: {known}. Make one with python -m benchmarks.lengths.")
    return Lengths(**read_json(path))


def to_text(table: Lengths) -> str:
    """Returns the table as JSON, a quantity a line."""
    lines = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in table.quantiles.items()]
    quantiles = ",\n".join(lines)
    return f'{{\n  "rows": {table.rows},\n  "quantiles": {{\n{quantiles}\n  }},\n  "labels": {table.labels}\n}}\n'


def measured(name: str, split: Split, labels: Any) -> Lengths:
    """Returns the table of an encoded, uncut training split."""
    if name == "lic2020_mrc":
        quantities = {
            "question_tokens": split.ragged("question_ids").lengths,
            "tokens": split.ragged("passage_ids").lengths,
            "answer_tokens": np.diff(split.ragged("spans").values.reshape(-1, 2), axis=1)[:, 0],
        }
        return Lengths(split.rows, {key: percentiles(value) for key, value in quantities.items()}, [])
    tokens = split.ragged("token_ids").lengths
    quantities = {"tokens": tokens}
    if name == "sohu2021":
        segments = split.ragged("segment_ids")
        second = np.add.reduceat(segments.values.astype(np.int64), segments.offsets[:-1])
        quantities["second_share"] = second / tokens
        return Lengths(split.rows, {key: percentiles(value) for key, value in quantities.items()}, [])
    fields = 5 if name == "lic2020_re" else 4
    spans = [row.reshape(-1, fields) for row in map(split.ragged("spans").__getitem__, range(split.rows))]
    if name == "lic2020_re":
        quantities["subjects"] = np.array([len(np.unique(row[:, :2], axis=0)) for row in spans])
        quantities["subject_tokens"] = np.concatenate([row[:, 1] - row[:, 0] for row in spans])
        quantities["objects"] = np.array([len(np.unique(row[:, 2:4], axis=0)) for row in spans])
        groups = [len(one["object_types"]) for one in labels["schema"].values()]
    else:
        quantities["arguments"] = np.array([len(row) for row in spans])
        quantities["argument_tokens"] = np.concatenate([row[:, 1] - row[:, 0] for row in spans])
        groups = [len(one["roles"]) for one in labels["schema"].values()]
    return Lengths(split.rows, {key: percentiles(value) for key, value in quantities.items()}, groups)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.lengths", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--raw", type=Path, required=True, help="folder of its official files")
    arguments = parser.parse_args(argv)
    task = load_task(arguments.name)
    values = load_settings(arguments.name, task.settings).model_dump(mode="json")
    values["data"]["window" if arguments.name == "lic2020_mrc" else "max_length"] = UNCUT
    settings = settings_from_dict(task.settings, values, "benchmarks.lengths")
    prepared = task.encode(task.read(arguments.raw, settings.data), settings)
    table = measured(arguments.name, prepared.splits["train"], prepared.labels)
    path = FOLDER / f"{arguments.name}.json"
    write_text(path, to_text(table))
    means = ", ".join(f"{key} {np.mean(value):.1f}" for key, value in table.quantiles.items())
    print(f"{path}: {table.rows} rows, {len(prepared.vocabulary)} tokens in the vocabulary; means: {means}")


if __name__ == "__main__":
    sys.exit(main())
