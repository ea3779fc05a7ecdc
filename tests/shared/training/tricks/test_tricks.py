import importlib

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from shared.errors import UserError
from shared.training.engine import Engine
from shared.training.hardware import Hardware
from shared.training.loss import Loss, total
from shared.training.settings import HardwareSettings
from shared.training.tricks.settings import TricksSettings
from shared.training.tricks.tricks import Tricks, tricks_of
from tests.conftest import to_numpy
from tests.shared.training import toy
from tests.shared.training.test_engine import assert_states
from tests.shared.training.tricks.tables import batch, engine, loss, network

TENSORFLOW = keras.backend.backend() == "tensorflow"
KINDS = {
    "fgm": {"adversary": "fgm"},
    "pgd": {"adversary": "pgd", "pgd_steps": 2},
    "gradient_penalty": {"adversary": "gradient_penalty"},
    "virtual": {"adversary": "virtual", "adversary_on": "position_embedding"},
    "r_drop": {"r_drop": 4.0},
}
SIX = [batch(6, seed) for seed in range(2)]


@pytest.fixture(scope="module", params=KINDS)
def trained(request):
    """(settings, engine, its states before two steps, between them and after, loss and norm of each step)"""
    one = engine(0.4, **KINDS[request.param])
    states, metrics = [one.state()], []
    for each in SIX:
        metrics.append([float(to_numpy(value)[0]) for value in one.run([each]).values()])
        states.append(one.state())
    return KINDS[request.param], one, states, metrics


def test_steps_do_not_depend_on_micro_batches_or_on_how_many_are_in_a_call(trained):
    settings, _, states, metrics = trained
    other = engine(0.4, **settings)
    other.micro_batches = 2
    got = np.transpose([to_numpy(value) for value in other.run(SIX).values()])
    np.testing.assert_allclose(got, metrics, rtol=1e-4)
    for group, arrays in other.state().items():
        for a, b in zip(arrays, states[-1][group], strict=True):
            np.testing.assert_allclose(a, b, atol=5e-5)


def test_a_state_goes_on_to_the_same_bytes(trained):
    _, one, states, _ = trained
    one.restore(states[1])
    one.run(SIX[1:])
    for group, arrays in one.state().items():
        assert [array.tobytes() for array in arrays] == [array.tobytes() for array in states[2][group]]


@pytest.mark.skipif(not TENSORFLOW, reason="JAX compiles always")
@pytest.mark.parametrize("kind", ["gradient_penalty", "virtual"])
def test_compiled_steps_are_the_same(kind):
    one = engine(0.4, **KINDS[kind])
    machine = Hardware("cpu", "float32", jit=True, backend="tensorflow")
    train = toy.train_settings(tricks=KINDS[kind], clip_norm=0.0)
    other = Engine(network(0.4), loss, train, HardwareSettings(), 10, machine)
    other.restore(one.state())
    for each in (one, other):
        each.run(SIX[:1])
    assert_states(other, one, atol=5e-5)


@pytest.mark.skipif(not TENSORFLOW, reason="JAX's programs have no operations to count before they are compiled")
def test_without_tricks_a_step_has_no_more_operations_than_loss_gradient_and_update():
    import tensorflow as tf

    steps = importlib.import_module("shared.training.steps_tensorflow")

    class Bare(steps.Steps):
        def _gradients(self, inputs, targets, weight, weights, key, micro_batches, *asked):
            _ = tf.shape(weight)[0] * 1 * 0  # where these rows are in the batch, which one device does not ask
            with steps.drawing(steps.Draws(key)), tf.GradientTape() as tape:
                loss = total(self._loss.sums(targets, self._network(inputs, training=True), weight), weights)
            zero = tf.UnconnectedGradients.ZERO
            return loss, [*map(tf.convert_to_tensor, tape.gradient(loss, self._weights, unconnected_gradients=zero))]

    def operations(kind):
        one = engine(0.4)
        made = kind(one.network, loss, one.optimizer, 1.0, 0, one.machine)
        graph = made._loop(SIX[0], 1, 1).get_concrete_function().graph
        return sorted(operation.type for operation in graph.get_operations())

    assert operations(steps.Steps) == operations(Bare)


def test_nothing_is_done_unless_asked_for():
    assert tricks_of(TricksSettings(), network(), Loss(loss.weights, loss.sums)) == Tricks()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("token_embeding", "Did you mean 'token_embedding'? Tables there are: token_embedding, segment_embedding, pos"),
        ("embed", "no embedding table 'embed'"),
    ],
)
def test_an_unknown_table_is_refused_with_those_there_are(name, said):
    settings = TricksSettings(adversary="fgm", adversary_on=name)
    with pytest.raises(UserError, match=said.replace("?", r"\?")):
        tricks_of(settings, network(), loss)


def test_a_table_that_this_network_lacks_is_refused():
    settings = TricksSettings(adversary="pgd", adversary_on="position_embedding")
    with pytest.raises(UserError, match="Tables there are: token_embedding, segment_embedding"):
        tricks_of(settings, network(positions=0), loss)
    with pytest.raises(UserError, match="Tables there are: none"):
        tricks_of(settings, toy.network(), loss)


def test_a_table_that_is_not_trained_is_refused():
    frozen = network()
    frozen.get_layer("embed").trainable = False
    with pytest.raises(UserError, match="trains no embedding table"):
        tricks_of(TricksSettings(adversary="fgm"), frozen, loss)


@pytest.mark.parametrize(("key", "settings"), [("r_drop", {"r_drop": 1.0}), ("virtual", {"adversary": "virtual"})])
def test_a_trick_that_compares_outputs_needs_a_divergence(key, settings):
    with pytest.raises(UserError, match=f"train.tricks.*{key}.*divergence"):
        tricks_of(TricksSettings(**settings), network(), toy.loss)


@pytest.mark.parametrize(
    "wrong",
    [{"adversary": "FGM"}, {"adversary_epsilon": 0.0}, {"pgd_steps": 0}, {"pgd_rate": 0.0}, {"r_drop": -1.0}],
    ids=str,
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValidationError):
        TricksSettings(**wrong)
