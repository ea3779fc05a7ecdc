import numpy as np
import pytest

from shared.training.tricks.pgd import within
from tests.conftest import to_numpy
from tests.shared.training.tricks.tables import TABLE, Reference, batch, engine, gradient, step, unit


@pytest.mark.parametrize("epsilon", [0.5, 5.0])  # of which the first is reached, the second not
def test_adds_the_gradient_at_the_end_of_projected_steps_up_the_loss(epsilon):
    one = engine(adversary="pgd", adversary_epsilon=epsilon, pgd_steps=3, pgd_rate=0.3)
    of = Reference(one, batch())
    offset = np.zeros(TABLE.stop)
    for _ in range(3):
        offset = offset + 0.3 * unit(gradient(of.loss, of.moved(offset))[TABLE])
        offset = offset * min(1.0, epsilon / np.linalg.norm(offset))
    assert (np.linalg.norm(offset) < 0.99 * epsilon) == (epsilon > 1)
    loss, got = step(one, batch())
    assert loss == pytest.approx(of.loss(of.theta[None])[0], rel=1e-5)
    np.testing.assert_allclose(got, gradient(of.loss, of.theta) + gradient(of.loss, of.moved(offset)), atol=3e-6)


def test_one_step_as_long_as_epsilon_is_fgm():
    one = engine(adversary="pgd", adversary_epsilon=0.5, pgd_steps=1, pgd_rate=0.5)
    np.testing.assert_allclose(
        step(one, batch())[1], step(engine(adversary="fgm", adversary_epsilon=0.5), batch())[1], atol=1e-6
    )


@pytest.mark.parametrize(("offset", "want"), [([3, 4], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4]), ([0, 0], [0, 0])])
def test_what_is_too_long_is_shortened(offset, want):
    np.testing.assert_allclose(to_numpy(within(np.float32(offset), 1.0)), want, rtol=1e-6)
