import math

import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.gelu import gelu
from tests.conftest import to_numpy
from tests.shared.layers import reference
from tests.shared.layers.differentiate import differentiate, rounded

X = np.linspace(-9.0, 9.0, 145).reshape(5, 29)


def slope(x):
    """The derivative in float64: P(X <= x) + x times the density at x."""
    below = np.vectorize(lambda v: 0.5 * (1 + math.erf(v / math.sqrt(2))))(x)
    return below + x * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def test_value_and_gradient_equal_the_formula_in_float64(rng):
    above = rng.normal(size=X.shape)
    got, (gradient,) = differentiate(gelu, [X], above)
    np.testing.assert_allclose(got, reference.gelu(X), atol=1e-5)
    np.testing.assert_allclose(gradient, above * slope(X), atol=1e-5)


def test_the_gradient_equals_the_one_derived_from_the_formula(rng):
    above = rng.normal(size=X.shape)
    (_, (got,)), (_, (want,)) = (
        differentiate(function, [X], above) for function in (gelu, lambda x: keras.activations.gelu(x, False))
    )
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_bfloat16_is_right_to_within_rounding(rng):
    x, above = rounded(X), rounded(rng.normal(size=X.shape))
    got, (gradient,) = differentiate(gelu, [x], above, "bfloat16")
    np.testing.assert_allclose(got, reference.gelu(x), rtol=1 / 256, atol=1e-6)  # computed in float32, rounded once
    np.testing.assert_allclose(gradient, above * slope(x), rtol=1 / 64, atol=1e-5)  # a product of rounded numbers


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_dtype_stays(dtype):
    assert keras.backend.standardize_dtype(gelu(ops.ones((2, 3), dtype)).dtype) == dtype


def test_far_from_zero_it_is_zero_or_the_identity_and_finite():
    x = np.array([-1e30, -100.0, 0.0, 100.0, 1e30], "float32")
    got, (gradient,) = differentiate(gelu, [x], np.ones(5))
    np.testing.assert_array_equal(got, np.maximum(x, 0))
    np.testing.assert_allclose(gradient, [0, 0, 0.5, 1, 1])
    np.testing.assert_array_equal(to_numpy(gelu(x)), got)
