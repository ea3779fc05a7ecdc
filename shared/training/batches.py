"""Batches of rows of like length, in a small fixed set of shapes."""

import itertools
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from shared.arrays import Ragged, Split
from shared.errors import UserError
from shared.training.settings import TrainSettings

Batch = tuple[np.ndarray, int]  # row numbers, width in tokens
BucketLengths = Sequence[int] | Literal["auto"]

WIDTH_STEP = 8  # tokens; widths that we choose are multiples of it, as matrix units like them
MOST_WIDTHS = 16  # of bucket_lengths auto: each is a shape, and with XLA a compilation
PADDING_GOAL = 0.08  # share of token places: what is reached with fewer widths gets fewer
EVEN_ROWS = 8  # from here on a batch by tokens has a multiple of so many rows: 2, 4 or 8 devices share it evenly


class Planned(NamedTuple):
    """A batch of training.

    rows: (up to size,) int, their numbers. width: tokens that they are padded to. size: rows to be filled up to, with
    rows of weight 0, so that there is one shape a width and each device gets as many rows.
    """

    rows: np.ndarray
    width: int
    size: int


def bucket_widths(lengths: np.ndarray, bucket_lengths: BucketLengths, batch_size: int = 1) -> np.ndarray:
    """Returns for each row the smallest bucket length that holds it; beyond the largest: the longest row's length.

    Args: lengths: (rows,) int. bucket_lengths: rising, or auto: the best for these lengths, see `bucket_widths_for`, as
        many as bring padding below 8 % of the token places, 16 at most. batch_size: rows a batch, for auto.
    Returns: (rows,) int64.
    """
    longest = int(lengths.max(initial=0))
    chosen = _auto(lengths, batch_size) if isinstance(bucket_lengths, str) else bucket_lengths
    beyond = next((width for width in chosen if width >= longest), longest)
    widths = np.array([*(width for width in chosen if width < longest), beyond])
    return widths[np.searchsorted(widths, lengths)]


def bucket_widths_for(lengths: np.ndarray, count: int, batch_size: int = 1) -> list[int]:
    """Returns at most `count` bucket lengths, multiples of 8, with the least padding that `training_batches` can have.

    Args: lengths: (rows,) int. batch_size: rows a batch; 1 if it varies, what fills up a bucket's last batch is then
        left out of account.
    """
    return min(_options(lengths, count, batch_size), key=lambda option: option[1])[0]


def _auto(lengths: np.ndarray, batch_size: int) -> list[int]:
    options = _options(lengths, MOST_WIDTHS, batch_size)
    good = (widths for widths, places in options if lengths.sum() > (1 - PADDING_GOAL) * places)
    return next(good, None) or min(options, key=lambda option: option[1])[0]


