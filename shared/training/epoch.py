"""One pass over the training rows: batches made ahead of the device, steps, and what they took."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from shared.training.batch import Batch, filled
from shared.training.batches import Planned, runs
from shared.training.engine import Engine
from shared.training.feed import Feed
from shared.training.out_of_memory import is_out_of_memory, out_of_reach
from shared.training.prefetch import Prefetcher

AHEAD = 4  # calls of the device that may be under way before their losses are looked at
SLOW_S = 2.0  # a first step from here on was not that of a compiled function
Watch = Callable[[int, float, float, int], None]


@dataclass
class Totals:
    """Sums over the batches of an epoch done so far; they survive a kill with the state."""

    batches: int = 0
    rows: int = 0
    loss: float = 0.0  # times rows

    @property
    def mean_loss(self) -> float:
        """Mean over rows of the loss that their batch had."""
        return self.loss / max(self.rows, 1)


@dataclass
class Meter:
    """Speed of what this process did of an epoch. first_step_s: until the first loss was there, compiling included."""

    rows: int = 0
    tokens: int = 0
    seconds: float = 0.0
    waited_s: float = 0.0
    first_step_s: float = 0.0
    started: float = field(default_factory=time.perf_counter)

    def line(self) -> str:
        """Returns the rates, the share of the time that the device waited for input, and a slow start."""
        seconds = max(self.seconds, 1e-9)
        waiting = f"{self.waited_s / seconds:.1%} waiting for input"
        first = f", first step after {self.first_step_s:.1f} s" if self.first_step_s > SLOW_S else ""
        return f"{self.rows / seconds:.1f} rows/s, {self.tokens / seconds:.0f} tokens/s, {waiting}{first}"


def train_epoch(
    engine: Engine,
    feed: Feed,
    batches: Sequence[Planned],
    seed: Sequence[int],
    label: str,
    show: bool,
    *,
    totals: Totals | None = None,
    watch: Watch | None = None,
    pause_due: Callable[[], bool] | None = None,
    pause: Callable[[], None] | None = None,
    meter: Meter | None = None,
) -> float:
    """Takes one step for each batch and returns the mean loss over rows; what a feed draws depends on seed and step.

    The bar counts rows, with their rate, the time left and the running loss; where standard error is no terminal,
    there is none.

    Args: totals: of the batches done before, which are left out now. watch(batch, loss, norm, rows) is called for each
        batch in order. pause() is called between two steps whenever pause_due(), with the sums of all steps before.
    """
    totals, meter = totals or Totals(), meter or Meter()
    lengths = feed.lengths
    pending: deque[tuple[list[Planned], dict[str, Any]]] = deque()

    def settle(bar: tqdm) -> None:
        """Waits for the oldest call of the device and adds up what it did."""
        planned, metrics = pending.popleft()
        try:
            losses, norms = (np.asarray(metrics[name], np.float64) for name in ("loss", "norm"))
        except Exception as error:
            if is_out_of_memory(error):
                raise out_of_reach(error) from error
            raise
        meter.first_step_s = meter.first_step_s or time.perf_counter() - meter.started
        for one, loss, norm in zip(planned, losses.tolist(), norms.tolist(), strict=True):
            if watch:
                watch(totals.batches, loss, norm, totals.rows)
            totals.batches += 1
            totals.rows += len(one.rows)
            totals.loss += loss * len(one.rows)
            meter.rows += len(one.rows)
            meter.tokens += int(lengths[one.rows].sum())
            bar.update(len(one.rows))
        bar.set_postfix(loss=f"{totals.mean_loss:.4f}", refresh=False)

    rows = sum(len(one.rows) for one in batches)
    quiet = None if show else True
    with tqdm(total=rows, initial=totals.rows, desc=label, unit="row", disable=quiet, leave=False) as bar:
        todo = _made(feed, runs(batches[totals.batches :], engine.burst), seed, totals.batches)
        with Prefetcher(todo) as made:
            for group, ready in made:
                pending.append((group, engine.run(ready)))
                while len(pending) > AHEAD:
                    settle(bar)
                if pause and pause_due and pause_due():
                    while pending:
                        settle(bar)
                    pause()
            while pending:
                settle(bar)
    meter.seconds, meter.waited_s = time.perf_counter() - meter.started, made.waited_s
    return totals.mean_loss


def _made(
    feed: Feed, groups: Sequence[list[Planned]], seed: Sequence[int], first: int
) -> Iterator[tuple[list[Planned], list[Batch]]]:
    """Yields runs of batches of one shape and their arrays, filled up with rows of weight 0 to their full size.

    Args: groups: see `runs`. first: the number of their first batch in the epoch.
    """
    for group in groups:
        ready = []
        for number, one in enumerate(group, first):
            inputs, targets = feed.batch(one.rows, one.width, np.random.default_rng([*seed, number]))
            ready.append(filled(Batch(inputs, targets, np.ones(len(one.rows), np.float32)), one.size))
        first += len(group)
        same = all(one.shape == ready[0].shape for one in ready)  # a feed may have sizes of its own beside the width
        yield from [(group, ready)] if same else [([one], [batch]) for one, batch in zip(group, ready, strict=True)]
