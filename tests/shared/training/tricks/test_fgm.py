import numpy as np
import pytest

from tests.shared.training.tricks.tables import TABLE, Reference, batch, engine, gradient, step, unit


def test_adds_the_gradient_where_the_table_was_moved_up_the_loss():
    one = engine(adversary="fgm", adversary_epsilon=0.5)
    of = Reference(one, batch())
    clean = gradient(of.loss, of.theta)
    moved = gradient(of.loss, of.moved(0.5 * unit(clean[TABLE])))
    assert np.linalg.norm(moved - clean) > 0.02
    loss, got = step(one, batch())
    assert loss == pytest.approx(of.loss(of.theta[None])[0], rel=1e-5)
    np.testing.assert_allclose(got, clean + moved, atol=2e-6)


def test_another_table_may_be_moved():
    one = engine(adversary="fgm", adversary_epsilon=0.5, adversary_on="position_embedding")
    of = Reference(one, batch())
    clean = gradient(of.loss, of.theta)
    first = sum(np.prod(shape) for shape in of.shapes[:2])
    place = slice(first, first + np.prod(of.shapes[2]))
    theta = of.theta.copy()
    theta[place] += 0.5 * unit(clean[place])
    np.testing.assert_allclose(step(one, batch())[1], clean + gradient(of.loss, theta), atol=2e-6)


def test_both_passes_have_the_same_dropout():
    one = engine(dropout=0.4, adversary="fgm", adversary_epsilon=0.5)
    of = Reference(one, batch())
    masks = of.masks()
    assert (masks == 0).any()
    clean = gradient(lambda theta: of.loss(theta, masks), of.theta)
    moved = gradient(lambda theta: of.loss(theta, masks), of.moved(0.5 * unit(clean[TABLE])))
    np.testing.assert_allclose(step(one, batch())[1], clean + moved, atol=2e-6)
