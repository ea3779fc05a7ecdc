"""search: numbers of `predict` (thresholds) with which the trained model scores best on the validation rows.

`python -m pipelines.search sohu2021` climbs from the values of params.yaml by evolution strategies, changes no file,
and prints the values, what they gain, and a line that runs with them. The gain on rows not searched is that of two
searches on one half each, scored on the other half: trust that one.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from shared.arrays import Split
from shared.cli import run
from shared.dvc_options import options
from shared.errors import UserError
from shared.folders import Folders
from shared.markdown import table
from shared.prepared import load_split
from shared.search.numbers import Number, numbers_of, with_numbers
from shared.search.search import Found, halves, search, with_effect
from shared.settings import PARAMS, load_settings, settings_from_dict
from shared.settings_document import Place, read_yaml
from shared.task import load_task
from shared.training.hardware import configure


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    args = _parser().parse_args(argv)
    task, folders = load_task(args.name), Folders(args.name)
    settings = load_settings(args.name, task.settings)
    numbers = numbers_of(settings, args.keys)
    valid = load_split(folders.prepared, "valid")
    if valid.rows < 4:
        raise UserError(f"{folders.prepared}: {valid.rows} validation rows, too few to search on. 4 are the least.")

    for warning in configure(settings.hardware, settings.train.seed, alone=True).warnings:
        print(f"warning: {warning}", flush=True)
    from shared.training import model_folder  # it imports Keras, which is configured now
    from shared.training.prediction_cache import cached_predictions

    model = model_folder.load_model(folders.model, task)
    model_folder.require_same_encoding(model, folders.prepared)

    with tqdm(desc="search", total=27 * args.rounds + 7 * len(numbers) + 11, unit="score", disable=None) as bar:

        def score_on(split: Split) -> Callable[[dict[str, float]], float]:
            def score(values: dict[str, float]) -> float:
                bar.update()
                chosen: Any = settings_from_dict(task.settings, with_numbers(settings, values), str(PARAMS))
                outputs = task.infer(model.network, split, chosen, model.labels)
                return float(task.score(outputs, split, chosen, model.labels)[task.select_by])

            return score

        rng = np.random.default_rng(args.seed)
        present = {number.key: number.value for number in numbers}
        with cached_predictions():
            numbers = with_effect(numbers, score_on(valid))
            if not numbers:
                raise UserError(f"none of these numbers changes {task.select_by}; there is nothing to search.")
            found = search(numbers, score_on(valid), rng, args.rounds)
        with cached_predictions():
            first, second = (score_on(valid.take(rows)) for rows in halves(valid.rows, rng))
            gains = [
                other(search(numbers, searched, rng, args.rounds).values) - other(present)
                for searched, other in ((first, second), (second, first))
            ]
    _print(args.name, task.select_by, numbers, found, gains)


def _print(name: str, measure: str, numbers: Sequence[Number], found: Found, gains: Sequence[float]) -> None:
    rows = [(f"predict.{one.key}", f"{one.value:g}", f"{found.values[one.key]:g}") for one in numbers]
    print(table(f"{name}: numbers that change {measure}", ["key", "now", "found"], rows))
    print(f"\n{measure} on all validation rows: {found.before:.4f} -> {found.after:.4f}, searched on these very rows")
    print(f"on rows not searched: {np.mean(gains):+.4f} (the halves: {gains[0]:+.4f}, {gains[1]:+.4f})")
    changed = {one.key for one in numbers if found.values[one.key] != one.value}
    if np.mean(gains) <= 0 or not changed:
        print("\nNothing is gained on rows not searched, or nothing found: keep the present values.")
        return
    values: dict[Place, float] = {
        (name, "predict", key): value for key, value in found.values.items() if key in changed
    }
    print(f"\ndvc exp run evaluate@{name} predict@{name} {' '.join(options(values, read_yaml(PARAMS).value))}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.search", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("name", help="competition, a key of `raw:` in params.yaml; it must be trained")
    add("keys", nargs="*", metavar="KEY", help="numbers to search, e.g. predict.threshold_a; none: all of `predict`")
    add("--rounds", type=_count, default=20, metavar="N", help="of each of three searches, 9 scores a round (20)")
    add("--seed", type=_count, default=0, metavar="N", help="of the halves and of the steps (0)")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from 0")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
