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

from shared.arrays import Split
from shared.errors import UserError
from shared.optim.adamw import AdamW, exclude_from_decay
from shared.optim.schedule import WarmupLinearDecay
from shared.training.batches import Batch, collate, padded_share, training_batches
from shared.training.checkpoint import assign, load_state, save_state, values
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
    train: Split,
    settings: TrainSettings,
    *,
    length_field: str,
    targets: Sequence[str],
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

    Args: network: dict of inputs to dict of outputs. loss: see Learner. train: fields named as the inputs and targets.
        length_field: ragged field that decides a row's bucket. jit: compile with XLA. show: progress bars.
    Returns: Progress with one history row an epoch: epoch, loss, learning_rate and the figures of validate().
    Raises: UserError if the loss is not finite or there are no rows.
    """
    lengths = train.ragged(length_field).lengths
    if not len(lengths):
        raise UserError("no training rows. See the data report of the prepare stage.")
    steps_per_epoch = math.ceil(len(lengths) / settings.batch_size)
    schedule = _schedule(settings, steps_per_epoch)
    learner = Learner(network, loss)
    optimizer = _optimizer(settings, schedule)
    learner.compile(optimizer=optimizer, jit_compile=jit)
    optimizer.build(network.trainable_variables)
    optimizer.exclude_from_weight_decay(var_list=exclude_from_decay(network.trainable_variables))

    progress = Progress()
    best = values(network.trainable_variables)
    state = load_state(checkpoints) if checkpoints else None
    if state:
        groups, saved = state
        assign(network.variables, groups["network"])
        assign(optimizer.variables, groups["optimizer"])
        best, progress = groups["best"], Progress(**saved)
        _say(show, f"resuming behind epoch {progress.epoch} of {settings.epochs}")

    names = [tensor.name for tensor in network.inputs]
    while progress.epoch < settings.epochs:
        progress.epoch += 1
        rng = np.random.default_rng([settings.seed, progress.epoch])
        batches = training_batches(lengths, settings.batch_size, settings.bucket_lengths, rng)
        data = _Epoch(train, names, targets, batches, settings.batch_size)
        bar = _Bar(progress.epoch, settings.epochs, lengths, batches, show)
        started = time.perf_counter()
        logs = learner.fit(data, epochs=1, verbose=0, shuffle=False, callbacks=[bar]).history
        seconds = time.perf_counter() - started
        mean_loss = float(logs["loss"][0])
        if not math.isfinite(mean_loss):
            raise UserError(
                f"epoch {progress.epoch}: the loss is {mean_loss}. Lower train.learning_rate, set train.clip_norm, or "
                "hardware.precision: float32."
            )
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
            save_state(checkpoints, groups, vars(progress))
    assign(network.trainable_variables, best)
    return progress


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


def _schedule(settings: TrainSettings, steps_per_epoch: int) -> WarmupLinearDecay:
    total = settings.epochs * steps_per_epoch
    return WarmupLinearDecay(settings.learning_rate, round(settings.warmup_share * total), total, settings.final_rate)


def _optimizer(settings: TrainSettings, schedule: WarmupLinearDecay) -> AdamW:
    return AdamW(
        schedule,
        weight_decay=settings.weight_decay,
        global_clipnorm=settings.clip_norm or None,
        use_ema=settings.ema_momentum > 0,
        ema_momentum=settings.ema_momentum or 0.99,
        epsilon=1e-6,
    )


class _Epoch(keras.utils.PyDataset):
    """One epoch's batches for `fit`; short batches are filled up with rows of weight 0, so that shapes stay few."""

    def __init__(self, split: Split, inputs, targets, batches: list[Batch], batch_size: int):
        super().__init__()
        self.split, self.inputs, self.targets = split, inputs, targets
        self.batches, self.batch_size = batches, batch_size

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        rows, width = self.batches[index]
        weight = (np.arange(self.batch_size) < len(rows)).astype(np.float32)
        batch = (np.resize(rows, self.batch_size), width)
        return collate(self.split, self.inputs, batch), collate(self.split, self.targets, batch), weight


class _Bar(keras.callbacks.Callback):
    """A progress bar counted in rows, with their rate, the time left and the running loss."""

    def __init__(self, epoch, epochs, lengths, batches, show):
        super().__init__()
        self.batches = batches
        self.bar = tqdm(
            total=len(lengths), desc=f"epoch {epoch}/{epochs}", unit="row", disable=None if show else True, leave=False
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(len(self.batches[batch][0]))
        if batch % 10 == 0 and logs and not self.bar.disable:
            self.bar.set_postfix(loss=f"{float(logs['loss']):.4f}", refresh=False)

    def on_train_end(self, logs=None):
        self.bar.close()


def _line(progress, epochs, row, rate, lengths, batches, seconds) -> str:
    figures = " ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "learning_rate"))
    speed = f"{rate:.1f} rows/s, {lengths.sum() / seconds:.0f} tokens/s, {padded_share(lengths, batches):.0%} padding"
    mark = " *" if progress.best_epoch == progress.epoch else ""
    return f"epoch {progress.epoch}/{epochs}: {figures} ({speed}){mark}"


def _say(show: bool, text: str) -> None:
    if show:
        tqdm.write(text)
