"""What each validation row gives to the official figures, for resampling rows; see shared/ablation/statistics.py."""

import numpy as np

from competitions.sohu2021 import evaluation
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.task import Labels, Outputs


def contributions(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, np.ndarray]:
    """Returns f1, f1_a and f1_b as shares (rows, classes, 2) in 2 tp and in 2 tp + fp + fn."""
    gold, predicted = split.dense("label"), evaluation.labels(outputs, split, settings)
    counts = np.stack([2 * gold * predicted, gold + predicted], axis=-1).astype(np.float64)  # (rows, 2)
    variant = split.dense("variant")
    classes = [np.isin(variant, [one.index for one in VARIANTS if one.kind == kind]) for kind in evaluation.KINDS]
    shares = np.stack([counts * rows[:, None] for rows in classes], axis=1)  # (rows, 2, 2)
    return {"f1": shares, "f1_a": shares[:, :1], "f1_b": shares[:, 1:]}
