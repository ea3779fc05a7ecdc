import keras
import numpy as np
import pytest

from shared.layers.rotary_position import rotate
from tests.conftest import to_numpy
from tests.shared.layers.reference import rotate_vector


def test_equals_turning_interleaved_pairs_as_complex_numbers(rng):
    x = rng.normal(size=(2, 7, 3, 8)).astype("float32")
    want = np.empty(x.shape)
    for b, m, h in np.ndindex(2, 7, 3):
        want[b, m, h] = rotate_vector(np.float64(x[b, m, h]), m)
    np.testing.assert_allclose(to_numpy(rotate(x)), want, atol=1e-5)


def test_position_zero_is_left_as_it_is(rng):
    x = rng.normal(size=(2, 1, 3, 8)).astype("float32")
    np.testing.assert_array_equal(to_numpy(rotate(x)), x)


def test_lengths_of_vectors_stay(rng):
    x = rng.normal(size=(1, 16, 2, 4)).astype("float32")
    np.testing.assert_allclose(np.linalg.norm(to_numpy(rotate(x)), axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)


def test_the_base_sets_the_frequencies():
    x = np.zeros((1, 2, 1, 4), "float32")
    x[..., 2] = 1.0  # the second pair turns by base ** (-2 / 4) a step
    got = to_numpy(rotate(x, base=4.0))[0, 1, 0]
    np.testing.assert_allclose(got, [0, 0, np.cos(0.5), np.sin(0.5)], atol=1e-6)


def test_the_product_of_query_and_key_does_not_change_when_both_move(rng):
    query, key = rng.normal(size=(2, 8)).astype("float32")
    rows = np.zeros((2, 64, 1, 8), "float32")
    rows[0], rows[1] = query, key
    queries, keys = to_numpy(rotate(rows))[:, :, 0]  # the same vector at each of 64 positions
    for distance in (0, 1, 5):
        products = [queries[m] @ keys[m + distance] for m in range(64 - distance)]
        np.testing.assert_allclose(products, products[0], atol=1e-4)  # angles up to 64 carry float32 errors of 4e-6


def test_the_product_of_query_and_key_changes_when_one_moves(rng):
    rows = np.repeat(rng.normal(size=(2, 1, 1, 8)), 4, axis=1).astype("float32")
    queries, keys = to_numpy(rotate(rows))[:, :, 0]
    assert abs(queries[0] @ keys[0] - queries[0] @ keys[3]) > 0.1


def test_the_dtype_stays():
    got = rotate(keras.ops.ones((1, 3, 2, 4), dtype="bfloat16"))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"


def test_angles_are_float32_for_bfloat16_vectors():
    # Position 301 is no bfloat16 number (300 and 302 are); a pair turned by it must not be turned by its neighbour.
    x = np.zeros((1, 302, 1, 2), "float32")
    x[..., 0] = 1.0
    got = to_numpy(rotate(keras.ops.cast(x, "bfloat16")))[0, 301, 0]
    np.testing.assert_allclose(got, [np.cos(301), np.sin(301)], atol=0.01)


def test_an_odd_head_dimension_is_an_error():
    with pytest.raises(ValueError, match="even head dimension, got 5"):
        rotate(np.zeros((1, 2, 1, 5), "float32"))
