"""Stops a run that has gone wrong, with the cause, the place, the numbers found and what to do."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from shared.errors import UserError
from shared.training.collapse import Collapse, worthless
from shared.training.settings import TrainSettings

BEGINNING = 20  # first steps, whose median loss is the run's beginning
WINDOW = 200  # last steps, whose medians are the usual loss and norm
SETTLED = 50  # steps before a norm is judged, apart from the warm-up
EXPLODED_STEPS = 20  # in a row, longer than a spike that recovers, with ...
EXPLODED_NORM = 10.0  # ... a norm so many times the usual one, and a mean loss that is ...
LOSS_RISE = 1.5  # ... so many times the usual one, and has ...
LOSS_LOST = 0.5  # ... lost this share of what was learned since the beginning

CHECK = "check the labels in the data report of prepare; with model.backbone.pretrained, read the audit of its weights"
FLOAT32 = "try hardware.precision: float32"


class TrainingStopped(UserError):
    """To train on would be a waste. Attribute progress: the `Progress` of the run, once `fit` has passed it on."""

    progress: Any = None


class Guards:
    """Watches the loss and gradient norm of each step and the figures of each epoch.

    A run is stopped by a loss or norm that is not finite, by exploding norms (the constants above say what these are),
    and by a collapse (see `shared.training.collapse`). Neither of the last two is looked for in the warm-up.

    Args: settings: train. select_by: the figure by which epochs are compared. total_steps: optimizer steps of the run.
    """

    def __init__(self, settings: TrainSettings, select_by: str, total_steps: int):
        self._settings, self._select_by = settings, select_by
        self._warmup_steps = round(settings.warmup_share * total_steps)
        self._epoch, self._epoch_steps = 1, 0  # the latter behind the warm-up
        self._best_epoch, self._best_score = 0, -math.inf
        self._first_losses: list[float] = []
        self._losses: list[float] = []  # of the last WINDOW steps
        self._norms: list[float] = []
        self._high: list[float] = []  # the losses of the last steps in a row with a high norm
        self._collapse = Collapse()

    def step(self, step: int, loss: float, norm: float, rows: int | None = None) -> None:
        """Judges an optimizer step; give them in order.

        Args: step: number in the run, from 1. loss: of its batch. norm: of the whole gradient, before clipping. rows:
            of this epoch trained on so far, for the message.
        Raises: TrainingStopped.
        """
        place = f"epoch {self._epoch}, step {step:,}" + (f", {rows:,} rows into it" if rows is not None else "")
        if not math.isfinite(loss):
            raise self._stopped(f"{place}: the loss is {loss}, the gradient norm {norm:.3g}. {self._before()}", step)
        if not math.isfinite(norm):
            raise self._stopped(f"{place}: the gradient norm is {norm}, the loss {loss:.4g}. {self._before()}", step)
        if step > self._warmup_steps:
            self._epoch_steps += 1
            self._judge(place, step, loss, norm)
        self._first_losses = [*self._first_losses, loss][:BEGINNING]
        self._losses = [*self._losses, loss][-WINDOW:]
        self._norms = [*self._norms, norm][-WINDOW:]

    def epoch(self, epoch: int, mean_loss: float, figures: Mapping[str, Any]) -> str | None:
        """Judges an epoch, after all its steps.

        Args: epoch: from 1. mean_loss: over its rows. figures: as in `collapse.worthless`.
        Returns: a warning, in the epochs of a collapse with train.stop_on_collapse off; else None.
        Raises: TrainingStopped.
        """
        if not math.isfinite(mean_loss):
            raise self._stopped(f"epoch {epoch}: the mean loss is {mean_loss}. {self._before()}")
        beginning = statistics.median(self._first_losses) if self._first_losses else math.inf
        symptom = worthless(figures, self._select_by)
        problem = self._collapse.judge(mean_loss, self._epoch_steps, symptom, beginning)
        if figures[self._select_by] > self._best_score:
            self._best_epoch, self._best_score = epoch, float(figures[self._select_by])
        self._epoch, self._epoch_steps = epoch + 1, 0
        if not problem:
            return None
        stopped = self._stopped(f"epoch {epoch}: the model has collapsed: {problem}.", collapsed=True)
        if self._settings.stop_on_collapse:
            raise stopped
        return str(stopped)

    def state(self) -> dict[str, Any]:
        """Returns what a resumed run has to know, as JSON values, infinity among them."""
        return {name: getattr(self, name) for name in self._names()} | {"_collapse": asdict(self._collapse)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes over what `state` returned. Raises: KeyError if something is missing."""
        for name in self._names():
            setattr(self, name, state[name])
        self._collapse = Collapse(**state["_collapse"])

    def _names(self) -> list[str]:
        given = ("_settings", "_select_by", "_warmup_steps", "_collapse")
        return [name for name in vars(self) if name not in given]

    def _judge(self, place: str, step: int, loss: float, norm: float) -> None:
        if len(self._norms) < SETTLED:
            return
        usual_loss, usual_norm = statistics.median(self._losses), statistics.median(self._norms)
        self._high = [*self._high, loss][-EXPLODED_STEPS:] if norm > EXPLODED_NORM * usual_norm else []
        if len(self._high) < EXPLODED_STEPS:
            return
        now, learned = statistics.fmean(self._high), statistics.median(self._first_losses) - usual_loss
        if now >= LOSS_RISE * usual_loss and now >= usual_loss + LOSS_LOST * learned:
            raise self._stopped(
                f"{place}: the gradient explodes: its norm, {usual_norm:.3g} as a rule, is more than "
                f"{EXPLODED_NORM:.0f} times that for {EXPLODED_STEPS} steps, now {norm:.3g}; the loss rose from "
                f"{usual_loss:.4g} to {now:.4g}.",
                step,
            )

    def _before(self) -> str:
        """Tells of the last steps."""
        if not self._losses:
            return "It is the first step."
        losses, norms = self._losses[-10:], self._norms[-10:]
        return (
            f"Last {len(losses)} steps before: mean loss {statistics.fmean(losses):.4g}, largest norm {max(norms):.3g} "
            f"(the usual one is {statistics.median(self._norms):.3g})."
        )

    def _stopped(self, found: str, step: int | None = None, collapsed: bool = False) -> TrainingStopped:
        """Returns the exception, with the cures that these settings leave."""
        train = self._settings
        cures = [f"lower train.learning_rate ({train.learning_rate:g}), for instance to {train.learning_rate / 3:.1g}"]
        if not train.clip_norm:
            cures.append("set train.clip_norm: 1.0 (off now)")
        if not train.warmup_share:
            cures.append("set train.warmup_share: 0.1 (no warm-up now)")
        if collapsed:
            cures += [CHECK, "train.stop_on_collapse: false trains on all the same"]
        else:
            cures = [CHECK, FLOAT32, *cures] if step == 1 else [*cures, FLOAT32]
        text = f"{found} What helps: {'; '.join(cures)}."
        if self._best_epoch:
            best = f"{self._best_epoch} with {self._select_by} {self._best_score:.4f}"
            text += f" The best epoch so far: {best}."
        return TrainingStopped(text)
