"""Heads that find what the tokens of synthetic rows mark, put on an untrained encoder.

With its first weights a tagger finds nothing, and decoding nothing takes no time. A head's weights are set to matched
filters instead: for each label the mean hidden vector at the tokens that carry it, less the mean of all.
"""

from typing import Any

import numpy as np

from benchmarks.synthetic import EVENT_TYPES, MARKS, OBJECT, SUBJECT
from shared.arrays import Split
from shared.training.batches import collate
from shared.training.prediction_batches import prediction_batches

SURE = 12.0  # logit of a label at its mark; minus this elsewhere


def plant(name: str, network: Any, split: Split, labels: Any) -> None:
    """Sets the heads of a network for relations or events; the other competitions need none."""
    if name == "lic2020_re":
        encoder = network.parts.encoder
        hidden, tokens = _hidden(network, network.get_layer("subject_head").input, split)
        subject = filters(hidden, tokens, {0: SUBJECT, 1: SUBJECT + 1}, 2)
        network.get_layer("subject_head").set_weights(subject)
        given, tokens = _hidden(network, encoder.output["hidden_sum"], split)
        head = network.get_layer("object_head")
        normal = given - given.mean(axis=1, keepdims=True)
        normal /= np.sqrt((normal**2).mean(axis=1, keepdims=True) + head.epsilon)
        head.project.set_weights(filters(normal, tokens, {0: OBJECT, 1: OBJECT + 1}, head.units))
    elif name == "lic2020_ee" and labels["scheme"] == "bio_per_type":
        hidden, tokens = _hidden(network, network.get_layer("labels").input, split)
        units = network.get_layer("labels").units
        size = units // len(labels["schema"])  # labels of a type: outside, then begin and inside of its roles
        marked = {
            event_type * size + 1 + inside: MARKS[2 * event_type + inside]
            for event_type in range(EVENT_TYPES)
            for inside in (0, 1)
        }
        kernel, bias = filters(hidden, tokens, marked, units)
        bias[::size] = 0.0  # outside: better than a label without its mark, worse than one with it
        network.get_layer("labels").set_weights([kernel, bias])


def _hidden(network: Any, output: Any, split: Split, rows: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors that a tensor of the network has at the tokens of the first rows, and their token ids."""
    import keras

    model = keras.Model({"token_ids": network.get_layer("token_ids").output}, {"hidden": output})
    chosen = split.take(np.arange(min(rows, split.rows)))
    vectors, tokens = [], []
    for batch in prediction_batches(chosen.ragged("token_ids").lengths, 64, (64, 128, 256, 512)):
        inputs = collate(chosen, ["token_ids"], batch)
        hidden = np.asarray(keras.ops.cast(model.predict_on_batch(inputs)["hidden"], "float32"))
        real = inputs["token_ids"] > 0
        vectors.append(hidden[real])
        tokens.append(inputs["token_ids"][real])
    return np.concatenate(vectors), np.concatenate(tokens)


def filters(
    vectors: np.ndarray, tokens: np.ndarray, marks: dict[int, int], units: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns kernel (dim, units) and bias (units,) of a head.

    Args: vectors: (tokens, dim). tokens: (tokens,) ids. marks: unit -> token id that it is to find; units that are not
        there find nothing.
    """
    kernel, bias = np.zeros((vectors.shape[1], units)), np.full(units, -SURE)
    middle = vectors.mean(axis=0)
    for unit, mark in marks.items():
        if (tokens == mark).any():
            away = vectors[tokens == mark].mean(axis=0) - middle
            kernel[:, unit] = 2 * SURE * away / (away @ away)
            bias[unit] -= kernel[:, unit] @ middle
    return kernel, bias
