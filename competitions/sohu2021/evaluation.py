"""Outputs of a model or a baseline to labels, scores, curves and the submission."""

from pathlib import Path
from typing import Any

import numpy as np

from competitions.sohu2021 import scoring, submission
from competitions.sohu2021.implication import consistent
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.decoding.can import alternating_normalization
from shared.scoring.binary_f1 import binary_counts
from shared.task import Labels, Outputs

KINDS = ("a", "b")


def probability(outputs: Outputs) -> np.ndarray:
    """Returns the probability of label 1, (rows,) float64: softmax of `logits` (rows, 2), or `probability` as it is."""
    if "probability" in outputs:
        return np.asarray(outputs["probability"], np.float64)
    logits = np.asarray(outputs["logits"], np.float64)
    return 1.0 / (1.0 + np.exp(np.clip(logits[:, 0] - logits[:, 1], -700, 700)))


def labels(outputs: Outputs, split: Split, settings: Settings) -> np.ndarray:
    """Returns the predicted labels, (rows,) int64: 1 from the threshold of the row's class on.

    With predict.implied_labels no pair gets label 1 in B and 0 in A.
    """
    thresholds = np.array([getattr(settings.predict, f"threshold_{variant.kind}") for variant in VARIANTS])
    margins = probability(outputs) - thresholds[split.dense("variant")]
    answers = (margins >= 0).astype(np.int64)
    return consistent(answers, margins, split) if settings.predict.implied_labels else answers


def corrected(probabilities: np.ndarray, split: Split, settings: Settings) -> np.ndarray:
    """Returns the probabilities of label 1 after `predict.can`, for the classes A and B apart: (rows,) float64."""
    predict, result = settings.predict, probabilities.copy()
    for kind in KINDS:
        rows, prior = _rows(split, kind), getattr(predict, f"can_prior_{kind}")
        both = np.stack([1.0 - probabilities[rows], probabilities[rows]], axis=1)
        shares = np.array([1.0 - prior, prior])
        result[rows] = alternating_normalization(
            both, shares, predict.can_threshold, predict.can_iterations, predict.can_alpha
        )[:, 1]
    return result


def score(outputs: Outputs, split: Split, settings: Settings, label_schema: Labels) -> dict[str, Any]:
    """Returns the official score at the thresholds of the settings, and what the best thresholds would give.

    `best_threshold` is found on these very rows, so its F1 is an upper bound, not an estimate.
    """
    predicted = labels(outputs, split, settings)
    result = scoring.score(split.dense("variant"), split.dense("label"), predicted)
    best = {}
    for kind in KINDS:
        rows = _rows(split, kind)
        best[f"threshold_{kind}"], best[f"f1_{kind}"] = best_threshold(
            split.dense("label")[rows], probability(outputs)[rows]
        )
    result["best_threshold"] = {"f1": (best["f1_a"] + best["f1_b"]) / 2, **best}
    return result


def best_threshold(gold: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Returns the threshold in 0.01, 0.02 ... 0.99 with the largest F1, and this F1; the smallest one on a tie.

    Args: gold: (rows,) 0 or 1. probabilities: (rows,) float.
    """
    thresholds = np.round(np.arange(0.01, 0.995, 0.01), 2)
    scores = [binary_counts(gold, probabilities >= threshold).f1 for threshold in thresholds]
    best = int(np.argmax(scores))
    return float(thresholds[best]), float(scores[best])


def tables(outputs: Outputs, split: Split, settings: Settings, label_schema: Labels) -> dict[str, list[dict[str, Any]]]:
    """Returns for each class the rows of `pr_curve/a.csv` and `confusion/a.csv`."""
    predicted, files = labels(outputs, split, settings), {}
    for kind in KINDS:
        rows = _rows(split, kind)
        answers = zip(split.dense("label")[rows].tolist(), predicted[rows].tolist(), strict=True)
        files[f"pr_curve/{kind}.csv"] = pr_curve(split.dense("label")[rows], probability(outputs)[rows])
        files[f"confusion/{kind}.csv"] = [{"gold": gold, "predicted": answer} for gold, answer in answers]
    return files


def pr_curve(gold: np.ndarray, probabilities: np.ndarray) -> list[dict[str, Any]]:
    """Returns precision, recall and F1 at the thresholds 0.02, 0.04 ... 0.98 that any row reaches.

    Args: gold: (rows,) 0 or 1. probabilities: (rows,) float.
    """
    points = []
    for threshold in np.round(np.arange(0.02, 0.99, 0.02), 2):
        counts = binary_counts(gold, probabilities >= threshold)
        if not counts.tp + counts.fp:  # no precision without a positive answer
            break
        point = {"threshold": float(threshold), "recall": counts.recall, "precision": counts.precision}
        points.append({**point, "f1": counts.f1})
    return points


def write_submission(folder: Path, outputs: Outputs, split: Split, settings: Settings, label_schema: Labels) -> Path:
    """Writes `submission.csv` and, for ensembles, `probabilities.csv` into folder; returns the former's path."""
    ids = split.ragged("id").texts()
    path = folder / "submission.csv"
    submission.write(path, ids, labels(outputs, split, settings).tolist())
    rows = [f"{example_id},{p:.6f}" for example_id, p in zip(ids, probability(outputs), strict=True)]
    (folder / "probabilities.csv").write_text("id,probability\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def _rows(split: Split, kind: str) -> np.ndarray:
    indices = [variant.index for variant in VARIANTS if variant.kind == kind]
    return np.isin(split.dense("variant"), indices)
