"""Batched prediction in the rows' own order."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from shared.arrays import Split
from shared.task import Task
from shared.training.batches import collate, prediction_batches


def predict_batches(
    network: keras.Model, split: Split, task: Task, settings: Any, label: str | None = None
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Yields (row numbers, outputs of these rows) by rising length; each row once.

    Args: network: dict of inputs to dict of outputs; its inputs name the fields. task: names the field that decides the
        width. settings: the competition's, for buckets and batch size. label: text of a progress bar; None: no bar.
    """
    lengths = split.ragged(task.length_field).lengths
    batches = prediction_batches(lengths, settings.hardware.predict_batch_size, settings.train.bucket_lengths)
    names = [tensor.name for tensor in network.inputs]
    with tqdm(total=len(lengths), desc=label, unit="row", disable=None if label else True, leave=False) as bar:
        for rows, width in batches:
            outputs = network.predict_on_batch(collate(split, names, (rows, width)))
            yield rows, {name: np.asarray(value) for name, value in outputs.items()}
            bar.update(len(rows))


def predict_rows(
    network: keras.Model, split: Split, task: Task, settings: Any, label: str | None = None
) -> dict[str, np.ndarray]:
    """Returns outputs of fixed size, (rows, ...), in the split's order. Arguments as `predict_batches`."""
    result: dict[str, np.ndarray] = {}
    for rows, outputs in predict_batches(network, split, task, settings, label):
        for name, value in outputs.items():
            result.setdefault(name, np.zeros((split.rows, *value.shape[1:]), value.dtype))[rows] = value
    return result
