"""What each validation row gives to the official figures, for resampling rows; see shared/ablation/statistics.py."""

import numpy as np

from competitions.lic2020_mrc import scoring
from competitions.lic2020_mrc.evaluation import golden_answers
from competitions.lic2020_mrc.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs


def contributions(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, np.ndarray]:
    """Returns f1 and em, means over questions, as shares (rows, 1, 2): the question's own figure, and 1."""
    ids, gold = split.ragged("id").texts(), golden_answers(split)
    rows = [
        scoring.score([(row_id, answers)], {row_id: given})
        for row_id, answers, given in zip(ids, gold, outputs["answer"], strict=True)
    ]
    return {
        name: np.array([[[row[name], 1.0]] for row in rows], np.float64).reshape(len(rows), 1, 2)
        for name in ("f1", "em")
    }
