"""The one training loop: epochs over length-bucketed batches, the best epoch kept by the competition's own score."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from shared.errors import UserError
from shared.optim.adamw import AdamW, exclude_from_decay
from shared.optim.schedule import WarmupLinearDecay
from shared.training.batches import Batch, padded_share, training_batches
from shared.training.checkpoint import assign, load_state, save_state, values
from shared.training.feed import Feed
from shared.training.learner import Learner, Loss
from shared.training.settings import TrainSettings


@dataclass
class Progress:
    """History rows (one dict an epoch) and the best epoch so far."""

    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float = -math.inf


def fit(
    network: keras.Model,
    loss: Loss,
    feed: Feed,
    settings: TrainSettings,
    *,
    validate: Callable[[], dict[str, float]],
    select_by: str,
    jit: bool,
    checkpoints: Path | None = None,
    show: bool = True,
) -> Progress:
    """Trains the network and leaves the weights of its best epoch in it.

    Each epoch ends with `validate()` on the averaged weights (EMA, if on); the epoch with the largest `select_by` among
    its figures wins, the earlier one on a tie. With `checkpoints`, the state is written there after every epoch and a
    run that finds one goes on behind it, to the same result as an unbroken run.

    Args: network: dict of inputs to dict of outputs. loss: see Learner. feed: where batches come from. jit: compile
        with XLA. show: progress bars.
    Returns: Progress with one history row an epoch: epoch, loss, learning_rate and the figures of validate().
    Raises: UserError if the loss is not finite or there are no rows.
    """
    lengths = feed.lengths
    if not len(lengths):
        raise UserError("no training rows. See the data report of the prepare stage.")
    total_steps = settings.epochs * math.ceil(len(lengths) / settings.batch_size)
    learner = compile_learner(network, loss, settings, total_steps, jit)
    schedule = _schedule(settings, total_steps)
    optimizer = learner.optimizer

    progress = Progress()
    best = values(network.trainable_variables)
    state = load_state(checkpoints) if checkpoints else None
    if state:
        groups, saved = state
        assign(network.variables, groups["network"])
        assign(optimizer.variables, groups["optimizer"])
        best, progress = groups["best"], Progress(**saved)
        _say(show, f"resuming behind epoch {progress.epoch} of {settings.epochs}")

    while progress.epoch < settings.epochs:
        progress.epoch += 1
        rng = np.random.default_rng([settings.seed, progress.epoch])
        batches = training_batches(lengths, settings.batch_size, settings.bucket_lengths, rng)
        started = time.perf_counter()
        seed = [settings.seed, progress.epoch]
        mean_loss = train_epoch(learner, feed, batches, seed, f"epoch {progress.epoch}/{settings.epochs}", show)
        seconds = time.perf_counter() - started
        with averaged_weights(network, optimizer):
            figures = validate()
            averaged = values(network.trainable_variables)
        row = {"epoch": progress.epoch, "loss": mean_loss, "learning_rate": float(schedule(optimizer.iterations - 1))}
        progress.history.append(row | figures)
        if figures[select_by] > progress.best_score:
            progress.best_epoch, progress.best_score, best = progress.epoch, figures[select_by], averaged
        _say(show, _line(progress, settings.epochs, row | figures, len(lengths) / seconds, lengths, batches, seconds))
        if checkpoints:
            groups = {"network": values(network.variables), "optimizer": values(optimizer.variables), "best": best}
            try:
                save_state(checkpoints, groups, vars(progress))
            except UserError as error:  # losing the chance to resume is no reason to lose the run
                _say(show, f"no checkpoint of epoch {progress.epoch}: {error}")
    assign(network.trainable_variables, best)
    return progress


def compile_learner(network: keras.Model, loss: Loss, settings: TrainSettings, total_steps: int, jit: bool) -> Learner:
    """Returns the network with loss, optimizer and learning rate schedule, ready for steps."""
    optimizer = AdamW(
        _schedule(settings, total_steps),
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm or None,
        use_ema=settings.ema_momentum > 0,
        ema_momentum=settings.ema_momentum or 0.99,
        epsilon=1e-6,
    )
    learner = Learner(network, loss)
    learner.compile(optimizer=optimizer, jit_compile=jit)
    optimizer.build(network.trainable_variables)
    optimizer.exclude_from_weight_decay(var_list=exclude_from_decay(network.trainable_variables))
    return learner


def _schedule(settings: TrainSettings, total_steps: int) -> WarmupLinearDecay:
    warmup_steps = round(settings.warmup_share * total_steps)
    return WarmupLinearDecay(settings.learning_rate, warmup_steps, total_steps, settings.final_rate)


def train_epoch(
    learner: Learner, feed: Feed, batches: Sequence[Batch], seed: Sequence[int], label: str, show: bool
) -> float:
    """Takes one step for each batch and returns the mean loss over rows; what a feed draws depends on seed and step.

    A short batch is filled up with rows of weight 0, so that there is one shape a width. The bar counts rows, with
    their rate, the time left and the running loss; where standard error is no terminal, there is none.

    Raises: UserError as soon as the loss is not finite.
    """
    batch_size = max(len(rows) for rows, _ in batches)
    total, done = 0.0, 0
    with tqdm(
        total=sum(len(rows) for rows, _ in batches), desc=label, unit="row", disable=None if show else True, leave=False
    ) as bar:
        for step, (rows, width) in enumerate(batches):
            rng = np.random.default_rng([*seed, step])
            inputs, targets = feed.batch(np.resize(rows, batch_size), width, rng)
            weight = (np.arange(batch_size) < len(rows)).astype(np.float32)
            loss = float(learner.train_on_batch(inputs, targets, weight))
            if not math.isfinite(loss):
                raise UserError(
                    f"{label}: the loss is {loss} after {done} rows. Lower train.learning_rate, set train.clip_norm, "
                    "or try hardware.precision: float32."
                )
            total += loss * len(rows)
            done += len(rows)
            bar.set_postfix(loss=f"{total / done:.4f}", refresh=False)
            bar.update(len(rows))
    return total / done


@contextmanager
def averaged_weights(network: keras.Model, optimizer: AdamW) -> Iterator[None]:
    """Puts the optimizer's weight average into the network for the time of the block; nothing changes without EMA."""
    if not optimizer.use_ema:
        yield
        return
    current = values(network.trainable_variables)
    assign(network.trainable_variables, values(optimizer.averages))
    try:
        yield
    finally:
        assign(network.trainable_variables, current)


def _line(progress, epochs, row, rate, lengths, batches, seconds) -> str:
    figures = " ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "learning_rate"))
    speed = f"{rate:.1f} rows/s, {lengths.sum() / seconds:.0f} tokens/s, {padded_share(lengths, batches):.0%} padding"
    mark = " *" if progress.best_epoch == progress.epoch else ""
    return f"epoch {progress.epoch}/{epochs}: {figures} ({speed}){mark}"


def _say(show: bool, text: str) -> None:
    if show:
        tqdm.write(text)
