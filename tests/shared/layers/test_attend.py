import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.attend import attend
from tests.conftest import to_numpy
from tests.shared.layers.differentiate import differences, differentiate, rounded

SHAPE = (2, 2, 5, 4)  # batch, heads, length, head_dim
NAMES = ("query", "key", "value")
HIDDEN = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 1, 1]], bool)  # keys
BIAS = np.where(HIDDEN, -1e9, 0.0)[:, None, None, :]


@pytest.fixture
def given(rng):
    """query, key, value and what the gradient of the result is."""
    return [rounded(part) for part in rng.normal(size=(4, *SHAPE))]


@pytest.fixture
def multiplier(rng):
    return np.where(rng.random((2, 2, 5, 5)) < 0.3, 0.0, 1.5)


def formula(query, key, value, bias=BIAS, multiplier=1.0):
    scores = query @ np.swapaxes(key, -1, -2) + bias
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    return (shares * multiplier) @ value


def plain(query, key, value, bias=BIAS, multiplier=1.0):
    scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) + ops.cast(bias, query.dtype)
    return ops.matmul(ops.softmax(scores, axis=-1) * ops.cast(multiplier, query.dtype), value)


def attended(given, multiplier=None, bias=BIAS, dtype="float32"):
    """Returns the result and the gradients of query, key and value."""
    *arguments, above = given

    def function(*parts):
        fixed = [None if x is None else ops.cast(x, dtype) for x in (bias, multiplier)]
        return attend(*parts, *fixed)

    return differentiate(function, arguments, above, dtype)


@pytest.mark.parametrize("dropped", [False, True])
def test_value_and_gradients_equal_the_formula_in_float64(given, multiplier, dropped):
    *arguments, above = given
    factor = multiplier if dropped else 1.0

    def function(*parts):
        return formula(*parts, multiplier=factor)

    got, gradients = attended(given, multiplier if dropped else None)
    np.testing.assert_allclose(got, function(*arguments), atol=1e-5)
    for name, one, other in zip(NAMES, gradients, differences(function, arguments, above), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("dropped", [False, True])
def test_gradients_equal_those_derived_from_the_formula(given, multiplier, dropped):
    *arguments, above = given
    factor = multiplier if dropped else 1.0
    want, wanted = differentiate(lambda *parts: plain(*parts, multiplier=factor), arguments, above)
    got, gradients = attended(given, multiplier if dropped else None)
    np.testing.assert_allclose(got, want, atol=1e-5)
    for name, one, other in zip(NAMES, gradients, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=name)


# Scores of about 4 and weights of at most 1.5 are rounded to 8 bits, results and gradients reach 5.
@pytest.mark.parametrize("dropped", [False, True])
def test_bfloat16_is_right_to_within_rounding(given, multiplier, dropped):
    *arguments, above = given
    factor = multiplier if dropped else 1.0
    got, gradients = attended(given, multiplier if dropped else None, dtype="bfloat16")

    def function(*parts):
        return formula(*parts, multiplier=factor)

    np.testing.assert_allclose(got, function(*arguments), atol=0.05)
    for name, one, other in zip(NAMES, gradients, differences(function, arguments, above), strict=True):
        np.testing.assert_allclose(one, other, atol=0.1, err_msg=name)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_hidden_keys_get_no_weight_and_no_gradient(given, multiplier, dropped, dtype):
    query, key, value, above = given
    factor = multiplier if dropped else None
    hidden = HIDDEN[:, None, :, None]
    got, gradients = attended(given, factor, dtype=dtype)
    moved = [query, np.where(hidden, 7.0, key), np.where(hidden, -9.0, value), above]
    np.testing.assert_array_equal(got, attended(moved, factor, dtype=dtype)[0])
    for gradient in gradients[1:]:
        assert not gradient[1, :, 3:].any()
        assert gradient[1, :, :3].any(axis=-1).all()


def test_a_row_without_any_visible_key_gets_the_mean(given):
    got, gradients = attended(given, bias=np.full((2, 1, 1, 5), -1e9))
    np.testing.assert_allclose(got, np.broadcast_to(given[2].mean(axis=2, keepdims=True), SHAPE), atol=1e-5)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_multiplier_of_ones_changes_nothing(given):
    (got, gradients), (want, wanted) = attended(given, np.ones((2, 2, 5, 5))), attended(given)
    np.testing.assert_allclose(got, want, atol=1e-6)
    for one, other in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_the_multiplier_drops_does_not_count(given):
    got, (*_, gradient) = attended(given, np.zeros((2, 2, 5, 5)))
    assert not got.any()
    assert not gradient.any()


def test_large_scores_do_not_overflow(given):
    query, key, value, above = given
    got, gradients = attended([100 * query, key, value, above])
    assert np.isfinite(got).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_shape_and_dtype_are_those_of_the_query():
    query = ops.ones(SHAPE, "bfloat16")
    got = attend(query, query, query, ops.zeros((2, 1, 1, 5), "bfloat16"))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    assert to_numpy(got).shape == SHAPE
