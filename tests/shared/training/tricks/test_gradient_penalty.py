import keras
import numpy as np
import pytest
from keras import ops

from shared.errors import UserError
from shared.training.tricks.settings import TricksSettings
from shared.training.tricks.tricks import Tricks, tricks_of
from shared.training.tricks.whole_batch import added, direction
from tests.conftest import to_numpy
from tests.shared.training import test_engine
from tests.shared.training.tricks.tables import STEP, TABLE, Reference, batch, engine, gradient, loss, network, step


def test_the_gradient_is_that_of_loss_plus_penalty():
    one = engine(adversary="gradient_penalty", adversary_epsilon=3.0)
    of = Reference(one, batch())
    size, table = len(of.theta), TABLE.stop

    def penalties(thetas):
        steps = thetas[:, None] + 1j * STEP * np.eye(table, size)
        slopes = of.loss(steps.reshape(-1, size)).imag.reshape(-1, table) / STEP
        return 1.5 * (slopes**2).sum(axis=1)

    ahead, behind = (penalties(of.theta + sign * 1e-4 * np.eye(size)) for sign in (1, -1))
    penalty = (ahead - behind) / 2e-4
    assert np.linalg.norm(penalty) > 0.02
    loss, got = step(one, batch())
    assert loss == pytest.approx(of.loss(of.theta[None])[0], rel=1e-5)
    np.testing.assert_allclose(got, gradient(of.loss, of.theta) + penalty, atol=2e-6)


def test_second_derivatives_of_an_encoder_with_dropout_are_those_of_finite_differences():
    one = test_engine.of_pairs(recompute=False)
    weights, rng = one.network.trainable_variables, np.random.default_rng(1)
    table = next(i for i, variable in enumerate(weights) if variable.name == "token_embedding")
    for variable in weights:  # far from the start, where attention is flat
        variable.assign(to_numpy(variable) + rng.normal(0.0, 0.3, variable.shape))

    def difference(batch, objective, h=0.01):
        """Has the engine report the norms of what was derived, as loss, and of how far it is from the quotient."""
        along = direction(batch.gradient(objective)[1][table])
        slope = batch.gradient_of_slope(objective, along)
        ahead, behind = (batch.gradient(objective, sign * h * along)[1] for sign in (1.0, -1.0))
        quotient = [(a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True)]
        return ops.sqrt(sum(ops.sum(ops.square(part)) for part in slope)), added(slope, quotient, -1.0)

    one._steps._tricks = Tricks(adversary=difference, table_name="token_embedding", table=table)
    metrics = one.run([test_engine.PAIRS])
    size, error = (float(to_numpy(metrics[name])[0]) for name in ("loss", "norm"))
    assert size > 1.0
    assert error < 0.005 * size


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX recomputes under any derivative")
def test_recomputation_is_refused_where_the_backend_derives_it_only_once():
    with pytest.raises(UserError, match=r"hardware\.recompute"):
        tricks_of(TricksSettings(adversary="gradient_penalty"), network(), loss, recompute=True)
