import keras
import numpy as np
import pytest

from shared.layers.rotary_position import pairs_apart, rotate, rotations
from tests.conftest import to_numpy
from tests.shared.layers.reference import rotate_vector

APART = [0, 2, 4, 6, 1, 3, 5, 7]  # where the numbers of interleaved pairs are after `pairs_apart`


def test_equals_turning_interleaved_pairs_as_complex_numbers_once_they_are_taken_apart(rng):
    x = rng.normal(size=(2, 3, 7, 8)).astype("float32")
    want = np.empty(x.shape)
    for b, h, m in np.ndindex(2, 3, 7):
        want[b, h, m] = rotate_vector(np.float64(x[b, h, m]), m)
    np.testing.assert_allclose(to_numpy(rotate(x[..., APART])), want[..., APART], atol=1e-5)


def test_position_zero_is_left_as_it_is(rng):
    x = rng.normal(size=(2, 3, 1, 8)).astype("float32")
    np.testing.assert_array_equal(to_numpy(rotate(x)), x)


def test_lengths_of_vectors_stay(rng):
    x = rng.normal(size=(1, 2, 16, 4)).astype("float32")
    np.testing.assert_allclose(np.linalg.norm(to_numpy(rotate(x)), axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-5)


def test_the_base_sets_the_frequencies():
    x = np.zeros((1, 1, 2, 4), "float32")
    x[..., 1] = 1.0  # the second pair, of places 1 and 3, turns by base ** (-2 / 4) a step
    got = to_numpy(rotate(x, base=4.0))[0, 0, 1]
    np.testing.assert_allclose(got, [0, np.cos(0.5), 0, np.sin(0.5)], atol=1e-6)


def test_the_product_of_query_and_key_does_not_change_when_both_move(rng):
    rows = np.repeat(rng.normal(size=(2, 1, 1, 8)), 64, axis=2).astype("float32")
    queries, keys = to_numpy(rotate(rows))[:, 0]  # the same vector at each of 64 positions
    for distance in (0, 1, 5):
        products = [queries[m] @ keys[m + distance] for m in range(64 - distance)]
        np.testing.assert_allclose(products, products[0], atol=1e-4)  # angles up to 64 carry float32 errors of 4e-6


def test_the_product_of_query_and_key_changes_when_one_moves(rng):
    rows = np.repeat(rng.normal(size=(2, 1, 1, 8)), 4, axis=2).astype("float32")
    queries, keys = to_numpy(rotate(rows))[:, 0]
    assert abs(queries[0] @ keys[0] - queries[0] @ keys[3]) > 0.1


def test_heads_and_rows_turn_alike(rng):
    x = np.tile(rng.normal(size=(1, 1, 5, 4)), (2, 3, 1, 1)).astype("float32")
    got = to_numpy(rotate(x))
    np.testing.assert_array_equal(got, np.broadcast_to(got[:1, :1], got.shape))


def test_the_dtype_stays():
    got = rotate(keras.ops.ones((1, 2, 3, 4), dtype="bfloat16"))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"


def test_angles_are_float32_for_bfloat16_vectors():
    # Position 301 is no bfloat16 number (300 and 302 are); a pair turned by it must not be turned by its neighbour.
    x = np.zeros((1, 1, 302, 2), "float32")
    x[..., 0] = 1.0
    got = to_numpy(rotate(keras.ops.cast(x, "bfloat16")))[0, 0, 301]
    np.testing.assert_allclose(got, [np.cos(301), np.sin(301)], atol=0.01)


def test_an_odd_head_dimension_is_an_error():
    with pytest.raises(ValueError, match="even head dimension, got 5"):
        rotate(np.zeros((1, 1, 2, 5), "float32"))


@pytest.mark.parametrize("rows", [(), (5,)])
def test_taking_pairs_apart_reorders_each_head_of_queries_and_keys_and_leaves_values(rows):
    columns = np.broadcast_to(np.arange(48, dtype="float32"), (*rows, 48))  # query, key, value; two heads of 8
    first = np.array(APART)
    want = np.concatenate([first, 8 + first, 16 + first, 24 + first, np.arange(32, 48)])
    np.testing.assert_array_equal(to_numpy(pairs_apart(columns, 2)), np.broadcast_to(want, columns.shape))


def test_taking_pairs_apart_does_not_change_products_of_queries_and_keys(rng):
    weight, x = rng.normal(size=(6, 48)).astype("float32"), rng.normal(size=(7, 6)).astype("float32")

    def products(weight):
        query, key, _ = np.split((x @ weight).reshape(7, 6, 8), 3, axis=1)  # each (length, heads, head_dim)
        return np.einsum("mhd,nhd->hmn", query, key)

    np.testing.assert_allclose(products(to_numpy(pairs_apart(weight, 2))), products(weight), rtol=1e-4, atol=1e-4)


def test_rotating_pairs_taken_apart_gives_the_products_of_interleaved_pairs(rng):
    weight, x = rng.normal(size=(6, 24)).astype("float32"), rng.normal(size=(5, 6)).astype("float32")
    interleaved, apart = x @ weight, x @ to_numpy(pairs_apart(weight, 1))  # one head of 8
    query, key = (
        [rotate_vector(np.float64(row), m) for m, row in enumerate(interleaved[:, at : at + 8])] for at in (0, 8)
    )
    got = to_numpy(rotate(np.stack([apart[:, :8], apart[:, 8:16]])[:, None]))[:, 0]  # (2, length, head_dim)
    np.testing.assert_allclose(got[0] @ got[1].T, np.array(query) @ np.array(key).T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(18,), (4, 18)])
def test_taking_pairs_of_an_odd_head_dimension_apart_is_an_error(shape):
    with pytest.raises(ValueError, match="even head dimension, got 3"):
        pairs_apart(np.zeros(shape, "float32"), 2)


def test_the_rotation_matrices_do_what_rotate_does(rng):
    x = rng.normal(size=(2, 3, 7, 8)).astype("float32")  # (batch, num_heads, length, head_dim)
    by_token = x.transpose(0, 2, 1, 3) @ to_numpy(rotations(7, 8, "float32"))
    np.testing.assert_allclose(by_token.transpose(0, 2, 1, 3), to_numpy(rotate(x)), atol=1e-5)
