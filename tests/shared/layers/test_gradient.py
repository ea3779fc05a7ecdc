import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.gradient import plain_gradients, with_gradient
from tests.conftest import to_numpy
from tests.shared.layers.differentiate import differentiate

TENSORFLOW = keras.backend.backend() == "tensorflow"


@with_gradient
def product(x, y):
    """Returns x * y, with gradients that are not those of a product."""
    return x * y, lambda upstream: (10.0 * upstream, 20.0 * upstream)


def test_the_result_is_that_of_the_function(rng):
    x, y = rng.normal(size=(2, 3, 4)).astype("float32")
    np.testing.assert_allclose(to_numpy(product(x, y)), x * y, rtol=1e-6)


def test_the_gradient_is_the_one_written_by_hand_on_tensorflow_and_the_usual_one_elsewhere(rng):
    x, y, above = rng.normal(size=(3, 5)).astype("float32")
    _, gradients = differentiate(product, [x, y], above)
    wanted = (10 * above, 20 * above) if TENSORFLOW else (above * y, above * x)
    for got, want in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_gradient_passes_on_through_what_comes_before_and_after(rng):
    x, y, above = rng.normal(size=(3, 5)).astype("float32")
    _, gradients = differentiate(lambda x, y: 3.0 * product(2.0 * x, y), [x, y], above)
    wanted = (60 * above, 60 * above) if TENSORFLOW else (6 * above * y, 6 * above * x)
    for got, want in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


def test_the_gradient_written_by_hand_can_be_left_out(rng):
    x, y, above = rng.normal(size=(3, 5)).astype("float32")
    with plain_gradients():
        result, gradients = differentiate(product, [x, y], above)
    np.testing.assert_allclose(to_numpy(result), x * y, rtol=1e-6)
    for got, want in zip(gradients, (above * y, above * x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5)


class _Scaled(keras.layers.Layer):
    """Multiplies by a variable, given as it is."""

    def build(self, inputs_shape):
        self.scale = self.add_weight(name="scale", shape=inputs_shape[1:], initializer="ones")

    def call(self, inputs):
        return product(inputs[0], self.scale)[None]


def test_variables_may_be_arguments():
    layer = _Scaled()
    assert to_numpy(layer(np.full((1, 2), 3.0, "float32"))).tolist() == [[3.0, 3.0]]
    np.testing.assert_array_equal(to_numpy(product(np.float32([3, 4]), layer.scale)), [3.0, 4.0])


def test_variables_that_are_arguments_learn():
    model = keras.Sequential([keras.Input((2,)), _Scaled()])
    model.compile(keras.optimizers.SGD(0.1), loss=lambda targets, outputs: ops.sum(outputs))
    model.train_on_batch(np.full((1, 2), 3.0, "float32"), np.zeros((1, 2), "float32"))
    step = 20.0 if TENSORFLOW else 3.0
    np.testing.assert_allclose(to_numpy(model.trainable_weights[0]), np.full(2, 1 - 0.1 * step), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_variables_get_the_dtype_of_the_layer(dtype):
    got = _Scaled(dtype=f"mixed_{dtype}" if dtype == "bfloat16" else dtype)(np.ones((1, 2), "float32"))
    assert keras.backend.standardize_dtype(got.dtype) == dtype


def test_name_and_docstring_stay():
    assert product.__name__ == "product"
    assert product.__doc__.startswith("Returns x * y")
