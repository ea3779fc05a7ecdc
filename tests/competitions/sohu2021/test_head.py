"""The parts of the network that tricks add: poolings, several layers, several dropout masks, the second classifier."""

import keras
import numpy as np
import pytest

from competitions.sohu2021 import evaluation, model
from competitions.sohu2021.data import Example
from tests.competitions.sohu2021.tricks import ROWS, VOCABULARY, split, tricks
from tests.conftest import to_numpy

SPLIT = split(*ROWS)
INPUTS = {
    "token_ids": SPLIT.ragged("token_ids").padded(np.arange(4), 10),
    "segment_ids": SPLIT.ragged("segment_ids").padded(np.arange(4), 10),
    "variant": SPLIT.dense("variant"),
}


def build(train=None, **changes):
    network = model.build(tricks(model=changes, train=train or {}), VOCABULARY, {})
    rng = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.3, size=weight.shape))
    return network


def predicted(network, training=False):
    return {name: to_numpy(value) for name, value in network(INPUTS, training=training).items()}


def test_without_tricks_there_are_logits_alone_and_no_weights_more():
    network = build()
    assert list(network.output) == ["logits"]
    assert sum(not weight.path.startswith("backbone/") for weight in network.trainable_weights) == 2


@pytest.mark.parametrize("layers", [1, 2])
def test_what_the_backbone_makes_of_the_last_layers_is_pooled(layers):
    network = build(last_layers=layers, pooling="cls")
    backbone, dense = network.get_layer("backbone"), network.get_layer("classifier")
    arguments = [INPUTS["token_ids"], INPUTS["segment_ids"]]
    assert backbone.last_layers == layers
    pooled = to_numpy(backbone(*arguments, INPUTS["token_ids"] != 0))[:, 0]
    want = pooled @ to_numpy(dense.kernel) + to_numpy(dense.bias)
    np.testing.assert_allclose(predicted(network)["logits"], want, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
def test_padding_does_not_change_the_logits(pooling):
    network = build(pooling=pooling, last_layers=2)
    wider = {name: x if x.ndim == 1 else np.pad(x, ((0, 0), (0, 3))) for name, x in INPUTS.items()}
    got = to_numpy(network(wider)["logits"])
    np.testing.assert_allclose(got, predicted(network)["logits"], atol=1e-4)


def test_dropout_samples_change_no_prediction_and_no_weight():
    one, three = build(), build(dropout_samples=3)
    assert [w.path for w in one.trainable_weights] == [w.path for w in three.trainable_weights]
    np.testing.assert_array_equal(predicted(three)["logits"], predicted(one)["logits"])


def test_dropout_samples_have_masks_of_their_own_while_training():
    network = build(dropout_samples=3)
    got = predicted(network, training=True)
    assert got["samples"].shape == (4, 3, 2)
    np.testing.assert_array_equal(got["samples"][:, 0], got["logits"])
    assert np.unique(got["samples"][:, :, 0].round(6), axis=1).shape == (4, 3)


@pytest.mark.parametrize("condition", ["none", "token"])
def test_the_second_classifier_tells_the_subtask(condition):
    network = build({"auxiliary_weight": 0.1}, condition=condition)
    assert predicted(network)["variant_logits"].shape == (4, 6)
    assert network.output["variant_logits"].dtype == "float32"


def test_answers_hold_what_the_later_stages_read_and_no_more():
    settings = tricks(model={"dropout_samples": 2}, train={"auxiliary_weight": 0.1})
    network = model.build(settings, VOCABULARY, {})
    assert list(model.infer(network, SPLIT, settings, {})) == ["logits"]


def test_can_corrects_uncertain_answers_and_leaves_the_logits():
    network = build()
    plain = model.infer(network, SPLIT, tricks(), {})
    settings = tricks(predict={"can": True, "can_threshold": 0.0})  # all rows are uncertain: there is nothing to go by
    got = model.infer(network, SPLIT, settings, {})
    np.testing.assert_array_equal(got["logits"], plain["logits"])
    np.testing.assert_allclose(got["probability"], evaluation.probability(plain))
    assert got["probability"].dtype == np.float64


def test_can_moves_each_class_towards_its_own_prior():
    rows = split(*(Example(f"ss{i}_a", i % 2, "天", "地", 0) for i in range(4)))  # A B A B
    probability = np.array([0.05, 0.05, 0.5, 0.5])
    predict = {"can": True, "can_prior_a": 0.9, "can_prior_b": 0.1}
    got = evaluation.corrected(probability, rows, tricks(predict=predict))
    np.testing.assert_array_equal(got[:2], probability[:2])
    column = np.array([0.5 / 1.45, 0.5 / 0.55])  # of the uncertain row, over the sum of labels 0 and 1
    for row, prior in ((2, 0.9), (3, 0.1)):
        mass = column * [1 - prior, prior]
        assert got[row] == pytest.approx(mass[1] / mass.sum())


def test_with_implied_labels_no_pair_matches_in_b_and_not_in_a():
    rows = split(Example("ss0_a", 0, "天", "地", 0), Example("ss0_b", 1, "天", "地", 1))
    outputs = {"probability": np.array([0.3, 0.9])}
    assert evaluation.labels(outputs, rows, tricks()).tolist() == [0, 1]
    assert evaluation.labels(outputs, rows, tricks(predict={"implied_labels": True})).tolist() == [1, 1]


def test_bfloat16_keeps_the_logits_in_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = build({"auxiliary_weight": 0.1}, pooling="attention", last_layers=2, dropout_samples=2)
    finally:
        keras.config.set_dtype_policy(policy)
    assert {value.dtype for value in predicted(network).values()} == {np.dtype("float32")}
