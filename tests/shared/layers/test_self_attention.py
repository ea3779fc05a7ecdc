import keras
import numpy as np
import pytest

from shared.layers.self_attention import SelfAttention
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer, randomize
from tests.shared.layers.reference import self_attention

MASK = np.array([[True, True, True, True, True], [True, True, True, False, False]])


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 5, 8)).astype("float32")


def _layer(x, **arguments):
    layer = SelfAttention(**arguments)
    layer(x)
    randomize(layer)
    return layer


# Results reach about 10, where bfloat16 has steps of 1/16; weights, products and sums are rounded to it.
def test_passes_the_check_of_every_layer(x):
    arguments = {"num_heads": 2, "position": "rotary", "dropout": 0.2, "initializer_range": 0.1, "seed": 3}
    inputs = {"inputs": x, "padding_mask": MASK}
    check_layer(
        SelfAttention, arguments, inputs, padded=("inputs", "padding_mask"), passes_mask=True, bfloat16_error=0.2
    )


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_equals_the_formula_in_float64(x, rotary, mask):
    layer = _layer(x, num_heads=2, position="rotary" if rotary else "absolute")
    weights = [np.float64(w) for w in layer.get_weights()[:4]]
    want = self_attention(np.float64(x), weights, 2, mask, rotary)
    np.testing.assert_allclose(to_numpy(layer(x, mask)), want, atol=1e-5)


@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_relative_positions_equal_the_formula_in_float64(x, mask):
    layer = _layer(x, num_heads=2, position="relative", relative_range=2)  # distances reach 4: some are clipped
    weights = [np.float64(w) for w in layer.get_weights()[:4]]
    want = self_attention(np.float64(x), weights, 2, mask, clip=2)
    np.testing.assert_allclose(to_numpy(layer(x, mask)), want, atol=1e-5)


def test_relative_positions_pass_the_check_of_every_layer(x):
    arguments = {"num_heads": 2, "position": "relative", "relative_range": 3, "bias": False}
    inputs = {"inputs": x, "padding_mask": MASK}
    check_layer(
        SelfAttention, arguments, inputs, padded=("inputs", "padding_mask"), passes_mask=True, bfloat16_error=0.2
    )


def test_relative_positions_work_beyond_their_range_and_in_a_network_of_open_length(x):
    layer = _layer(x, num_heads=2, position="relative", relative_range=1)
    inputs = keras.Input((None, 8))
    np.testing.assert_allclose(keras.Model(inputs, layer(inputs)).predict_on_batch(x), to_numpy(layer(x)), atol=1e-5)


def test_without_bias_equals_biases_of_zero(x):
    bare, full = _layer(x, num_heads=2, bias=False), _layer(x, num_heads=2)
    assert [weight.name for weight in bare.trainable_weights] == ["qkv_kernel", "output_kernel"]
    qkv, output = (to_numpy(weight) for weight in bare.trainable_weights)
    for weight, value in zip(full.trainable_weights, (qkv, np.zeros(24), output, np.zeros(8)), strict=True):
        weight.assign(value)
    np.testing.assert_array_equal(to_numpy(bare(x)), to_numpy(full(x)))


def test_an_unmasked_call_equals_a_mask_without_padding(x):
    layer = _layer(x, num_heads=2)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(layer(x, np.ones((2, 5), bool))))


def test_without_positions_the_order_of_tokens_does_not_matter(x):
    layer, order = _layer(x, num_heads=2), [3, 1, 4, 0, 2]
    np.testing.assert_allclose(to_numpy(layer(x[:, order])), to_numpy(layer(x))[:, order], atol=1e-5)


def test_rotary_scores_depend_on_distances_alone(x):
    # Two more tokens in front, hidden by the mask, move all others on by two.
    layer = _layer(x, num_heads=2, position="rotary")
    moved = np.concatenate([np.full((2, 2, 8), 9.0, "float32"), x], axis=1)
    mask = np.concatenate([np.zeros((2, 2), bool), MASK], axis=1)
    np.testing.assert_allclose(to_numpy(layer(moved, mask))[:, 2:], to_numpy(layer(x, MASK)), atol=1e-4)


def test_a_row_without_any_real_token_is_finite(x):
    layer = _layer(x, num_heads=2)
    assert np.isfinite(to_numpy(layer(x, np.zeros((2, 5), bool)))).all()


def test_dropout_acts_in_training_only(x):
    layer = _layer(x, num_heads=2, dropout=0.5, seed=1)
    still, again = to_numpy(layer(x, training=False)), to_numpy(layer(x))
    np.testing.assert_array_equal(still, again)
    assert np.abs(to_numpy(layer(x, training=True)) - still).max() > 0.1


def test_equal_seeds_give_equal_weights_and_other_seeds_others(x):
    first, second, third = (SelfAttention(2, seed=seed) for seed in (1, 1, 2))
    for layer in (first, second, third):
        layer.build(x.shape)
    np.testing.assert_array_equal(to_numpy(first.qkv_kernel), to_numpy(second.qkv_kernel))
    assert not np.array_equal(to_numpy(first.qkv_kernel), to_numpy(third.qkv_kernel))


def test_heads_that_do_not_divide_the_dimension_are_an_error(x):
    with pytest.raises(ValueError, match="num_heads=3 does not divide the hidden dimension 8"):
        SelfAttention(3)(x)


def test_rotary_heads_of_odd_size_are_an_error():
    with pytest.raises(ValueError, match="even head dimension, got 3"):
        SelfAttention(2, position="rotary")(keras.ops.zeros((1, 2, 6)))
