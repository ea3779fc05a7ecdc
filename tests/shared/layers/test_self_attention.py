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
    arguments = {"num_heads": 2, "rotary": True, "dropout": 0.2, "initializer_range": 0.1, "seed": 3}
    inputs = {"inputs": x, "padding_mask": MASK}
    check_layer(
        SelfAttention, arguments, inputs, padded=("inputs", "padding_mask"), passes_mask=True, bfloat16_error=0.2
    )


@pytest.mark.parametrize("rotary", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["unmasked", "masked"])
def test_equals_the_formula_in_float64(x, rotary, mask):
    layer = _layer(x, num_heads=2, rotary=rotary)
    weights = [np.float64(w) for w in layer.get_weights()[:4]]
    want = self_attention(np.float64(x), weights, 2, mask, rotary)
    np.testing.assert_allclose(to_numpy(layer(x, mask)), want, atol=1e-5)


def test_an_unmasked_call_equals_a_mask_without_padding(x):
    layer = _layer(x, num_heads=2)
    np.testing.assert_array_equal(to_numpy(layer(x)), to_numpy(layer(x, np.ones((2, 5), bool))))


def test_without_positions_the_order_of_tokens_does_not_matter(x):
    layer, order = _layer(x, num_heads=2), [3, 1, 4, 0, 2]
    np.testing.assert_allclose(to_numpy(layer(x[:, order])), to_numpy(layer(x))[:, order], atol=1e-5)


def test_rotary_scores_depend_on_distances_alone(x):
    # Two more tokens in front, hidden by the mask, move all others on by two.
    layer = _layer(x, num_heads=2, rotary=True)
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
        SelfAttention(2, rotary=True)(keras.ops.zeros((1, 2, 6)))
