"""Prediction: scores of all tokens or spans, many sentences at a time, to events."""

import keras
import numpy as np

from competitions.lic2020_ee.encoding import LENGTH_FIELD
from competitions.lic2020_ee.extraction import Extractor
from competitions.lic2020_ee.settings import Settings
from competitions.lic2020_ee.span_labels import SPAN_SCHEMES
from shared.arrays import Split
from shared.decoding.sigmoid_power import probability
from shared.task import Labels, Outputs
from shared.training.feed import Arrays
from shared.training.predict import predict_batches


def infer(network: keras.Model, split: Split, settings: Settings, labels: Labels, label: str | None = None) -> Outputs:
    """Returns for each row its `events`, in the official form, and the `confidence` of the arguments of each, 0 to 1.

    Args: network: as made by `build`. label: text of a progress bar; None: no bar.
    """
    tokens, extractor = split.ragged(LENGTH_FIELD), Extractor(split, settings, labels)
    predicting = network.factors if labels["scheme"] in SPAN_SCHEMES else network
    events: list[list] = [[] for _ in range(split.rows)]
    confidence: list[list[list[float]]] = [[] for _ in range(split.rows)]

    def inputs_of(units: np.ndarray, width: int) -> dict[str, np.ndarray]:
        return {"token_ids": tokens.padded(units, width)}

    for units, outputs in predict_batches(predicting, tokens.lengths, inputs_of, settings, label):
        for row, found in extractor.arguments(scores_of(outputs, settings.model.power), units):
            answer = extractor.answer(found)
            events[row], confidence[row] = answer.events, answer.confidence
    return {"events": events, "confidence": confidence}


def scores_of(outputs: Arrays, power: int) -> Arrays:
    """Returns what `Scheme.spans` takes: the network's outputs, logits of marks as probabilities.

    Args: power: model.power.
    """
    if "start_logits" not in outputs:
        return outputs
    return {name: probability(outputs[f"{name[:-1]}_logits"], power) for name in ("starts", "ends")}
