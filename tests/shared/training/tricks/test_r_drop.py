import numpy as np
import pytest

from tests.shared.training.tricks.tables import TABLE, Reference, batch, engine, gradient, step, unit


def objective(of, alpha):
    first, second = of.masks(), of.masks(2**31)
    assert (first != second).mean() > 0.3

    def function(theta):
        p, q = (of.log_p(theta, masks) for masks in (first, second))
        return (of.loss(theta, first) + of.loss(theta, second) + alpha * of.divergence(p, q)) / 2

    return function


def test_the_gradient_is_that_of_both_losses_and_their_divergence():
    one = engine(dropout=0.4, r_drop=4.0)
    of = Reference(one, batch())
    loss, got = step(one, batch())
    assert loss == pytest.approx(of.loss(of.theta[None], of.masks())[0], rel=1e-5)
    np.testing.assert_allclose(got, gradient(objective(of, 4.0), of.theta), atol=3e-6)


def test_an_adversary_works_on_the_whole_objective():
    one = engine(dropout=0.4, r_drop=4.0, adversary="fgm", adversary_epsilon=0.3)
    of = Reference(one, batch())
    clean = gradient(objective(of, 4.0), of.theta)
    moved = gradient(objective(of, 4.0), of.moved(0.3 * unit(clean[TABLE])))
    np.testing.assert_allclose(step(one, batch())[1], clean + moved, atol=3e-6)


def test_without_dropout_it_changes_nothing():
    np.testing.assert_allclose(step(engine(r_drop=4.0), batch())[1], step(engine(), batch())[1], atol=1e-6)
