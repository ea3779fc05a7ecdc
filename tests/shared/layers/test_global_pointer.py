import json

import keras
import numpy as np
import pytest

from shared.layers.global_pointer import GlobalPointer
from tests.conftest import to_numpy
from tests.shared.layers.differentiate import differentiate
from tests.shared.layers.layer_check import randomize
from tests.shared.layers.reference import rotate_vector

HEADS, HEAD_DIM, BATCH, LENGTH, DIM = 3, 4, 2, 6, 5
MASK = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]], bool)
HIDDEN = np.float32(-1e9)


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(BATCH, LENGTH, DIM)).astype("float32")


def made(inputs, **changes):
    layer = GlobalPointer(HEADS, HEAD_DIM, **changes)
    layer(inputs, MASK)
    randomize(layer)
    return layer


def reference(layer, x, mask):
    """Token by token in float64; the rotated pairs are taken apart, first halves before second ones."""
    pair_kernel, pair_bias, head_kernel, head_bias = (np.float64(to_numpy(weight)) for weight in layer.weights)
    pair = np.float64(x) @ pair_kernel + pair_bias
    ends = (pair @ head_kernel + head_bias) / 2
    interleaved = [0, 2, 1, 3]  # place of each number of (0, 2), (1, 3) among the pairs (0, 1), (2, 3), and back
    result = np.full((len(x), HEADS, x.shape[1], x.shape[1]), -1e9)
    for b, h, i, j in np.ndindex(result.shape):
        if not (mask[b, i] and mask[b, j]) or (layer.triangular and j < i):
            continue
        query, key = pair[b, i, :HEAD_DIM][interleaved], pair[b, j, HEAD_DIM:][interleaved]
        if layer.rotary:
            query, key = rotate_vector(query, i), rotate_vector(key, j)
        result[b, h, i, j] = query @ key / np.sqrt(HEAD_DIM) + ends[b, i, h] + ends[b, j, HEADS + h]
    return result


@pytest.mark.parametrize("rotary", [True, False])
@pytest.mark.parametrize("triangular", [True, False])
def test_equals_the_formula_token_by_token(inputs, rotary, triangular):
    layer = made(inputs, rotary=rotary, triangular=triangular)
    got = to_numpy(layer(inputs, MASK))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(layer, inputs, MASK), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("triangular", [True, False])
def test_without_a_mask_every_token_is_real(inputs, triangular):
    layer = made(inputs, triangular=triangular)
    np.testing.assert_array_equal(to_numpy(layer(inputs)), to_numpy(layer(inputs, np.ones_like(MASK))))


def test_what_is_hidden_is_exactly_the_hidden_score(inputs):
    got = to_numpy(made(inputs * 100)(inputs * 100, MASK))
    ordered = np.triu(np.ones((LENGTH, LENGTH), bool))
    visible = MASK[:, :, None] & MASK[:, None, :] & ordered
    np.testing.assert_array_equal(got == HIDDEN, np.broadcast_to(~visible[:, None], got.shape))


def test_padding_changes_no_score(inputs):
    layer = made(inputs)
    want = to_numpy(layer(inputs, MASK))
    longer = np.pad(inputs, ((0, 0), (0, 3), (0, 0)), constant_values=9.0)
    got = to_numpy(layer(longer, np.pad(MASK, ((0, 0), (0, 3)))))
    np.testing.assert_allclose(got[..., :LENGTH, :LENGTH], want, atol=1e-5)
    assert (got[..., LENGTH:, :] == HIDDEN).all()
    assert (got[..., LENGTH:] == HIDDEN).all()


def test_the_scores_of_a_moved_text_stay_and_the_distance_counts(inputs):
    same = np.repeat(inputs[:, :1], LENGTH, axis=1)
    got = to_numpy(made(inputs)(same))[0, 0]
    np.testing.assert_allclose(np.diagonal(got, 2), got[0, 2], atol=1e-4)
    assert abs(got[0, 2] - got[0, 1]) > 1e-2
    plain = to_numpy(made(inputs, rotary=False)(same))[0, 0]
    np.testing.assert_allclose(plain[np.triu_indices(LENGTH)], plain[0, 0], atol=1e-5)


