import numpy as np
import pytest

from shared.layers.draws import step_key
from shared.training.tricks.virtual_adversarial import _noise
from tests.conftest import to_numpy
from tests.shared.training.tricks.tables import DIM, TABLE, WORDS, Reference, batch, engine, gradient, step, unit


def test_the_gradient_is_that_of_loss_plus_divergence_at_the_worst_offset():
    one = engine(adversary="virtual", adversary_epsilon=0.5, virtual_weight=2.0, virtual_start=0.3)
    of = Reference(one, batch())
    clean = of.log_p(of.theta[None])

    def divergence(offset):
        return lambda theta: of.divergence(clean, of.log_p(theta + (of.moved(offset) - of.theta)))

    noise = 0.3 * np.float64(to_numpy(_noise(step_key(0, 0), (WORDS, DIM)))).ravel()
    offset = 0.5 * unit(gradient(divergence(noise), of.theta)[TABLE])
    wanted = gradient(divergence(offset), of.theta)
    assert np.linalg.norm(wanted) > 0.02
    loss, got = step(one, batch())
    assert loss == pytest.approx(of.loss(of.theta[None])[0], rel=1e-5)
    np.testing.assert_allclose(got, gradient(of.loss, of.theta) + 2.0 * wanted, atol=3e-6)


def test_with_dropout_only_the_offset_tells_the_passes_apart():
    one = engine(dropout=0.4, adversary="virtual", adversary_epsilon=1e-4, virtual_weight=1.0)
    of = Reference(one, batch())
    want = gradient(lambda theta: of.loss(theta, of.masks()), of.theta)
    np.testing.assert_allclose(step(one, batch())[1], want, atol=2e-5)


def test_the_noise_is_around_zero_with_rows_of_length_one_and_another_one_in_each_step():
    one, other = (to_numpy(_noise(step_key(0, number), (400, 64))) for number in (0, 1))
    assert abs(one.mean()) < 1e-3
    assert (one**2).sum(axis=1).mean() == pytest.approx(1.0, rel=0.02)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02
