"""The official measure of Sohu 2021: the mean of F1 over all rows of class A and F1 over all rows of class B.

F1 is that of label 1. The three lengths are pooled, not averaged: with the validation labels and predictions published
by a participant (MingjieWang0606/2021-Sohu-Text-Matching-TOP2) this gives the figures of that README to all digits. No
script of the organisers is public. A class without any 1 in gold and prediction has F1 0; the public baseline divides
0 by 0 there.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from competitions.sohu2021 import data, submission
from competitions.sohu2021.variants import VARIANTS
from shared.errors import UserError
from shared.scoring.binary_f1 import Counts, binary_counts


def score(variant: ArrayLike, gold: ArrayLike, predicted: ArrayLike) -> dict[str, Any]:
    """Returns the official score and its parts, as unrounded fractions.

    Args:
        variant: (rows,), integers: index into VARIANTS.
        gold, predicted: (rows,), labels 0 and 1.

    Returns: `f1` (the official figure), `f1_a` and `f1_b`; for each class `precision_a`, `recall_a`, `positives_a`
        (gold), `n_a` and the confusion `tp_a`, `fp_a`, `fn_a`, `tn_a`; for each variant that has rows, under its name
        (`ss_a`), an object of `f1`, `precision`, `recall`, `positives`, `n`, `tp`, `fp`, `fn`, `tn`.

    Raises: ValueError if shapes differ, a label is neither 0 nor 1, or a variant is unknown.
    """
    variant, gold, predicted = np.asarray(variant), np.asarray(gold), np.asarray(predicted)
    if not variant.shape == gold.shape == predicted.shape:
        raise ValueError(f"variant {variant.shape}, gold {gold.shape} and predicted {predicted.shape} differ in shape")
    if not np.isin(variant, range(len(VARIANTS))).all():
        raise ValueError(f"a variant is not in 0 to {len(VARIANTS) - 1}")
    classes = {}
    for kind in ("a", "b"):
        rows = np.isin(variant, [one.index for one in VARIANTS if one.kind == kind])
        classes[kind] = _figures(binary_counts(gold[rows], predicted[rows]))
    result: dict[str, Any] = {"f1": (classes["a"]["f1"] + classes["b"]["f1"]) / 2}
    result |= {f"f1_{kind}": figures.pop("f1") for kind, figures in classes.items()}
    result |= {f"{name}_{kind}": value for kind, figures in classes.items() for name, value in figures.items()}
    for one in VARIANTS:
        rows = variant == one.index
        if rows.any():
            result[one.name] = _figures(binary_counts(gold[rows], predicted[rows]))
    return result


def _figures(counts: Counts) -> dict[str, float]:
    names = ("f1", "precision", "recall", "positives", "n", "tp", "fp", "fn", "tn")
    return {name: getattr(counts, name) for name in names}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `pipelines.score` that only this competition has."""
    parser.add_argument(
        "--split", choices=tuple(data.FILES), default="valid", help="files of --gold that hold the labels"
    )
    parser.add_argument(
        "--extra-files",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="read the second round's files, e.g. valid_rematch.txt, as well",
    )
    parser.add_argument(
        "--on-bad-line", choices=("error", "skip"), default="error", help="skip leaves bad gold lines and their ids out"
    )


def score_files(gold: Path, pred: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Scores a file of predictions against a folder in the official layout.

    Variants whose folder is absent are left out, with a note on standard error; predictions for them are an error.

    Args:
        gold: the folder with the six variants' folders.
        pred: CSV `id,label`, see `submission.read_predictions`; one row for every line of the split.
        args: the options of `add_arguments`.

    Raises: UserError if a file is missing or malformed, the split has no labels, or the ids are not those of the split.
    """
    examples, _, _ = data.read_split(gold, args.split, args.on_bad_line, args.extra_files, all_variants=False)
    absent = [variant.folder for variant in VARIANTS if not (gold / variant.folder).is_dir()]
    if absent:
        print(
            f"{gold}: scored without {', '.join(absent)}, which are not there; a class without rows has F1 0.",
            file=sys.stderr,
        )
    labels = [example.label for example in examples if example.label is not None]
    if len(labels) < len(examples):
        raise UserError(
            f"{gold}: {len(examples) - len(labels)} of {len(examples)} lines of split {args.split!r} have no label, "
            f"so there is nothing to score against. Use --split valid, whose lines carry one."
        )
    predicted = submission.read_predictions(pred, [example.id for example in examples])
    return score(
        [example.variant for example in examples],
        labels,
        [predicted[example.id] for example in examples],
    )
