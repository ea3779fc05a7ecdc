import keras
import numpy as np
import pytest

from shared.training.distribution import Distribution, padded
from tests.shared.training import toy


@pytest.fixture
def inputs():
    return toy.feed(toy.split(7)).batch(np.arange(7), 16, np.random.default_rng(0))[0]


def test_one_device_leaves_batches_as_they_are():
    one, batch = Distribution(), ({"a": np.arange(3)}, [np.arange(4)])
    assert one.place(batch) is batch
    assert (one.sum(5), one.replica(), one.replicas, one.hosts, one.host) == (5, 0, 1, 1, 0)
    with one.scope():
        assert one.from_chief([np.arange(2)])[0].tolist() == [0, 1]
        assert one.any_host([True, False]) == [True, False]


@pytest.mark.parametrize("jit", [False, True])
def test_a_predictor_gives_what_the_network_gives(inputs, jit):
    network = toy.network(dropout=0.5)
    got = Distribution().predictor(network, jit)(inputs)
    want = network.predict_on_batch(inputs)
    np.testing.assert_allclose(got["logits"], want["logits"], atol=1e-6)
    assert isinstance(got["logits"], np.ndarray)


def test_a_predictor_follows_the_weights(inputs):
    network = toy.network()
    predict = Distribution().predictor(network, jit=False)
    before = predict(inputs)["logits"]
    network.get_layer("out").bias.assign([1.0, -1.0])
    np.testing.assert_allclose(predict(inputs)["logits"], before + np.float32([1, -1]), atol=1e-6)


def test_a_predictor_takes_batches_of_any_size(inputs):
    predict = Distribution().predictor(toy.network(), jit=keras.config.backend() == "jax")
    whole = predict(inputs)["logits"]
    part = predict({name: array[2:5, :12] for name, array in inputs.items()})["logits"]
    np.testing.assert_allclose(part, whole[2:5], atol=1e-6)


@pytest.mark.parametrize(("multiple", "rows"), [(1, [0, 1, 2]), (2, [0, 1, 2, 0]), (8, [0, 1, 2, 0, 1, 2, 0, 1])])
def test_padding_repeats_the_first_rows(multiple, rows):
    got, true = padded({"a": np.arange(3)}, multiple)
    assert (got["a"].tolist(), true) == (rows, 3)
