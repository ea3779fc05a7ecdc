"""BIO labels: 0 is O, outside; 2r + 1 is B-r, the first token of a span of kind r, and 2r + 2 is I-r, a further one."""

import numpy as np

from shared.decoding.pointers import Spans

OUTSIDE = 0


def num_labels(kinds: int) -> int:
    """Returns the number of labels for spans of so many kinds."""
    return 2 * kinds + 1


def labels_of(spans: Spans, rows: int, length: int) -> np.ndarray:
    """Returns the labels of a batch, (rows, length) int32: the inverse of `spans_of`.

    Args: spans: within the length and, in a row, without overlap. rows, length: of the batch.
    """
    labels = np.zeros((rows, length), np.int32)
    counts = spans.end - spans.start
    row, inside = np.repeat(spans.row, counts), np.repeat(2 * spans.label + 2, counts)
    first = np.cumsum(counts) - counts  # of each span, among the tokens of all
    labels[row, np.arange(len(row)) - np.repeat(first - spans.start, counts)] = inside
    labels[spans.row, spans.start] = 2 * spans.label + 1
    return labels


def spans_of(labels: np.ndarray) -> Spans:
    """Returns the spans that labels (rows, length) spell out, by rising row and start.

    A span starts at a B and goes on over the I of its kind that follow without a gap. An I without such a start, as
    imperfect labels have them, belongs to no span. Padding is labelled O.
    """
    labels = np.pad(np.asarray(labels, np.int64), ((0, 0), (0, 1)))  # no span crosses the end of its row
    width = labels.shape[1]
    flat = labels.ravel()
    previous = np.concatenate([[OUTSIDE], flat[:-1]])
    goes_on = (flat != OUTSIDE) & (flat % 2 == 0) & ((previous == flat) | (previous == flat - 1))
    starts, stops = np.flatnonzero(flat % 2 == 1), np.flatnonzero(~goes_on)
    ends = stops[np.searchsorted(stops, starts, side="right")]
    row, start = np.divmod(starts, width)
    return Spans(row, flat[starts] // 2, start, ends - row * width)
