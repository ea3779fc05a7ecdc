import keras
import numpy as np
import pytest

from shared.layers.mlm_head import MlmHead
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer, randomize
from tests.shared.layers.reference import gelu, layer_norm

VOCABULARY = 6


@pytest.fixture
def x(rng):
    return rng.normal(size=(VOCABULARY, 5, 8)).astype("float32")


@pytest.fixture
def table(rng):
    return rng.normal(size=(VOCABULARY, 4)).astype("float32")


# The table passes for an input in the check, as there are as many rows in the batch as tokens in the vocabulary.
# Logits reach 10, where bfloat16 has steps of 1/16.
@pytest.mark.parametrize("plain", [False, True])
def test_passes_the_check_of_every_layer(x, table, plain):
    arguments = {
        "vocabulary_size": VOCABULARY,
        "width": 4,
        "activation": "gelu_tanh",
        "plain": plain,
        "epsilon": 1e-6,
        "initializer_range": 0.1,
        "seed": 3,
    }
    inputs = {"inputs": x[..., :4] if plain else x, "table": table}
    check_layer(MlmHead, arguments, inputs, padded=("inputs",), passes_mask=True, bfloat16_error=0.2)


@pytest.mark.parametrize("projected", [False, True])
def test_equals_the_formula_in_float64(rng, x, table, projected):
    projection = rng.normal(size=(4, 7)).astype("float32") if projected else None
    layer = MlmHead(VOCABULARY, width=7 if projected else 4, epsilon=0.1)
    layer(x, table, projection)
    randomize(layer)
    named = {weight.path.split("/", 1)[1]: np.float64(to_numpy(weight)) for weight in layer.weights}
    hidden = gelu(x.astype("float64") @ named["dense/kernel"] + named["dense/bias"])
    hidden = layer_norm(hidden, named["norm/gamma"], named["norm/beta"], 0.1)
    whole = np.float64(table) @ np.float64(projection) if projected else np.float64(table)
    want = hidden @ whole.T + named["bias"]
    np.testing.assert_allclose(to_numpy(layer(x, table, projection)), want, atol=2e-5)


def test_a_plain_head_is_a_product_with_the_table_and_has_no_weights(x, table):
    layer = MlmHead(VOCABULARY, width=4, plain=True)
    np.testing.assert_allclose(to_numpy(layer(x[..., :4], table)), x[..., :4] @ table.T, atol=1e-5)
    assert layer.weights == []


def test_the_activation_is_the_one_that_is_named(x, table):
    outputs = []
    for activation in ("gelu", "gelu_tanh", "relu"):
        layer = MlmHead(VOCABULARY, width=4, activation=activation)
        layer(x, table)
        randomize(layer)
        outputs.append(to_numpy(layer(x, table)))
    assert 1e-5 < np.abs(outputs[0] - outputs[1]).max() < 0.1
    assert np.abs(outputs[0] - outputs[2]).max() > 0.1


def test_equal_seeds_start_with_equal_weights_that_have_the_given_spread(table):
    first, second = (MlmHead(VOCABULARY, width=100, initializer_range=0.5, seed=1) for _ in range(2))
    for layer in (first, second):
        layer.build((None, None, 100))
    kernel = to_numpy(first.dense.kernel)
    np.testing.assert_array_equal(kernel, to_numpy(second.dense.kernel))
    assert 0.4 < kernel.std() < 0.5  # cut at two standard deviations: 0.88 of 0.5


def test_a_variable_given_as_table_learns(x, table):
    variable = keras.Variable(table, name="table")

    class Tied(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.table, self.head = variable, MlmHead(VOCABULARY, width=4, seed=1)

        def build(self, shape):
            self.head.build(shape)

        def call(self, inputs):
            return self.head(inputs, self.table)

    model = keras.Sequential([Tied()])
    model.compile(keras.optimizers.SGD(1.0), loss="mse")
    model.fit(x, np.ones((VOCABULARY, 5, VOCABULARY), "float32"), epochs=1, verbose=0)
    assert np.abs(to_numpy(variable) - table).min() > 1e-5
