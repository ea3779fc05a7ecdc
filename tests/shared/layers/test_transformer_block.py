import numpy as np
import pytest

from shared.layers.transformer_block import TransformerBlock
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer, randomize
from tests.shared.layers.reference import transformer_block

MASK = np.array([[True, True, True, True, True], [True, True, True, False, False]])
SIZE = {"num_heads": 2, "ffn_dim": 12}


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 5, 8)).astype("float32")


@pytest.fixture
def condition(rng):
    return rng.normal(size=(2, 3)).astype("float32")


# Each of the two normalizations rounds vectors of about 5 to bfloat16, whose steps there are 1/32.
def test_passes_the_check_of_every_layer_with_a_condition(x, condition):
    arguments = SIZE | {
        "position": "rotary",
        "activation": "relu",
        "dropout": 0.2,
        "attention_dropout": 0.3,
        "epsilon": 1e-6,
        "initializer_range": 0.1,
        "seed": 5,
    }
    inputs = {"inputs": x, "padding_mask": MASK, "condition": condition}
    check_layer(
        TransformerBlock, arguments, inputs, padded=("inputs", "padding_mask"), passes_mask=True, bfloat16_error=0.2
    )


def test_passes_the_check_of_every_layer_without_a_condition(x):
    inputs = {"inputs": x, "padding_mask": MASK}
    check_layer(TransformerBlock, SIZE, inputs, padded=("inputs", "padding_mask"), passes_mask=True, bfloat16_error=0.2)


@pytest.mark.parametrize("rotary", [False, True])
def test_equals_the_formula_in_float64(x, condition, rotary):
    layer = TransformerBlock(**SIZE, position="rotary" if rotary else "absolute", epsilon=0.1)
    layer(x, MASK, condition)
    randomize(layer)
    parts = [layer.attention, layer.attention_norm, layer.expand, layer.reduce, layer.ffn_norm]
    weights = [[np.float64(to_numpy(w)) for w in part.trainable_weights] for part in parts]
    want = transformer_block(np.float64(x), weights, 2, np.float64(condition), 0.1, MASK, rotary)
    np.testing.assert_allclose(to_numpy(layer(x, MASK, condition)), want, atol=2e-5)  # float32 through two norms


def test_both_normalizations_follow_the_condition(x, condition):
    layer = TransformerBlock(**SIZE)
    layer(x, None, condition)
    for norm in (layer.attention_norm, layer.ffn_norm):
        assert norm.gamma_kernel.shape == norm.beta_kernel.shape == (3, 8)
    layer = TransformerBlock(**SIZE)
    layer(x)
    assert layer.attention_norm.gamma_kernel is layer.ffn_norm.gamma_kernel is None


@pytest.mark.parametrize("name", ["dropout", "attention_dropout"])
def test_each_dropout_acts_in_training_only(x, name):
    layer = TransformerBlock(**SIZE, **{"dropout": 0.0, "attention_dropout": 0.0, name: 0.5}, seed=1)
    layer(x)
    randomize(layer)
    still = to_numpy(layer(x))
    np.testing.assert_array_equal(to_numpy(layer(x, training=False)), still)
    assert np.abs(to_numpy(layer(x, training=True)) - still).max() > 0.01


def test_the_two_residual_branches_drop_different_places():
    layer = TransformerBlock(**SIZE, dropout=0.5, seed=1)
    ones = np.ones((1, 5, 8), "float32")
    assert not np.array_equal(
        to_numpy(layer.attention_drop(ones, training=True)), to_numpy(layer.ffn_drop(ones, training=True))
    )
