import dataclasses
import math
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest

from shared.arrays import Ragged, Split
from shared.errors import UserError
from shared.training.batches import Planned
from shared.training.checkpoint import Checkpoints, values
from shared.training.distribution import Distribution
from shared.training.engine import Engine
from shared.training.epoch import train_epoch
from shared.training.fit import Progress, averaged_weights, fit
from shared.training.guards import TrainingStopped
from shared.training.interruption import Interrupted
from shared.training.loss import Loss
from shared.training.settings import HardwareSettings
from tests.conftest import to_numpy
from tests.shared.training import toy
from tests.shared.training.steps import MACHINE, engine_of

SCORES = [0.2, 0.5, 0.4]
STATEFUL = {"dropout": 0.4, "ema_momentum": 0.9}


class Killed(Exception):
    """Stands for whatever ends a run from outside."""


def killed():
    raise Killed


def told_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)
    raise AssertionError("validation went on")


def run(
    network=None,
    scores=None,
    *,
    checkpoints=None,
    kill_at=None,
    kill=killed,
    seen=None,
    loss=toy.loss,
    train=None,
    **settings,
):
    """Trains the toy; `scores`: the figure of each epoch; `kill` is called by the validation of epoch `kill_at`.

    Returns the network and the progress.
    """
    network = network or toy.network(settings.pop("dropout", 0.0))
    train = train or toy.split()
    settings = toy.train_settings(**settings)
    scores = list(scores or range(settings.epochs))
    epochs = iter(range(1, settings.epochs + 1))

    def validate():
        epoch = next(epochs)
        if epoch == kill_at:
            kill()
        if seen is not None:
            seen.append(values(network.trainable_variables))
        return {"f1": float(scores.pop(0)), "f1_a": 0.5}

    engine = engine_of(network, loss, settings, settings.epochs * math.ceil(train.rows / settings.batch_size))
    progress = fit(
        engine,
        toy.feed(train),
        settings,
        validate=validate,
        select_by="f1",
        checkpoints=checkpoints and Checkpoints(checkpoints, "0" * 16),
        show=False,
    )
    return network, progress


def assert_equal(got, want) -> None:
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def assert_same(got, want) -> None:
    """Equal but for what the guards remember."""
    for name in ("epoch", "history", "best_epoch", "best_score", "totals"):
        assert getattr(got, name) == getattr(want, name)


def weights(network) -> list[np.ndarray]:
    return values(network.trainable_variables)


def test_a_separable_task_is_learned():
    network, progress = run(epochs=6)
    losses = [row["loss"] for row in progress.history]
    assert losses[-1] < 0.5 * losses[0]
    data = toy.split(seed=1)
    token_ids = data.ragged("token_ids").padded(np.arange(data.rows), 16)
    logits = to_numpy(network({"token_ids": token_ids})["logits"])
    assert (logits.argmax(-1) == data.dense("label")).mean() > 0.9


def test_the_history_has_a_row_an_epoch_with_all_figures():
    _, progress = run(scores=[0.1, 0.3, 0.2], epochs=3, final_rate=0.0)
    assert [row["epoch"] for row in progress.history] == [1, 2, 3]
    assert [row["f1"] for row in progress.history] == [0.1, 0.3, 0.2]
    assert list(progress.history[0]) == ["epoch", "loss", "learning_rate", "f1", "f1_a"]
    rates = [row["learning_rate"] for row in progress.history]
    assert 0.05 > rates[0] > rates[1] > rates[2] >= 0.0
    assert (progress.epoch, progress.best_epoch, progress.best_score) == (3, 2, 0.3)


@pytest.mark.parametrize(
    ("scores", "best", "ema"), [([0.1, 0.2, 0.3], 3, 0.0), ([0.0, 0.0, 0.0], 1, 0.0), ([0.1, 0.9, 0.5], 2, 0.9)]
)
def test_the_weights_of_the_best_epoch_stay_and_of_equal_ones_the_first(scores, best, ema):
    seen = []
    network, progress = run(scores=scores, epochs=3, ema_momentum=ema, seen=seen)
    assert progress.best_epoch == best
    assert_equal(weights(network), seen[best - 1])
    assert any((a != b).any() for a, b in zip(seen[0], seen[2], strict=True))


@pytest.mark.parametrize("first_widths", [(8, 8, 16), (16, 16, 8), (8, 16, 16)])
def test_the_widths_of_the_batches_may_come_in_any_order(monkeypatch, first_widths):
    """Keras takes the shape of all batches from the first two."""
    from shared.training import fit as module

    data = Split(
        {"token_ids": Ragged.of([[1] * width for width in first_widths], np.uint16), "label": np.zeros(3, np.int32)}
    )
    in_order = [Planned(np.array([row]), width, 1) for row, width in enumerate(first_widths)]
    monkeypatch.setattr(module, "training_batches", lambda *_: list(in_order))
    assert run(train=data, epochs=1, batch_size=1)[1].epoch == 1


