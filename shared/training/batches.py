"""Batches of rows of like length, in a small fixed set of shapes."""

from collections.abc import Sequence

import numpy as np

from shared.arrays import Ragged, Split

Batch = tuple[np.ndarray, int]  # row numbers, width in tokens


def bucket_widths(lengths: np.ndarray, bucket_lengths: Sequence[int]) -> np.ndarray:
    """Returns for each row the smallest bucket length that holds it; beyond the largest: the longest row's length.

    Args: lengths: (rows,) int. bucket_lengths: rising. Returns: (rows,) int64.
    """
    longest = int(lengths.max(initial=0))
    widths = np.array([*(w for w in bucket_lengths if w < longest), _next(bucket_lengths, longest)])
    return widths[np.searchsorted(widths, lengths)]


def _next(bucket_lengths: Sequence[int], length: int) -> int:
    return next((width for width in bucket_lengths if width >= length), length)


def training_batches(
    lengths: np.ndarray, batch_size: int, bucket_lengths: Sequence[int], rng: np.random.Generator
) -> list[Batch]:
    """Returns one epoch's batches in random order; every row stands in exactly one.

    Rows are shuffled, then batched within their bucket; what is left over of a bucket joins the next longer one, so
    that all batches but one are full and their number is ceil(rows / batch_size) whatever the order.
    """
    widths = bucket_widths(lengths, bucket_lengths)
    batches: list[Batch] = []
    rest = np.zeros(0, np.int64)
    for width in np.unique(widths):
        rows = np.concatenate([rest, rng.permutation(np.flatnonzero(widths == width))])
        full = len(rows) - len(rows) % batch_size
        batches += [(chunk, int(width)) for chunk in rows[:full].reshape(-1, batch_size)]
        rest = rows[full:]
    if len(rest):
        batches.append((rest, int(widths[rest].max())))
    return [batches[i] for i in rng.permutation(len(batches))]


def prediction_batches(lengths: np.ndarray, batch_size: int, bucket_lengths: Sequence[int]) -> list[Batch]:
    """Returns batches by rising length, so that little is padded; every row stands in exactly one."""
    order = np.argsort(lengths, kind="stable")
    widths = bucket_widths(lengths, bucket_lengths)
    chunks = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return [(chunk, int(widths[chunk].max())) for chunk in chunks]


def collate(split: Split, names: Sequence[str], batch: Batch) -> dict[str, np.ndarray]:
    """Returns the named fields of a batch: ragged ones padded with 0 to (rows, width) int32, dense ones (rows, ...)."""
    rows, width = batch
    arrays = {}
    for name in names:
        field = split[name]
        arrays[name] = field.padded(rows, width) if isinstance(field, Ragged) else field[rows]
    return arrays


def padded_share(lengths: np.ndarray, batches: Sequence[Batch]) -> float:
    """Returns the share of the batches' token places that padding takes."""
    places = sum(len(rows) * width for rows, width in batches)
    return 1.0 - float(lengths.sum()) / places if places else 0.0
