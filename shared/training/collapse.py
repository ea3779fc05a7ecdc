"""Tells a model that learns nothing from one that only takes its time."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATIENCE = 2  # epochs in a row; more where they are short:
PATIENCE_STEPS = 100  # optimizer steps in them, behind the warm-up
FLAT = 0.03  # a loss does not fall that is not this share below the last epoch's and the one before all of them
NO_SKILL = 0.05  # recall less false alarms, from 0 to 1; below it answers do not depend on the labels
LUCK = 0.02  # a figure that a few lucky answers reach


@dataclass
class Collapse:
    """Counts the epochs in a row whose loss does not fall while the answers are worth nothing.

    Both are asked for: a tagger from scratch finds nothing in its first epochs while its loss falls fast, and a model
    that was trained before has a flat loss and good answers.

    start: loss before these epochs. last: of the last epoch, 0 before the first. epochs, steps: how long it has lasted;
    steps of the warm-up left out.
    """

    start: float = math.inf
    last: float = 0.0
    epochs: int = 0
    steps: int = 0

    def judge(self, mean_loss: float, steps: int, symptom: str | None, beginning: float) -> str | None:
        """Takes in an epoch and returns what is wrong, in a clause, from the epoch on where patience ends.

        Args: mean_loss: over its rows. steps: of it, behind the warm-up. symptom: what `worthless` said. beginning:
            loss of the run's first steps.
        """
        start = min(self.start, beginning)
        falls = mean_loss <= (1.0 - FLAT) * max(start, self.last)
        self.last = mean_loss
        if symptom is None or falls:
            self.start, self.epochs, self.steps = mean_loss, 0, 0
            return None
        self.start, self.epochs, self.steps = start, self.epochs + 1, self.steps + steps
        if self.epochs < PATIENCE or self.steps < PATIENCE_STEPS:
            return None
        return (
            f"{symptom}, and the loss does not fall: {mean_loss:.4g}, {self.start:.4g} before the last {self.epochs} "
            f"epochs ({self.steps:,} steps)"
        )


def worthless(figures: Mapping[str, Any], select_by: str) -> str | None:
    """Returns in what way the answers of a model are worth nothing, in a clause, or None.

    The signs: nothing is `predicted` (recall 0); by the confusion of every class (tp, fp, fn, tn, or tp_a ...) answers
    do not depend on the labels, as where all rows get the same one; `select_by` or `em` is 0 but for luck.

    Args: figures: what the task's `score` returned, or as much of it as there is. select_by: the task's.
    """
    if figures.get("predicted") == 0:
        return "nothing is found in any row (recall 0)"
    confusions = [_confusion(figures, name[2:]) for name in figures if name == "tp" or name.startswith("tp_")]
    if confusions and all(skill < NO_SKILL for skill, _ in confusions):
        return f"answers do not depend on the labels ({'; '.join(text for _, text in confusions)})"
    for name in (select_by, "em"):
        if figures.get(name, 1.0) <= LUCK:
            return f"{name} is {figures[name]:.4f}"
    return None


def _confusion(figures: Mapping[str, Any], ending: str) -> tuple[float, str]:
    """Returns recall less false alarms, 0 where labels or answers are all the same, and a text on the answers."""
    tp, fp, fn, tn = (figures[name + ending] for name in ("tp", "fp", "fn", "tn"))
    skill = tp / (tp + fn) - fp / (fp + tn) if tp + fn and fp + tn else 0.0
    where = f"class {ending[1:]}: " if ending else ""
    return skill, f"{where}{tp + fp} of {tp + fp + fn + tn} rows get label 1, {tp} of the {tp + fn} right ones"
