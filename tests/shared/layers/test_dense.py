import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.dense import dense
from tests.shared.layers.differentiate import differentiate, rounded


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 3, 4), (2, 3, 2, 4)])
def test_value_and_gradients_equal_the_formula(shape, rng):
    x, kernel, bias, above = (rng.normal(size=size) for size in (shape, (4, 6), (6,), (*shape[:-1], 6)))
    got, gradients = differentiate(dense, [x, kernel, bias], above)
    np.testing.assert_allclose(got, x @ kernel + bias, atol=1e-5)
    np.testing.assert_allclose(gradients[0], above @ kernel.T, atol=1e-5)
    np.testing.assert_allclose(gradients[1], x.reshape(-1, 4).T @ above.reshape(-1, 6), atol=1e-5)
    np.testing.assert_allclose(gradients[2], above.reshape(-1, 6).sum(axis=0), atol=1e-5)


def test_gradients_equal_those_derived_from_the_formula(rng):
    arrays, above = [rng.normal(size=size) for size in ((4, 3, 5), (5, 6), (6,))], rng.normal(size=(4, 3, 6))
    (_, got), (_, want) = (differentiate(one, arrays, above) for one in (dense, lambda x, w, b: ops.matmul(x, w) + b))
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_without_a_bias_it_is_the_product(rng):
    x, kernel = rng.normal(size=(2, 3, 4)).astype("float32"), rng.normal(size=(4, 6)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(dense(x, kernel)), x @ kernel, atol=1e-5)


def test_bfloat16_is_right_to_within_rounding(rng):
    x, kernel, bias, above = (rounded(rng.normal(size=shape)) for shape in ((4, 5), (5, 6), (6,), (4, 6)))
    got, gradients = differentiate(dense, [x, kernel, bias], above, "bfloat16")
    np.testing.assert_allclose(got, x @ kernel + bias, rtol=1 / 64, atol=1 / 64)
    np.testing.assert_allclose(gradients[2], above.sum(axis=0), rtol=1 / 64, atol=1 / 64)


def test_the_gradient_of_the_bias_over_thousands_of_bfloat16_rows_is_right(rng):
    above = rounded(rng.uniform(0.0, 2.0, size=(32, 128, 8)))  # 4,096 rows; sums in bfloat16 would stop growing
    arrays = [np.zeros((32, 128, 3)), np.zeros((3, 8)), np.zeros(8)]
    _, (_, _, gradient) = differentiate(dense, arrays, above, "bfloat16")
    np.testing.assert_allclose(gradient, above.sum(axis=(0, 1)), rtol=0.01)


def test_the_dtype_stays():
    got = dense(*(ops.ones(shape, "bfloat16") for shape in ((2, 3), (3, 4), (4,))))
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