def _options(lengths: np.ndarray, most: int, batch_size: int) -> list[tuple[list[int], float]]:
    """Returns the best bucket lengths and their token places, for 1, 2 ... `most` of them or as many as can help.

    Dynamic programming: if `above(v)` batches hold a row longer than v, a bucket (v, w] has above(v) - above(w) batches
    of width w. Batches are filled up with shorter rows, so above(v) = ceil(rows longer than v / batch_size).
    """
    fit = -(-np.maximum(lengths, 1) // WIDTH_STEP) * WIDTH_STEP
    values, counts = np.unique(fit, return_counts=True) if len(fit) else (np.array([WIDTH_STEP]), np.array([0]))
    above = -(-np.append(np.cumsum(counts[::-1])[::-1], 0) // batch_size)  # (values + 1,), from each value on
    cost = (above[:-1, None] - above[None, 1:]) * values * float(batch_size)  # (first, last) value of a bucket
    cost[np.tril_indices(len(values), -1)] = np.inf
    best = np.append(0.0, np.full(len(values), np.inf))  # places of the values before each one
    starts: list[np.ndarray] = []
    options = []
    for _ in range(min(most, len(values))):
        total = best[:-1, None] + cost
        starts.append(total.argmin(axis=0))
        best = np.append(np.inf, total.min(axis=0))
        widths, end = list[int](), len(values)
        for start in reversed(starts):
            widths.append(int(values[end - 1]))
            end = start[end - 1]
        options.append((widths[::-1], float(best[-1])))
    return options


def training_batches(
    lengths: np.ndarray, train: TrainSettings, devices: int, steps_per_execution: int, rng: np.random.Generator
) -> list[Planned]:
    """Returns one epoch's batches in random order; every row stands in exactly one.

    Rows are shuffled, then batched within their bucket, the longest bucket first; what its last batch lacks comes from
    the next shorter one. So all batches but the narrowest are full, and there are as many of them in any order, see
    `steps_per_epoch`. Full means batch_size rows or, with batch_tokens, about batch_tokens // width;
    `accumulate` times as many, if it is more than 1.

    Args: lengths: (rows,) int. devices: that share each batch; only `size` depends on it. steps_per_execution: so many
        batches of one shape stand together as far as they go, for `runs`. rng: decides on the order, and alone.
    Raises: UserError if batch_size is smaller than `devices`, or an epoch has fewer parts than `accumulate`.
    """
    if not train.batch_tokens and train.batch_size < devices:
        raise UserError(
            f"train.batch_size is {train.batch_size}, but {devices} devices share each batch. Set it to {devices} or "
            f"more, or hardware.devices to less."
        )
    whole = train.batch_size * train.accumulate
    widths = bucket_widths(lengths, train.bucket_lengths, 1 if train.batch_tokens else whole)
    batches: list[Planned] = []
    missing = 0  # rows of the last batch
    for width in np.unique(widths)[::-1].tolist():
        rows = rng.permutation(np.flatnonzero(widths == width))
        if taken := min(missing, len(rows)):
            batches[-1] = batches[-1]._replace(rows=np.concatenate([batches[-1].rows, rows[:taken]]))
            missing, rows = missing - taken, rows[taken:]
        if len(rows):
            full = rows_of(width, train.batch_size, train.batch_tokens) * train.accumulate
            size = -(-full // devices) * devices
            batches += [Planned(rows[start : start + full], width, size) for start in range(0, len(rows), full)]
            missing = -len(rows) % full
    _check_accumulate(batches, train)
    units = runs(batches, steps_per_execution)
    return [batch for unit in rng.permutation(len(units)) for batch in units[unit]]


def _check_accumulate(batches: Sequence[Planned], train: TrainSettings) -> None:
    """Raises: UserError if all rows of an epoch do not even give each of the parts of one step a row."""
    if train.accumulate > 1 and len(batches) == 1:
        rows, width, _ = batches[0]
        parts = -(-len(rows) // rows_of(width, train.batch_size, train.batch_tokens))
        if parts < train.accumulate:
            size = "train.batch_tokens" if train.batch_tokens else "train.batch_size"
            raise UserError(
                f"train.accumulate is {train.accumulate}, but the {len(rows)} training rows make only {parts} parts of "
                f"{size}. Lower train.accumulate to {parts} or less, or {size}."
            )


def rows_of(width: int, batch_size: int, batch_tokens: int) -> int:
    """Returns how many rows a full batch has: as many as batch_tokens hold, at least 1; without them batch_size."""
    if not batch_tokens:
        return batch_size
    rows = max(1, batch_tokens // width)
    return rows - rows % EVEN_ROWS if rows > EVEN_ROWS else rows


def runs(batches: Sequence[Planned], steps_per_execution: int) -> list[list[Planned]]:
    """Returns the batches in their order: `steps_per_execution` of one shape together where they follow each other, the
    others one by one. From the start of any run on, the rest of the epoch falls into the same runs.
    """
    found: list[list[Planned]] = []
    for _, group in itertools.groupby(batches, _shape):
        same = list(group)
        whole = len(same) - len(same) % steps_per_execution
        found += [same[start : start + steps_per_execution] for start in range(0, whole, steps_per_execution)]
        found += [[batch] for batch in same[whole:]]
    return found


def steps_per_epoch(lengths: np.ndarray, train: TrainSettings, devices: int = 1) -> int:
    """Returns the number of `training_batches`: the same in every epoch, for any devices and steps_per_execution.

    Raises: UserError as `training_batches`.
    """
    return len(training_batches(lengths, train, devices, 1, np.random.default_rng(0)))


def collate(split: Split, names: Sequence[str], batch: Batch) -> dict[str, np.ndarray]:
    """Returns the named fields of a batch: ragged ones padded with 0 to (rows, width) int32, dense ones (rows, ...)."""
    rows, width = batch
    arrays = {}
    for name in names:
        field = split[name]
        arrays[name] = field.padded(rows, width) if isinstance(field, Ragged) else field[rows]
    return arrays


def _shape(batch: Batch | Planned) -> tuple[int, int]:
    return (batch.size if isinstance(batch, Planned) else len(batch[0])), batch[1]


def shapes(batches: Sequence[Batch | Planned]) -> set[tuple[int, int]]:
    """Returns the shapes (rows, width) that occur: in training at most one for each bucket length.

    A feed may add an axis of its own, as lic2020_re does for subjects; then more shapes than these are compiled.
    """
    return {_shape(batch) for batch in batches}


def padded_share(lengths: np.ndarray, batches: Sequence[Batch | Planned]) -> float:
    """Returns the share of the batches' token places that padding takes, rows that fill up included."""
    places = sum(rows * width for rows, width in map(_shape, batches))
    return 1.0 - float(lengths.sum()) / places if places else 0.0
