"""What each validation row gives to the official figures, for resampling rows; see shared/ablation/statistics.py."""

import json

import numpy as np

from competitions.lic2020_re import scoring
from competitions.lic2020_re.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs


def contributions(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, np.ndarray]:
    """Returns f1, precision and recall as shares (rows, 1, 2) in their numerators and denominators.

    A text that comes twice is scored once, by its last row; the rows before it give nothing.
    """
    texts = split.ragged("text").texts()
    gold = [json.loads(row) for row in split.ragged("spo_list").texts()]
    last = {text: row for row, text in enumerate(texts)}
    counts = np.zeros((split.rows, 3))  # correct, predicted, gold
    for text, row in last.items():
        figures = scoring.score({text: gold[row]}, {text: outputs["triples"][row]})
        counts[row] = figures["correct"], figures["predicted"], figures["gold"]
    correct, predicted, wanted = counts.T
    pairs = {"f1": (2 * correct, predicted + wanted), "precision": (correct, predicted), "recall": (correct, wanted)}
    return {name: np.stack(pair, axis=-1)[:, None] for name, pair in pairs.items()}
