"""Batched prediction in the rows' own order."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from shared.arrays import Split
from shared.training.batches import collate
from shared.training.feed import Arrays
from shared.training.hardware import configured
from shared.training.overlap import overlapped
from shared.training.prediction_batches import planned_batches
from shared.training.prediction_cache import cached
from shared.training.prefetch import Prefetcher

BATCHES_AT_ONCE = 2  # more gains nothing


def predictor(network: keras.Model) -> Callable[[Arrays], Arrays]:
    """Returns the network without training as a compiled function: inputs by name, rows first, to outputs.

    It runs on the devices of `configure` and is compiled once for a network, however often this is asked.
    """
    if not hasattr(network, "predictor"):
        machine = configured()
        network.predictor = machine.distribution.predictor(network, machine.jit)
    return network.predictor


def predict_batches(
    network: keras.Model,
    lengths: np.ndarray,
    inputs_of: Callable[[np.ndarray, int], dict[str, Any]],
    settings: Any,
    label: str | None = None,
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yields (unit numbers, outputs of these units) by rising length; each unit once.

    Inputs are made a batch ahead. One device has two batches at a time: what one of them leaves idle the other takes,
    also while the caller decodes, which does up to a fifth more rows a second on two cores.

    Args: network: dict of inputs to dict of outputs. lengths: (units,) int, in tokens. inputs_of: (unit numbers, width)
        -> inputs by name; called in another thread. settings: the competition's, for buckets and batch size. label:
        text of a progress bar; None: no bar.
    """
    batches = planned_batches(lengths, settings)
    predict = cached(predictor(network))
    at_once = 1 if configured().distribution.shared else BATCHES_AT_ONCE

    def answered(batch: tuple[np.ndarray, Arrays]) -> tuple[np.ndarray, Arrays]:
        units, inputs = batch
        return units, predict(inputs)

    with (
        tqdm(total=len(lengths), desc=label, unit="row", disable=None if label else True, leave=False) as bar,
        Prefetcher((units, inputs_of(units, width)) for units, width in batches) as ready,
    ):
        for units, outputs in overlapped(answered, ready, at_once):
            yield units, outputs
            bar.update(len(units))


def predict_rows(
    network: keras.Model, split: Split, length_field: str, settings: Any, label: str | None = None
) -> dict[str, np.ndarray]:
    """Returns outputs of fixed size, (rows, ...), in the split's order, for a network whose inputs are fields.

    Args: length_field: the ragged field that decides the width; the rest as `predict_batches`.
    """
    lengths = split.ragged(length_field).lengths
    names = [tensor.name for tensor in network.inputs]

    def inputs_of(rows: np.ndarray, width: int) -> dict[str, np.ndarray]:
        return collate(split, names, (rows, width))

    result: dict[str, np.ndarray] = {}
    for rows, outputs in predict_batches(network, lengths, inputs_of, settings, label):
        for name, value in outputs.items():
            result.setdefault(name, np.zeros((split.rows, *value.shape[1:]), value.dtype))[rows] = value
    return result
