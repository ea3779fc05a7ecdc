import keras
import numpy as np
import pytest

from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer, randomize
from tests.shared.layers.reference import conditional_layer_norm, layer_norm, rms_norm


@pytest.fixture
def x(rng):
    return rng.normal(1.0, 2.0, size=(2, 3, 8)).astype("float32")


@pytest.fixture
def condition(rng):
    return rng.normal(size=(2, 5)).astype("float32")


# Vectors reach about 8 with these weights, where bfloat16 has steps of 1/32; input, scale and result are rounded to it.
def test_passes_the_check_of_every_layer_with_a_condition(x, condition):
    check_layer(
        ConditionalLayerNormalization,
        {"epsilon": 1e-6},
        {"inputs": x, "condition": condition},
        padded=("inputs",),
        passes_mask=True,
        bfloat16_error=0.1,
    )


def test_passes_the_check_of_every_layer_without_a_condition(x):
    check_layer(
        ConditionalLayerNormalization,
        {"epsilon": 1e-6},
        {"inputs": x},
        padded=("inputs",),
        passes_mask=True,
        bfloat16_error=0.03,
    )


def test_equals_the_formula_in_float64(x, condition):
    layer = ConditionalLayerNormalization(epsilon=0.1)
    layer.build(x.shape, condition.shape)
    randomize(layer)
    weights = [np.float64(w) for w in layer.get_weights()]
    want = conditional_layer_norm(np.float64(x), weights, np.float64(condition), 0.1)
    np.testing.assert_allclose(to_numpy(layer(x, condition)), want, atol=1e-5)


def test_equals_the_formula_in_float64_without_a_condition(x):
    layer = ConditionalLayerNormalization(epsilon=0.1)
    layer.build(x.shape)
    randomize(layer)
    want = layer_norm(np.float64(x), *(np.float64(w) for w in layer.get_weights()), 0.1)
    np.testing.assert_allclose(to_numpy(layer(x)), want, atol=1e-5)


def test_zero_start_equals_layer_normalization(x, condition):
    got = ConditionalLayerNormalization(epsilon=1e-6)(x, condition)
    want = keras.layers.LayerNormalization(epsilon=1e-6)(x)
    np.testing.assert_allclose(to_numpy(got), to_numpy(want), atol=1e-5)


def test_the_default_epsilon_is_that_of_bert_checkpoints():
    assert ConditionalLayerNormalization().epsilon == 1e-12


def test_the_same_vector_under_another_condition_gives_another_result(x):
    layer = ConditionalLayerNormalization()
    layer.build(x.shape, (2, 5))
    randomize(layer)
    same = np.stack([x[0], x[0]])
    got = to_numpy(layer(same, np.eye(2, 5, dtype="float32")))
    assert np.abs(got[0] - got[1]).max() > 0.1


def test_statistics_are_float32_under_mixed_precision():
    # Both numbers are exact in bfloat16, but their mean 257 is not: in bfloat16 the result would be (0, 2) or (-2, 0).
    x = np.tile(np.float32([256, 258]), 4)[None, None]
    got = ConditionalLayerNormalization(dtype="mixed_bfloat16")(x)
    np.testing.assert_array_equal(to_numpy(got), np.tile([-1, 1], 4)[None, None])


def test_a_constant_vector_gives_beta_and_no_nan():
    x = np.full((1, 2, 4), 7.0, "float32")
    np.testing.assert_array_equal(to_numpy(ConditionalLayerNormalization()(x)), np.zeros((1, 2, 4)))


def test_a_condition_of_rank_3_is_an_error(x):
    with pytest.raises(ValueError, match=r"condition must have shape \(batch, condition_dim\), got \(2, 3, 5\)"):
        ConditionalLayerNormalization()(x, np.zeros((2, 3, 5), "float32"))


def test_a_condition_of_rank_3_is_an_error_after_building_too(x, condition):
    layer = ConditionalLayerNormalization()
    layer(x, condition)
    with pytest.raises(ValueError, match="condition must have shape"):
        layer(x, np.zeros((2, 1, 5), "float32"))


def test_built_with_a_condition_it_must_be_called_with_one(x, condition):
    layer = ConditionalLayerNormalization()
    layer(x, condition)
    with pytest.raises(ValueError, match="built with a condition"):
        layer(x)


def test_built_without_a_condition_it_must_be_called_without(x, condition):
    layer = ConditionalLayerNormalization()
    layer(x)
    with pytest.raises(ValueError, match="built without a condition"):
        layer(x, condition)


def test_rms_has_no_weights_and_equals_the_formula_in_float64(x):
    layer = ConditionalLayerNormalization(epsilon=0.1, rms=True)
    np.testing.assert_allclose(to_numpy(layer(x)), rms_norm(np.float64(x), 0.1), atol=1e-5)
    assert layer.weights == []


def test_rms_with_a_condition_passes_the_check_of_every_layer(x, condition):
    inputs = {"inputs": x, "condition": condition}
    arguments = {"epsilon": 1e-6, "rms": True}
    check_layer(
        ConditionalLayerNormalization, arguments, inputs, padded=("inputs",), passes_mask=True, bfloat16_error=0.1
    )


def test_rms_with_a_condition_scales_and_shifts_by_it_from_a_start_without_effect(x, condition):
    layer = ConditionalLayerNormalization(epsilon=0.1, rms=True)
    np.testing.assert_allclose(to_numpy(layer(x, condition)), rms_norm(np.float64(x), 0.1), atol=1e-5)
    randomize(layer)
    gamma, beta = (np.float64(condition) @ np.float64(to_numpy(w)) for w in layer.weights)
    want = rms_norm(np.float64(x), 0.1) * (1 + gamma)[:, None] + beta[:, None]
    np.testing.assert_allclose(to_numpy(layer(x, condition)), want, atol=1e-4)
