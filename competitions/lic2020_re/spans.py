"""The labelled values of rows as one table: what labels of every head are made from."""

import numpy as np

from competitions.lic2020_re.encoding import SPAN_FIELDS
from shared.arrays import Split


def spans_of(split: Split, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the labelled values of rows, (values, 5) int32 as in the field `spans`, and which of `units` each is of.

    Args: units: (batch,) int, row numbers; a row may stand there twice.
    """
    field = split.ragged("spans")
    table, first = field.values.reshape(-1, SPAN_FIELDS), field.offsets[units] // SPAN_FIELDS
    counts = field.lengths[units] // SPAN_FIELDS
    row = np.repeat(np.arange(len(units)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    return table[first[row] + within], row
