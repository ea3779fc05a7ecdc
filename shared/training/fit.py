"""The one training loop: epochs over length-bucketed batches, the best epoch kept by the competition's own score."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from shared.errors import UserError
from shared.training import memory
from shared.training.available_memory import available_bytes
from shared.training.batches import padded_share, steps_per_epoch, training_batches
from shared.training.checkpoint import Checkpoints, Pace, assign, values
from shared.training.engine import Engine
from shared.training.epoch import Meter, Totals, train_epoch
from shared.training.feed import Feed
from shared.training.guards import Guards, TrainingStopped
from shared.training.hardware import Hardware
from shared.training.interruption import Interrupted, Interruption, Told
from shared.training.loss import Loss
from shared.training.settings import TrainSettings
from shared.training.shared_state import from_chief

AGREE_EVERY = 20  # calls of the device after which several hosts agree on whether to stop


@dataclass
class Progress:
    """Where a run stands: epochs finished, history rows (one dict an epoch), the best epoch, sums of the one begun.

    guards, micro_batches: what the guards remember, and the pieces that steps are taken in.
    """

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf
    totals: Totals = field(default_factory=Totals)
    guards: dict[str, Any] = field(default_factory=dict)
    micro_batches: int = 1


def engine_for(network: keras.Model, loss: Loss, feed: Feed, settings: Any, machine: Hardware) -> Engine:
    """Returns the engine of a run, and says how much memory it will take.

    Args: settings: the competition's. machine: as made by `configure`.
    Raises: UserError if a batch is smaller than the number of devices.
    """
    train, lengths, replicas = settings.train, feed.lengths, machine.distribution.replicas
    if not len(lengths):
        raise UserError("no training rows. See the data report of the prepare stage.")
    there = available_bytes(machine.accelerator, machine.backend, settings.hardware.memory_gib)
    if there is not None:
        there = there // (machine.devices if machine.accelerator == "cpu" else 1) + memory.weight_bytes(network)
    engine = Engine(
        network,
        loss,
        train,
        settings.hardware,
        train.epochs * steps_per_epoch(lengths, train, replicas),
        machine,
        say=tqdm.write,
    )
    widest = max(
        training_batches(lengths, train, replicas, 1, np.random.default_rng(train.seed)),
        key=lambda one: one.size * one.width,
    )
    longest = settings.model.backbone.max_length
    if longest is not None and widest.width > longest:
        raise UserError(
            f"train.bucket_lengths: a batch would be {widest.width} tokens wide, but the backbone can tell {longest} "
            "apart. Make model.backbone.max_positions a multiple of 8, or lower data.max_length."
        )
    inputs, _ = feed.batch(widest.rows, widest.width, np.random.default_rng(train.seed))
    rows = widest.size // replicas
    needed = memory.estimate(network, settings, widest.width, rows, inputs, train.accumulate)
    tqdm.write(memory.line(needed, there))
    warning = memory.warning(needed, there, settings, widest.width, rows)
    if warning:
        tqdm.write(f"warning: {warning}")
    return engine


def fit(
    engine: Engine,
    feed: Feed,
    settings: TrainSettings,
    *,
    validate: Callable[[], dict[str, float]],
    select_by: str,
    figures: Sequence[str] | None = None,
    checkpoints: Checkpoints | None = None,
    show: bool = True,
) -> Progress:
    """Trains the engine's network and leaves the weights of its best epoch in it.

    Each epoch ends with `validate()` on the averaged weights (EMA, if on); the epoch with the largest `select_by` among
    its figures wins, the earlier one on a tie. With `checkpoints`, the state is written there after every epoch, every
    settings.checkpoint_minutes and on SIGTERM or Ctrl-C, which on a single host break validation off; a run that finds
    one goes on behind it, to the same result as an unbroken run.

    Args: feed: where batches come from. figures: those of validate() that the history shows; the guards see all.
        show: progress bars.
    Returns: Progress with one history row an epoch: epoch, loss, learning_rate and the figures of validate().
    Raises: TrainingStopped if training has gone wrong; Interrupted; UserError if there are no rows.
    """
    lengths = feed.lengths
    if not len(lengths):
        raise UserError("no training rows. See the data report of the prepare stage.")
    replicas = engine.machine.distribution.replicas
    run = _Run(engine, settings, select_by, checkpoints, steps_per_epoch(lengths, settings, replicas), show)
    run.resume()
    progress = run.progress
    with Interruption() as interruption, run.best_kept():
        while progress.epoch < settings.epochs:
            epoch = progress.epoch + 1
            rng = np.random.default_rng([settings.seed, epoch])
            batches = training_batches(lengths, settings, replicas, engine.burst, rng)

            meter = Meter()
            label = f"epoch {epoch}/{settings.epochs}"
            train_epoch(
                engine,
                feed,
                batches,
                [settings.seed, epoch],
                label,
                show,
                totals=progress.totals,
                watch=run.watch,
                pause_due=lambda: run.pause_due(interruption),
                pause=lambda: run.pause(interruption),
                meter=meter,
            )
            mean_loss = progress.totals.mean_loss
            alone = engine.machine.hosts == 1
            try:
                with averaged_weights(engine), interruption.at_once() if alone else nullcontext():
                    everything = validate()
                    averaged = values(engine.network.trainable_variables)
            except Told:  # the state is the one before validation, which a resumed run begins with
                run.pause(interruption)
            shown = {name: everything[name] for name in figures or everything}
            rate = engine.learning_rate(epoch * run.steps_an_epoch - 1)
            row = {"epoch": epoch, "loss": mean_loss, "learning_rate": rate}
            progress.history.append(row | shown)
            progress.epoch, progress.totals = epoch, Totals()
            if shown[select_by] > progress.best_score:
                progress.best_epoch, progress.best_score, run.best = epoch, shown[select_by], averaged
            text = " ".join(f"{name} {value:.4f}" for name, value in {"loss": mean_loss, **shown}.items())
            mark = " *" if progress.best_epoch == epoch else ""
            padding = f"{padded_share(lengths, batches):.0%} padding"
            run.say(f"{label}: {text} ({meter.line()}, {padding}, {engine.compilations} compiled){mark}")
            warning = run.guards.epoch(epoch, mean_loss, everything)
            if warning:
                run.say(f"warning: {warning}")
            if alone:
                run.pause(interruption)
            else:
                run.save()
    assign(engine.network.trainable_variables, run.best)
    return progress


class _Run:
    """What one call of `fit` carries along beside the progress."""

    def __init__(
        self,
        engine: Engine,
        settings: TrainSettings,
        select_by: str,
        checkpoints: Checkpoints | None,
        steps_an_epoch: int,
        show: bool,
    ):
        self.engine, self.checkpoints, self.show, self.steps_an_epoch = engine, checkpoints, show, steps_an_epoch
        self.progress = Progress()
        self.best = values(engine.network.trainable_variables)
        self.guards = Guards(settings, select_by, settings.epochs * steps_an_epoch)
        self.pace = Pace(settings.checkpoint_minutes)
        self.epochs, self.calls = settings.epochs, 0
        self.stop = False  # several hosts: whether they agreed on it

    def say(self, text: str) -> None:
        if self.show:
            tqdm.write(text)

    def watch(self, batch: int, loss: float, norm: float, rows: int) -> None:
        """Judges the step on batch number `batch` of the epoch; rows: trained on so far."""
        self.guards.step(self.progress.epoch * self.steps_an_epoch + batch + 1, loss, norm, rows)

    @contextmanager
    def best_kept(self) -> Iterator[None]:
        """Puts the best epoch's weights into the network when training is stopped, and tells which it was."""
        try:
            yield
        except TrainingStopped as error:
            assign(self.engine.network.trainable_variables, self.best)
            error.progress = self.progress
            raise

    def pause_due(self, interruption: Interruption) -> bool:
        """Whether to save the state now; several hosts agree every few calls, so that all stop at the same one."""
        distribution = self.engine.machine.distribution
        if distribution.hosts == 1:
            return bool(interruption.requested) or self.pace.due
        self.calls += 1
        if self.calls % AGREE_EVERY:
            return False
        self.stop, due = distribution.any_host([bool(interruption.requested), self.pace.due])
        return self.stop or due

    def pause(self, interruption: Interruption) -> None:
        """Saves the state; ends the run if it was told to stop."""
        saved = self.save()
        if self.stop or (interruption.requested and self.engine.machine.hosts == 1):
            raise Interrupted(interruption.requested or "SIGTERM", self.engine.steps_done, saved)

    def save(self) -> bool:
        """Writes the state; losing the chance to resume is no reason to lose the run. Returns whether it is there."""
        if not self.checkpoints or not self.engine.machine.is_chief:
            self.pace.saved()
            return not self.engine.machine.is_chief
        self.progress.guards, self.progress.micro_batches = self.guards.state(), self.engine.micro_batches
        try:
            groups = {**self.engine.state(), "best": self.best}
            self.checkpoints.save(self.engine.steps_done, groups, asdict(self.progress))
            return True
        except UserError as error:
            self.say(f"no checkpoint: {error}")
            return False
        finally:
            self.pace.saved()

    def resume(self) -> None:
        """Goes on from the newest state there is."""
        machine = self.engine.machine
        if machine.hosts > 1:  # first weights may differ in the last digit between processors
            weights = self.engine.network.variables
            assign(weights, machine.distribution.from_chief(values(weights)))
        if not self.checkpoints:
            return
        if machine.hosts > 1:
            mine = np.frombuffer(self.checkpoints.fingerprint.encode(), np.uint8)
            other = not np.array_equal(machine.distribution.from_chief([mine])[0], mine)
            if any(machine.distribution.any_host([other])):  # all stop, lest some wait for the others
                raise UserError(
                    f"{f'host {machine.host}' if other else 'another host'} has other settings, data or code than host "
                    "0. Bring all hosts to the same checkout, params.yaml and prepared data."
                )
        load = partial(self.checkpoints.load, self.say)
        state = from_chief(machine.distribution, load, {**self.engine.state(), "best": self.best})
        if not state:
            return
        self.engine.restore(state.groups)
        self.best = state.groups["best"]
        saved = dict(state.progress)
        self.progress = Progress(**saved | {"totals": Totals(**saved["totals"])})
        self.guards.restore(saved["guards"])
        self.engine.micro_batches = saved["micro_batches"]
        done = self.progress.totals.batches
        place = (
            f"after {done} steps of epoch {self.progress.epoch + 1}" if done else f"behind epoch {self.progress.epoch}"
        )
        self.say(f"resuming {place} of {self.epochs}")


@contextmanager
def averaged_weights(engine: Engine) -> Iterator[None]:
    """Puts the weight average into the network for the time of the block; nothing changes without EMA."""
    if not engine.optimizer.use_ema:
        yield
        return
    variables = engine.network.trainable_variables
    current = values(variables)
    assign(variables, engine.averages())
    try:
        yield
    finally:
        assign(variables, current)
