import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.bias import add_bias
from tests.shared.layers.differentiate import differentiate, rounded


@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 3, 6), (2, 3, 2, 6)])
def test_value_and_gradients_equal_the_formula(shape, rng):
    x, bias, above = rng.normal(size=shape), rng.normal(size=6), rng.normal(size=shape)
    got, gradients = differentiate(add_bias, [x, bias], above)
    np.testing.assert_allclose(got, x + bias, atol=1e-5)
    np.testing.assert_allclose(gradients[0], above, atol=1e-6)
    np.testing.assert_allclose(gradients[1], above.reshape(-1, 6).sum(axis=0), atol=1e-5)


def test_gradients_equal_those_derived_from_the_formula(rng):
    x, bias, above = rng.normal(size=(4, 3, 6)), rng.normal(size=6), rng.normal(size=(4, 3, 6))
    (_, got), (_, want) = (differentiate(one, [x, bias], above) for one in (add_bias, lambda x, bias: x + bias))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_bfloat16_is_right_to_within_rounding(rng):
    x, bias, above = (rounded(rng.normal(size=shape)) for shape in ((4, 6), (6,), (4, 6)))
    got, gradients = differentiate(add_bias, [x, bias], above, "bfloat16")
    np.testing.assert_allclose(got, x + bias, rtol=1 / 256)
    np.testing.assert_array_equal(gradients[0], above)
    np.testing.assert_allclose(gradients[1], above.sum(axis=0), rtol=1 / 64)


def test_the_gradient_of_the_bias_over_thousands_of_bfloat16_rows_is_right(rng):
    above = rounded(rng.uniform(0.0, 2.0, size=(32, 128, 8)))  # 4,096 rows; sums in bfloat16 would stop growing
    _, (_, gradient) = differentiate(add_bias, [np.zeros(above.shape), np.zeros(8)], above, "bfloat16")
    np.testing.assert_allclose(gradient, above.sum(axis=(0, 1)), rtol=0.01)


def test_the_dtype_stays():
    got = add_bias(ops.ones((2, 3), "bfloat16"), ops.ones((3,), "bfloat16"))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
