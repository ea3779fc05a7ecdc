"""Batches of rows by rising length, for networks that learn nothing from them."""

from typing import Any

import numpy as np

from shared.training.batches import WIDTH_STEP, Batch, BucketLengths, bucket_widths
from shared.training.hardware import configured

CALL_TOKENS = 512  # token places that a call of the network costs beside its rows, about, on two CPU cores


def planned_batches(lengths: np.ndarray, settings: Any) -> list[Batch]:
    """Returns the batches of a prediction on the devices of `configure`: fitted ones where shapes cost nothing.

    Args: lengths: (rows,) int, in tokens. settings: the competition's, for buckets and batch size.
    """
    size = settings.hardware.predict_batch_size
    if configured().any_shape:
        return fitted_batches(lengths, size)
    return prediction_batches(lengths, size, settings.train.bucket_lengths)


def prediction_batches(lengths: np.ndarray, batch_size: int, bucket_lengths: BucketLengths) -> list[Batch]:
    """Returns batches by rising length in a small fixed set of shapes; every row stands in exactly one.

    They are made from the longest row on, so that all but the first, the shortest, are full.
    """
    order = np.argsort(lengths, kind="stable")
    widths = bucket_widths(lengths, bucket_lengths, batch_size)[order]
    ends = range(len(order), 0, -batch_size)
    return [(order[max(end - batch_size, 0) : end], int(widths[end - 1])) for end in ends][::-1]


def fitted_batches(lengths: np.ndarray, batch_size: int) -> list[Batch]:
    """Returns batches by rising length, each as wide as its longest row; every row stands in exactly one.

    Widths are rounded up to multiples of 8, but not beyond the longest row of all: there may be no positions for more.

    The batches have the fewest token places, and 512 for each batch, that batches of at most batch_size rows can have:
    where lengths rise fast, they have fewer rows and little is padded. There may be as many shapes as batches.

    Args: lengths: (rows,) int.
    """
    order = np.argsort(lengths, kind="stable")
    widths = -(-np.maximum(lengths[order], 1) // WIDTH_STEP) * WIDTH_STEP
    widths = np.minimum(widths, max(WIDTH_STEP, int(lengths.max(initial=0))))
    cost, start = np.zeros(len(order) + 1), np.zeros(len(order) + 1, np.int64)  # of the first so many rows at best
    for end in range(1, len(order) + 1):
        first = max(end - batch_size, 0)
        tried = cost[first:end] + (end - np.arange(first, end)) * widths[end - 1]
        best = int(tried.argmin())
        cost[end], start[end] = tried[best] + CALL_TOKENS, first + best
    batches, end = list[Batch](), len(order)
    while end:
        batches.append((order[start[end] : end], int(widths[end - 1])))
        end = int(start[end])
    return batches[::-1]
