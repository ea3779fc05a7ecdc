from types import SimpleNamespace

import numpy as np
import pytest

from competitions.lic2020_ee.encoding import encode_split
from competitions.lic2020_ee.inference import infer, scores_of
from shared.text.tokenizer import Tokenizer
from shared.training.hardware import Hardware
from tests.competitions.lic2020_ee.layout import MATCH, SCHEMA
from tests.competitions.lic2020_ee.sentences import NUMBER, SCHEMES, example, labels, settings, vocabulary

VOCABULARY = vocabulary("胜者败天气好")
WINNER = NUMBER[MATCH, "胜者"]
# Of different lengths, so that batches by length are not in the order of the rows.
EXAMPLES = [example("好天气" * 3 + "胜者"), example("天"), example("胜者天胜"), example("天胜者" + "好" * 9)]
SPLIT = encode_split(EXAMPLES, Tokenizer(VOCABULARY, True), SCHEMA, 64)
WANT = [[("胜者", "胜者")], [], [("胜者", "胜者"), ("胜者", "胜")], [("胜者", "胜者")]]


class Reader:
    """Stands for a network that takes each 胜 for the start of a winner, and a 者 behind it for the rest."""

    def __init__(self, scheme: str, sure: float = 9.0):
        self.scheme, self.sure, self.shapes = scheme, sure, []

    def predictor(self, inputs):
        ids = inputs["token_ids"]
        self.shapes.append(ids.shape)
        begins, goes_on = ids == VOCABULARY.ids["胜"], ids == VOCABULARY.ids["者"]
        if self.scheme == "pointer":
            starts, ends = np.full((2, *ids.shape, len(NUMBER)), -9.0, np.float32)
            starts[..., WINNER] = np.where(begins, self.sure, -9.0)
            ends[..., WINNER] = np.where(begins | goes_on, self.sure, -9.0)
            ends[:, :-1, WINNER] = np.where(goes_on[:, 1:], -9.0, ends[:, :-1, WINNER])
            return {"start_logits": starts, "end_logits": ends}
        gold = np.where(begins, 2 * WINNER + 1, np.where(goes_on, 2 * WINNER + 2, 0))
        if self.scheme == "bio":
            return {"logits": self.sure * (gold[..., None] == np.arange(17)), "transitions": np.zeros((17, 17))}
        gold = np.stack([gold, np.zeros_like(gold), np.zeros_like(gold)], axis=1)
        return {"logits": self.sure * (gold[..., None] == np.arange(7)), "transitions": np.zeros((3, 7, 7))}


def inferred(reader: Reader, batch_size: int = 2, **predict):
    chosen = settings(hardware={"predict_batch_size": batch_size}, predict=predict)
    return infer(reader, SPLIT, chosen, labels(reader.scheme))


def arguments(outputs):
    return [[(a["role"], a["argument"]) for event in row for a in event["arguments"]] for row in outputs["events"]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_answers_come_in_the_order_of_the_rows(scheme):
    outputs = inferred(Reader(scheme))
    assert arguments(outputs) == WANT
    assert [event["event_type"] for row in outputs["events"] for event in row] == [MATCH] * 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_argument_has_a_confidence(scheme):
    outputs = inferred(Reader(scheme))
    for events, confidence in zip(outputs["events"], outputs["confidence"], strict=True):
        assert [len(event["arguments"]) for event in events] == [len(sures) for sures in confidence]
        assert all(0.9 < sure <= 1.0 for sures in confidence for sure in sures)


def test_the_batch_size_changes_no_answer():
    outputs = [inferred(Reader("bio_per_type"), batch_size) for batch_size in (1, 3, 64)]
    assert outputs[0]["events"] == outputs[1]["events"] == outputs[2]["events"]


@pytest.mark.parametrize(("jit", "shapes"), [(True, [(2, 8), (2, 16)]), (False, [(2, 8), (2, 14)])])
def test_sentences_are_predicted_together_and_padded_to_buckets_where_shapes_are_compiled(monkeypatch, jit, shapes):
    machine = Hardware("cpu", "float32", jit, "tensorflow")
    monkeypatch.setattr("shared.training.prediction_batches.configured", lambda: machine)
    reader = Reader("pointer")
    inferred(reader)
    assert reader.shapes == shapes


@pytest.mark.parametrize("scheme", SCHEMES)
def test_arguments_below_the_threshold_are_left_out(scheme):
    unsure = Reader(scheme, sure=0.5 if scheme == "pointer" else 4.0)
    assert arguments(inferred(unsure, threshold=0.3)) == WANT
    assert arguments(inferred(unsure, threshold=0.99)) == [[], [], [], []]


def test_marks_become_probabilities_by_their_power():
    logits = np.array([[[0.0, np.log(3)]]], np.float32)
    got = scores_of({"start_logits": logits, "end_logits": -logits}, power=2)
    np.testing.assert_allclose(got["starts"], [[[0.25, 9 / 16]]], rtol=1e-6)
    np.testing.assert_allclose(got["ends"], [[[0.25, 1 / 16]]], rtol=1e-6)


def test_a_split_without_rows_has_no_answers():
    empty = encode_split([], Tokenizer(VOCABULARY, True), SCHEMA, 64)
    network = SimpleNamespace(predictor=None)
    assert infer(network, empty, settings(), labels("pointer")) == {"events": [], "confidence": []}
