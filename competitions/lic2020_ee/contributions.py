"""What each validation row gives to the figures of the rule, for resampling rows; see shared/ablation/statistics.py."""

import json

import numpy as np

from competitions.lic2020_ee import scoring
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs


def contributions(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, np.ndarray]:
    """Returns f1, precision and recall as shares (rows, 1, 2) in their numerators and denominators."""
    ids, gold = split.ragged("id").texts(), [json.loads(row) for row in split.ragged("event_list").texts()]
    counts = np.zeros((split.rows, 3))  # sum of the arguments' scores, predicted, gold
    for row, (row_id, wanted, found) in enumerate(zip(ids, gold, outputs["events"], strict=True)):
        figures = scoring.score({row_id: wanted}, {row_id: found})
        counts[row] = figures["score_sum"], figures["predicted"], figures["gold"]
    right, predicted, wanted_count = counts.T
    pairs = {
        "f1": (2 * right, predicted + wanted_count),
        "precision": (right, predicted),
        "recall": (right, wanted_count),
    }
    return {name: np.stack(pair, axis=-1)[:, None] for name, pair in pairs.items()}