def test_equal_settings_give_equal_runs_and_another_seed_another_order():
    (first, a), (again, b), (other, c) = (run(epochs=1, dropout=0.3, seed=seed) for seed in (0, 0, 1))
    assert_equal(weights(first), weights(again))
    assert_same(a, b)
    assert a.history != c.history
    assert any((x != y).any() for x, y in zip(weights(first), weights(other), strict=True))


@pytest.fixture(scope="module")
def unbroken():
    """A run with all that has a state: dropout, the average, the optimizer, the order of the rows."""
    network, progress = run(scores=SCORES, epochs=3, **STATEFUL)
    return values(network.variables), progress


@pytest.mark.parametrize("kill_at", [1, 2, 3])
def test_a_run_killed_and_started_again_ends_as_if_unbroken(tmp_path, unbroken, kill_at):
    with pytest.raises(Killed):
        run(scores=SCORES, epochs=3, checkpoints=tmp_path, kill_at=kill_at, **STATEFUL)
    network, progress = run(scores=SCORES[kill_at - 1 :], epochs=3, checkpoints=tmp_path, **STATEFUL)
    assert_same(progress, unbroken[1])
    assert_equal(values(network.variables), unbroken[0])


@pytest.mark.parametrize("kill_at", [1, 3, 5, 9])
def test_a_run_told_to_stop_saves_its_state_and_ends_as_if_unbroken(tmp_path, unbroken, monkeypatch, kill_at):
    """4 steps an epoch; SIGTERM comes while a step is taken."""
    steps, original = iter(range(1, 100)), Engine.run

    def told(self, batches):
        if next(steps) == kill_at:
            signal.raise_signal(signal.SIGTERM)
        return original(self, batches)

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "run", told)
        with pytest.raises(Interrupted, match=f"stopped by SIGTERM after step {kill_at}; the state is saved"):
            run(scores=SCORES, epochs=3, checkpoints=tmp_path, **STATEFUL)
    network, progress = run(scores=SCORES[(kill_at - 1) // 4 :], epochs=3, checkpoints=tmp_path, **STATEFUL)
    assert_same(progress, unbroken[1])
    assert_equal(values(network.variables), unbroken[0])


@pytest.mark.parametrize("kill_at", [1, 3])
def test_a_signal_breaks_validation_off_and_the_state_before_it_is_saved(tmp_path, unbroken, kill_at):
    network = toy.network(STATEFUL["dropout"])
    with pytest.raises(Interrupted, match=f"stopped by SIGTERM after step {4 * kill_at}; the state is saved"):
        run(network, SCORES, epochs=3, checkpoints=tmp_path, kill_at=kill_at, kill=told_to_stop, ema_momentum=0.9)
    state = Checkpoints(tmp_path, "0" * 16).load(print)
    assert (state.step, state.progress["epoch"], state.progress["totals"]["batches"]) == (4 * kill_at, kill_at - 1, 4)
    assert_equal(state.groups["network"], values(network.variables))
    network, progress = run(scores=SCORES[kill_at - 1 :], epochs=3, checkpoints=tmp_path, **STATEFUL)
    assert_same(progress, unbroken[1])
    assert_equal(values(network.variables), unbroken[0])


def test_the_order_of_batches_does_not_depend_on_the_devices(monkeypatch):
    class Two(Distribution):
        shared, replicas = True, 2

    def rows(distribution):
        taken = []
        monkeypatch.setattr(
            "shared.training.fit.train_epoch", lambda engine, feed, batches, *_, **__: taken.extend(batches)
        )
        machine, settings = dataclasses.replace(MACHINE, distribution=distribution), toy.train_settings(batch_size=2)
        engine = Engine(toy.network(), toy.loss, settings, HardwareSettings(steps_per_execution=4), 60, machine)
        validate = iter(range(9)).__next__
        fit(engine, toy.feed(toy.split()), settings, validate=lambda: {"f1": validate()}, select_by="f1", show=False)
        return [batch.rows.tolist() for batch in taken]

    assert rows(Two()) == rows(Distribution())


def test_a_finished_run_started_again_trains_no_more(tmp_path):
    want, first = run(epochs=1, checkpoints=tmp_path)
    seen = []
    got, again = run(epochs=1, checkpoints=tmp_path, seen=seen)
    assert_same(again, first)
    assert seen == []
    assert_equal(weights(got), weights(want))


def test_a_damaged_checkpoint_starts_the_run_anew(tmp_path, unbroken):
    (tmp_path / "step-00000004.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    network, progress = run(scores=SCORES, epochs=3, checkpoints=tmp_path, **STATEFUL)
    assert_same(progress, unbroken[1])
    assert_equal(values(network.variables), unbroken[0])


def times(factor):
    """The toy's loss, so many times."""
    return Loss(toy.loss.weights, lambda *arguments: {"rows": toy.loss.sums(*arguments)["rows"] * factor})


def test_a_loss_that_is_not_finite_says_what_to_do():
    with pytest.raises(UserError, match=r"epoch 1, step 1, 0 rows into it: the loss is nan"):
        run(loss=times(float("nan")))


def test_a_run_that_is_stopped_leaves_the_weights_of_its_best_epoch_and_tells_which():
    seen = []
    network, steps, original = toy.network(), iter(range(1, 100)), Engine.run

    def broken(self, batches):
        metrics = original(self, batches)
        return metrics | {"loss": np.array([np.nan], np.float32)} if next(steps) > 12 else metrics

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "run", broken)
        with pytest.raises(TrainingStopped, match=r"The best epoch so far: 2 with f1 0\.5000") as raised:
            run(network, scores=[0.2, 0.5, 0.4, 0.3], seen=seen)
    assert raised.value.progress.best_epoch == 2
    assert_equal(weights(network), seen[1])


def test_a_loss_that_is_not_finite_leaves_no_checkpoint(tmp_path):
    with pytest.raises(UserError):
        run(loss=times(float("inf")), checkpoints=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_training_rows_are_refused():
    empty = Split({"token_ids": Ragged.of([], np.uint16), "label": np.zeros(0, np.int32)})
    with pytest.raises(UserError, match="no training rows"):
        run(train=empty)


def test_filling_rows_of_a_short_batch_do_not_count():
    """9 rows in batches of 8: the last batch holds one row; without its weights it would count 8 times."""
    data, settings = toy.split(9), toy.train_settings(batch_size=8)
    filled, plain = toy.network(), toy.network()
    for network, size in ((filled, 8), (plain, 1)):
        batches = [Planned(np.arange(8), 16, 8), Planned(np.array([8]), 16, size)]
        train_epoch(engine_of(network, toy.loss, settings, 2), toy.feed(data), batches, [0], "", show=False)
    for got, want in zip(weights(filled), weights(plain), strict=True):
        np.testing.assert_allclose(got, want, atol=1e-6)


def test_validation_sees_the_average_and_training_goes_on_from_the_weights():
    """With momentum a, the average after two steps is (a theta_1 + theta_2) / (1 + a)."""
    a, thetas, seen = 0.5, [], []
    network = toy.network()
    original = Engine.run

    def recording(self, batches):
        metrics = original(self, batches)
        thetas.append(weights(network))
        return metrics

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "run", recording)
        run(network, epochs=2, batch_size=30, ema_momentum=a, seen=seen, train=toy.split(30))
    assert len(thetas) == 2
    for average, one, two in zip(seen[1], *thetas, strict=True):
        np.testing.assert_allclose(average, (a * one + two) / (1 + a), atol=1e-6)
    assert_equal(weights(network), seen[1])


def fake_engine(network, averages):
    optimizer = SimpleNamespace(use_ema=averages is not None)
    return SimpleNamespace(network=network, optimizer=optimizer, averages=lambda: averages)


def test_the_average_is_in_the_network_only_inside_the_block():
    network = toy.network()
    before = weights(network)
    averages = [weight + 1 for weight in before]
    with averaged_weights(fake_engine(network, averages)):
        assert_equal(weights(network), [weight + 1 for weight in before])
    assert_equal(weights(network), before)
    with pytest.raises(Killed), averaged_weights(fake_engine(network, averages)):
        raise Killed
    assert_equal(weights(network), before)


def test_without_an_average_the_block_changes_nothing():
    network = toy.network()
    before = weights(network)
    with averaged_weights(fake_engine(network, None)):
        assert_equal(weights(network), before)
    assert_equal(weights(network), before)


def test_progress_starts_before_the_first_epoch():
    assert (Progress().epoch, Progress().best_epoch, Progress().best_score) == (0, 0, float("-inf"))


class DrawingFeed:
    """Draws the targets instead of reading them, and keeps what it drew."""

    def __init__(self, split):
        self.lengths, self.inner, self.drawn = split.ragged("token_ids").lengths, toy.feed(split), []

    def batch(self, units, width, rng):
        inputs, targets = self.inner.batch(units, width, rng)
        self.drawn.append(rng.integers(0, 2, len(units)).tolist())
        return inputs, targets | {"label": np.array(self.drawn[-1])}


def test_what_a_feed_draws_depends_on_seed_epoch_and_step_alone():
    def draws(seed, epoch):
        feed = DrawingFeed(toy.split(16))
        batches = [Planned(np.arange(8), 16, 8), Planned(np.arange(8, 16), 16, 8)]
        engine = engine_of(toy.network(), toy.loss, toy.train_settings(), 2)
        train_epoch(engine, feed, batches, [seed, epoch], "", show=False)
        return feed.drawn

    first = draws(0, 1)
    assert first == draws(0, 1)
    assert first[0] != first[1]
    assert first != draws(0, 2)
    assert first != draws(1, 1)
