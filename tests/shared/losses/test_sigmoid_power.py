import math

import keras
import numpy as np
import pytest

from shared.losses.sigmoid_power import binary_cross_entropy
from tests.conftest import to_numpy

# |x| to 100: sigmoid(100) is 1 and sigmoid(-100) is below the smallest float32.
LOGITS = np.concatenate([np.linspace(-100, 100, 81), np.linspace(-4, 4, 33), [-1e4, 1e4]]).astype("float32")
POWERS = (1, 2, 3, 4, 7)


def exact(target: int, power: int) -> np.ndarray:
    """-log p or -log(1 - p) in float64, without cancellation: 1 - s ** n = -expm1(n log s)."""
    log_p = -power * np.logaddexp(0.0, -LOGITS.astype("float64"))
    if target:
        return -log_p
    with np.errstate(divide="ignore"):
        below_one = -np.log(-np.expm1(log_p))
    # From x = 30 on, 1 - s ** n = n exp(-x) to 13 digits, whereas log s has lost its own.
    return np.where(LOGITS > 30, LOGITS.astype("float64") - math.log(power), below_one)


def loss(target, power):
    targets = keras.ops.full(LOGITS.shape, target)
    return to_numpy(binary_cross_entropy(targets, keras.ops.convert_to_tensor(LOGITS), power))


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("target", [0, 1])
def test_the_loss_equals_the_definition_for_every_logit(target, power):
    got = loss(target, power)
    assert got.dtype == np.float32
    # Relative: float32. Absolute: -log(1 - p) is the difference of two numbers below 1 where p is small.
    np.testing.assert_allclose(got, exact(target, power), rtol=1e-5, atol=3e-7)


def test_worked_out_by_hand():
    # At x = 0 and power 2, p = 1/4: -log(1/4) and -log(3/4).
    zeros = keras.ops.zeros((2,))
    got = to_numpy(binary_cross_entropy(np.array([1, 0], "uint8"), zeros, 2))
    np.testing.assert_allclose(got, [math.log(4), math.log(4 / 3)], rtol=1e-6)


def test_a_soft_target_mixes_both_losses():
    got = to_numpy(binary_cross_entropy(np.array([0.25], "float32"), keras.ops.zeros((1,)), 2))
    np.testing.assert_allclose(got, [0.25 * math.log(4) + 0.75 * math.log(4 / 3)], rtol=1e-6)


@pytest.mark.parametrize("power", POWERS)
def test_the_gradient_is_finite_and_points_towards_the_target(power):
    class Shift(keras.layers.Layer):
        def build(self, shape):
            self.x = self.add_weight(name="x", shape=(len(LOGITS),), initializer="zeros")

        def call(self, inputs):
            return self.x + inputs

    inputs = keras.Input((len(LOGITS),))
    network = keras.Model(inputs, Shift()(inputs))
    for target, sign in ((0, -1), (1, 1)):
        network.layers[1].x.assign(np.zeros(len(LOGITS)))
        network.compile(
            keras.optimizers.SGD(1.0),
            loss=lambda y, logits: keras.ops.sum(binary_cross_entropy(y, logits, power), axis=-1),
        )
        network.train_on_batch(LOGITS[None], np.full((1, len(LOGITS)), target, "float32"))
        step = to_numpy(network.layers[1].x)
        assert np.isfinite(step).all()
        assert (step * sign >= -1e-6).all()
        assert np.abs(step).max() == pytest.approx(power if target else 1, rel=1e-3)


def test_a_power_below_one_is_an_error():
    with pytest.raises(ValueError, match="power must be 1 or more, got 0"):
        binary_cross_entropy(0.0, 0.0, 0)
