"""Answers of a model or a baseline to scores, curves and the submission."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competitions.lic2020_mrc import scoring, submission
from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.arrays import Split
from shared.files import write_text
from shared.task import Labels, Outputs

SUBMISSION, N_BEST = "prediction.json", "n_best.jsonl"
WINDOWS = {"1": (1, 2), "2+": (2, 1 << 31)}  # slices by number of the passage's windows, half-open


def score(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, Any]:
    """Returns the official figures, also by length of the golden answer and by number of windows of the passage."""
    ids, gold = split.ragged("id").texts(), golden_answers(split)
    result = scoring.score(zip(ids, gold, strict=True), dict(zip(ids, outputs["answer"], strict=True)))
    counts = np.bincount(WindowedSplit(split, labels).windows.row, minlength=split.rows)
    result["by_windows"] = {}
    for name, (low, high) in WINDOWS.items():
        rows = np.flatnonzero((counts >= low) & (counts < high)).tolist()
        if rows:
            part = scoring.score(
                [(ids[row], gold[row]) for row in rows], {ids[row]: outputs["answer"][row] for row in rows}
            )
            result["by_windows"][name] = {"n": part["total"], "em": part["em"], "f1": part["f1"]}
    return result


def tables(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of `pr_curve/exact_match.csv` and `confusion/answer_length.csv`."""
    gold = golden_answers(split)
    return {
        "pr_curve/exact_match.csv": pr_curve(gold, outputs["answer"], outputs["confidence"]),
        "confusion/answer_length.csv": confusion(gold, outputs["answer"]),
    }


def pr_curve(
    gold: Sequence[Sequence[str]], answers: Sequence[str], confidence: Sequence[float]
) -> list[dict[str, Any]]:
    """Returns precision and recall of exact matches if only answers of at least a confidence of 0, 0.02 ... are given.

    precision: exact matches among the answers given; recall: among all questions; answered: the share of questions
    with an answer. Empty answers are none. The last threshold is the largest one that any answer reaches.
    """
    sure = np.where([bool(answer) for answer in answers], confidence, -1.0)
    right = np.array([is_exact(golden, answer) for golden, answer in zip(gold, answers, strict=True)], bool)
    points = []
    for threshold in np.round(np.arange(0.0, 1.01, 0.02), 2).tolist():
        given = int((sure >= threshold).sum())
        correct = int((sure[right] >= threshold).sum())
        if not given:  # no precision without an answer
            break
        points.append(
            {
                "threshold": threshold,
                "recall": correct / len(gold),
                "precision": correct / given,
                "f1": 2 * correct / (given + len(gold)),
                "answered": given / len(gold),
            }
        )
    return points


def confusion(gold: Sequence[Sequence[str]], answers: Sequence[str]) -> list[dict[str, str]]:
    """Returns for each question in which band of lengths, in characters, the golden and the predicted answer are.

    Of several golden answers the one whose length is nearest to the prediction's counts.
    """
    return [
        {
            "gold": length_band(min(map(len, golden), key=lambda length: abs(length - len(answer)))),
            "predicted": length_band(len(answer)),
        }
        for golden, answer in zip(gold, answers, strict=True)
    ]


def length_band(length: int) -> str:
    """Returns the name of the band, one of `scoring.LENGTH_BANDS`; names sort as the bands do."""
    low, high = next(band for band in scoring.LENGTH_BANDS if band[1] is None or length <= band[1])
    return f"{low:02}+" if high is None else f"{low:02}-{high:02}"


def write_submission(folder: Path, outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> Path:
    """Writes `prediction.json` and, for ensembles, `n_best.jsonl` into folder; returns the former's path.

    A line of the latter holds `id` and `n_best`, see `AnswerSearch.outputs`.
    """
    path, ids = folder / SUBMISSION, split.ragged("id").texts()
    submission.write(path, ids, outputs["answer"])
    rows = [{"id": one, "n_best": found} for one, found in zip(ids, outputs["n_best"], strict=True)]
    write_text(folder / N_BEST, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def is_exact(golden: Sequence[str], answer: str) -> bool:
    """Whether the official measure takes the answer for an exact match of a golden one."""
    normalize = scoring.dureader_robust_normalize
    return normalize(answer) in map(normalize, golden)


def golden_answers(split: Split) -> list[list[str]]:
    """Returns the golden answers of each row, texts as in the official file."""
    return [[answer["text"] for answer in json.loads(row)] for row in split.ragged("answers").texts()]
