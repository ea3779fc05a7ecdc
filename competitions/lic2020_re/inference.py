"""Prediction: each sentence is encoded once; pointers then ask all its subjects for their objects, many at a time."""

from collections.abc import Iterator
from functools import partial

import keras
import numpy as np

from competitions.lic2020_re.encoding import LENGTH_FIELD
from competitions.lic2020_re.extraction import Found, Writer, find, find_links
from competitions.lic2020_re.gplinker import LINKS
from competitions.lic2020_re.settings import Settings
from shared.arrays import Split
from shared.decoding.gplinker import factored
from shared.task import Labels, Outputs
from shared.training.feed import Arrays
from shared.training.hardware import configured
from shared.training.predict import predict_batches, predictor


def infer(network: keras.Model, split: Split, settings: Settings, labels: Labels, label: str | None = None) -> Outputs:
    """Returns for each row its `triples`, in the official form, and the `confidence` of each, in 0 to 1.

    Args: network: as made by `build`. label: text of a progress bar; None: no bar.
    """
    tokens, char_ends = split.ragged(LENGTH_FIELD), split.ragged("char_ends")
    writer = Writer(split, labels, settings.predict.combine)
    triples: list[list] = [[] for _ in range(split.rows)]
    confidence: list[list[float]] = [[] for _ in range(split.rows)]

    def inputs_of(units: np.ndarray, width: int) -> dict[str, np.ndarray]:
        return {"token_ids": tokens.padded(units, width)}

    links = settings.model.head == "gplinker"
    encoder = network.parts.factors if links else network.parts.encoder
    for units, outputs in predict_batches(encoder, tokens.lengths, inputs_of, settings, label):
        width = outputs["entities" if links else "subject_logits"].shape[-2]
        inside = char_ends.padded(units, width) > 0  # [CLS], [SEP] and padding end at 0
        found = (_by_links if links else _by_pointers)(network, outputs, inside, settings)
        for row, slots in writer.slots(units, found):
            answer = writer.answer(row, slots)
            triples[row], confidence[row] = answer.triples, answer.confidence
    return {"triples": triples, "confidence": confidence}


def _by_pointers(network: keras.Model, outputs: Arrays, inside: np.ndarray, settings: Settings) -> Found:
    asked = partial(object_logits, network.parts.objects, settings, outputs["hidden_sum"])
    return find(outputs["subject_logits"], asked, inside, settings)


def _by_links(network: keras.Model, outputs: Arrays, inside: np.ndarray, settings: Settings) -> Found:
    heads, tails = (factored(outputs[name]) for name in LINKS)
    return find_links(outputs["entities"], heads, tails, inside, settings.predict)


def object_logits(
    network: keras.Model, settings: Settings, hidden_sum: np.ndarray, row: np.ndarray, subjects: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs' numbers and their object logits, (these pairs, length, 2 * relations), a batch at a time.

    Where each shape is compiled, the last batch is filled up.

    Args: network: the second of `Parts`. hidden_sum: (batch, length, dim). row: (pairs,) places in the batch.
        subjects: (pairs, 2), half-open.
    """
    size, any_shape = settings.hardware.predict_batch_size, configured().any_shape
    for first in range(0, len(row), size):
        pairs = np.arange(first, min(first + size, len(row)))
        filled = pairs if any_shape else np.resize(pairs, size)
        inputs = {"hidden_sum": hidden_sum[row[filled]], "subjects": (subjects[filled] - [0, 1]).astype(np.int32)}
        yield pairs, predictor(network)(inputs)["object_logits"][: len(pairs)]