def test_the_factors_add_up_to_the_scores(inputs):
    layer = made(inputs, triangular=False)
    factors = to_numpy(layer(inputs, factored=True))
    products, start, end = np.split(factors, [LENGTH, LENGTH + HEADS], axis=1)
    assert (products.shape, start.shape, end.shape) == ((BATCH, LENGTH, LENGTH), *[(BATCH, HEADS, LENGTH)] * 2)
    got = products[:, None] + start[..., None] + end[:, :, None]
    np.testing.assert_allclose(got, to_numpy(layer(inputs)), rtol=1e-6, atol=1e-6)
    hidden = keras.Input((None, DIM))
    both = keras.Model(hidden, [layer(hidden), layer(hidden, factored=True)])
    np.testing.assert_allclose(both.predict_on_batch(inputs)[1], factors, rtol=1e-5, atol=1e-5)


def test_hidden_scores_give_no_gradient_and_no_nan(inputs):
    layer = made(inputs)
    visible = to_numpy(layer(inputs, MASK)) != HIDDEN
    hidden_only = (~visible).astype("float32")
    got = differentiate(lambda x: layer(x, MASK), [inputs], hidden_only)[1][0]
    np.testing.assert_array_equal(got, 0.0)
    got = differentiate(lambda x: layer(x, MASK), [inputs], np.ones_like(hidden_only))[1][0]
    assert np.isfinite(got).all()
    assert np.abs(got[0]).max() > 0.01


def test_it_can_be_rebuilt_from_its_config(inputs):
    layer = made(inputs, rotary=False, triangular=False, seed=7, name="pointer")
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    assert document["registered_name"] == "baseline_kit>GlobalPointer"
    copy = keras.saving.deserialize_keras_object(document)
    assert copy.get_config() == layer.get_config()
    copy(inputs, MASK)
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(to_numpy(copy(inputs, MASK)), to_numpy(layer(inputs, MASK)))


def test_equal_seeds_start_equally_and_others_otherwise(inputs):
    first, second, third = (GlobalPointer(HEADS, HEAD_DIM, seed=seed) for seed in (1, 1, 2))
    scores = [to_numpy(layer(inputs, MASK)) for layer in (first, second, third)]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])


def test_it_traces_with_open_batch_and_length_and_trains(inputs):
    hidden, mask = keras.Input((None, DIM)), keras.Input((None,), dtype="bool")
    layer = GlobalPointer(HEADS, HEAD_DIM, seed=0)
    output = layer(keras.layers.Dense(DIM)(hidden), mask)
    assert output.shape == (None, HEADS, None, None)
    assert keras.backend.standardize_dtype(output.dtype) == "float32"
    model = keras.Model([hidden, mask], output)
    model.compile(keras.optimizers.Adam(0.01), loss=lambda y, logits: keras.ops.sum(y * logits))
    before = [to_numpy(weight) for weight in model.trainable_weights]
    model.train_on_batch([inputs, MASK], np.ones((BATCH, HEADS, LENGTH, LENGTH), "float32"))
    assert not any(np.array_equal(a, to_numpy(b)) for a, b in zip(before, model.trainable_weights, strict=True))


def test_bfloat16_scores_are_float32_and_close(inputs):
    layer = made(inputs)
    low = GlobalPointer(HEADS, HEAD_DIM, dtype="mixed_bfloat16")
    low(inputs, MASK)
    low.set_weights(layer.get_weights())
    got, want = low(inputs, MASK), to_numpy(layer(inputs, MASK))
    assert keras.backend.standardize_dtype(got.dtype) == "float32"
    np.testing.assert_allclose(to_numpy(got), want, atol=0.2)  # scores of about 10, from numbers of 8 bits
    assert {str(weight.dtype) for weight in low.weights} == {"float32"}


def test_an_odd_head_dimension_is_an_error_with_rotary_positions_only():
    with pytest.raises(ValueError, match="even head dimension, got 5"):
        GlobalPointer(2, 5)
    assert GlobalPointer(2, 5, rotary=False).head_dim == 5
