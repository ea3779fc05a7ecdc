import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from competitions.sohu2021 import model as sohu
from shared.errors import UserError
from shared.training.batch import Batch
from shared.training.checkpoint import values
from shared.training.engine import Engine
from shared.training.hardware import Hardware
from shared.training.loss import Loss
from shared.training.settings import HardwareSettings
from tests.competitions.sohu2021 import test_model as pairs
from tests.conftest import to_numpy
from tests.shared.training import toy
from tests.shared.training.steps import engine_of

TENSORFLOW = keras.backend.backend() == "tensorflow"
STATEFUL = {"ema_momentum": 0.9, "weight_decay": 0.1, "warmup_share": 0.2}
TOTAL_STEPS = 10


def engine(dropout: float = 0.0, steps_per_execution: int = 1, loss: Loss = toy.loss, **train) -> Engine:
    settings = toy.train_settings(**train)
    return engine_of(toy.network(dropout), loss, settings, TOTAL_STEPS, steps_per_execution=steps_per_execution)


def batch(rows: int = 8, width: int = 16, seed: int = 0) -> Batch:
    inputs, targets = toy.feed(toy.split(rows, seed)).batch(np.arange(rows), width, np.random.default_rng(0))
    return Batch(inputs, targets, np.ones(rows, np.float32))


def steps(engine: Engine, batches: list[Batch]) -> list[float]:
    """Returns the loss before each step, and the norm, in turn."""
    metrics = [engine.run([one]) for one in batches]
    return [float(to_numpy(one[name])[0]) for one in metrics for name in ("loss", "norm")]


def assert_states(got: Engine, want: Engine, atol: float = 0.0) -> None:
    a, b = got.state(), want.state()
    assert a.keys() == b.keys()
    for group in a:
        for x, y in zip(a[group], b[group], strict=True):
            np.testing.assert_allclose(x, y, rtol=0.0, atol=atol)


class Reference:
    """The toy's steps in float64: clip by global norm, AdamW whose decay spares the bias, average without bias."""

    def __init__(self, engine: Engine, settings):
        self.settings = settings
        self.theta = [array.astype(np.float64) for array in values(engine.network.trainable_variables)]
        self.m, self.v, self.average = ([np.zeros_like(array) for array in self.theta] for _ in range(3))
        self.t = 0

    def gradients(self, batch: Batch) -> tuple[float, list[np.ndarray]]:
        table, kernel, bias = self.theta
        tokens, label, weight = batch.inputs["token_ids"], batch.targets["label"], batch.weight.astype(np.float64)
        share = (tokens != 0) / (tokens != 0).sum(axis=1, keepdims=True)  # (rows, width)
        x = (table[tokens] * share[..., None]).sum(axis=1)
        logits = x @ kernel + bias
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        loss = -(np.log(p[np.arange(len(label)), label]) * weight).sum() / weight.sum()
        d = (p - np.eye(2)[label]) * weight[:, None] / weight.sum()
        table_gradient = np.zeros_like(table)
        np.add.at(table_gradient, tokens, share[..., None] * (d @ kernel.T)[:, None])
        return loss, [table_gradient, x.T @ d, d.sum(axis=0)]

    def step(self, batch: Batch) -> tuple[float, float]:
        train = self.settings
        loss, gradients = self.gradients(batch)
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        warmup = round(train.warmup_share * TOTAL_STEPS)
        fallen = max(self.t - warmup, 0) / (TOTAL_STEPS - warmup)
        rate = train.learning_rate * min((self.t + 1) / warmup, 1.0) * (1 - (1 - train.final_rate) * fallen)
        self.t += 1
        for i, gradient in enumerate(gradients):
            gradient = gradient * min(1.0, train.clip_norm / norm)
            self.m[i] = 0.9 * self.m[i] + 0.1 * gradient
            self.v[i] = 0.999 * self.v[i] + 0.001 * gradient**2
            if i < 2:  # not the bias
                self.theta[i] -= rate * train.weight_decay * self.theta[i]
            alpha = rate * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
            self.theta[i] -= alpha * self.m[i] / (np.sqrt(self.v[i]) + 1e-6)
            a = train.ema_momentum
            self.average[i] += (1 - a) / (1 - a**self.t) * (self.theta[i] - self.average[i])
        return loss, norm


def test_steps_equal_a_reference_in_float64():
    changes = STATEFUL | {"clip_norm": 0.05, "final_rate": 0.1}
    got = engine(**changes)
    want = Reference(got, toy.train_settings(**changes))
    for seed in range(4):
        loss, norm = want.step(batch(seed=seed))
        assert norm > 2 * 0.05
        assert steps(got, [batch(seed=seed)]) == pytest.approx([loss, norm], rel=1e-5)
    for a, b in zip(values(got.network.trainable_variables), want.theta, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(got.averages(), want.average, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert got.steps_done == 4


def test_without_an_average_the_weights_stand_for_it():
    one = engine()
    for a, b in zip(one.averages(), values(one.network.trainable_variables), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_norm_is_that_before_clipping():
    free, clipped = (steps(engine(clip_norm=norm), [batch()]) for norm in (0.0, 1e-4))
    assert clipped == pytest.approx(free, rel=1e-6)
    assert free[1] > 1e-2


def test_the_learning_rate_of_a_step_rises_and_falls():
    one = engine(warmup_share=0.2, final_rate=0.5, learning_rate=0.08)
    assert [one.learning_rate(step) for step in (0, 1, 2, 6, 10)] == pytest.approx([0.04, 0.08, 0.08, 0.06, 0.04])


def test_dropout_draws_anew_in_each_step_and_follows_the_seed():
    still = {"learning_rate": 1e-9, "weight_decay": 0.0}
    losses = steps(engine(0.4, **still), [batch(), batch()])[::2]
    assert losses[0] != pytest.approx(losses[1], rel=1e-5)
    assert steps(engine(0.4, **still), [batch(), batch()])[::2] == losses
    assert steps(engine(0.4, seed=1, **still), [batch()])[0] != pytest.approx(losses[0], rel=1e-5)


SEVEN = [batch(7, seed=seed) for seed in range(3)]  # rows that divide evenly by 7 and 1 only


@pytest.fixture(scope="module")
def in_one_piece() -> Engine:
    one = engine(0.4, **STATEFUL)
    steps(one, SEVEN)
    return one


@pytest.mark.parametrize("parts", [2, 3])
def test_micro_batches_change_neither_the_step_nor_dropout(in_one_piece, parts):
    got = engine(0.4, **STATEFUL)
    got.micro_batches = parts
    steps(got, SEVEN)
    assert_states(got, in_one_piece, atol=1e-6)


@pytest.mark.skipif(not TENSORFLOW, reason="JAX compiles always")
def test_compiled_micro_batches_change_neither_the_step_nor_dropout():
    machine = Hardware("cpu", "float32", jit=True, backend="tensorflow")
    engines = []
    for parts in (1, 3):
        settings = toy.train_settings(**STATEFUL)
        one = Engine(toy.network(0.4), toy.loss, settings, HardwareSettings(), TOTAL_STEPS, machine)
        one.micro_batches = parts
        steps(one, SEVEN[:2])
        engines.append(one)
        assert one.compilations == 1
    assert_states(engines[1], engines[0], atol=1e-6)


def test_several_steps_in_one_call_are_the_same_steps():
    one, several = (engine(0.4, **STATEFUL) for _ in range(2))
    batches = [batch(seed=seed) for seed in range(3)]
    want = steps(one, batches)
    got = several.run(batches)
    assert to_numpy(got["loss"]).tolist() == want[::2]
    assert to_numpy(got["norm"]).tolist() == want[1::2]
    assert_states(several, one)


def test_a_state_goes_on_to_the_same_bytes():
    first, second = engine(0.4, **STATEFUL), engine(0.4, **STATEFUL)
    steps(first, SEVEN)
    state = first.state()
    kept = {group: [array.copy() for array in arrays] for group, arrays in state.items()}
    want = steps(first, SEVEN)
    for group, arrays in kept.items():  # copies, which further steps do not change
        for a, b in zip(state[group], arrays, strict=True):
            np.testing.assert_array_equal(a, b)
    second.restore(state)
    assert second.steps_done == 3
    for group, arrays in second.state().items():
        for a, b in zip(arrays, kept[group], strict=True):
            assert (a.dtype, a.tobytes()) == (b.dtype, b.tobytes())
    assert steps(second, SEVEN) == want
    assert_states(second, first)


def test_an_engine_in_the_middle_of_its_steps_takes_a_state_too():
    one, other = engine(0.4, **STATEFUL), engine(0.4, **STATEFUL)
    state = one.state()
    want = steps(one, SEVEN)
    steps(other, SEVEN[::-1])
    other.restore(state)
    assert steps(other, SEVEN) == want
    assert_states(other, one)


def test_tensorflow_makes_one_graph_for_all_shapes_and_jax_a_program_for_each():
    one = engine()
    assert one.compilations == 0
    shapes = [(8, 16), (8, 8), (3, 8), (8, 16), (3, 8)]
    steps(one, [batch(*shape) for shape in shapes])
    assert one.compilations == (1 if TENSORFLOW else 3)
    one.run([batch(8, 16)] * 2)
    assert one.compilations == (2 if TENSORFLOW else 4)


def test_a_step_that_is_compiled_again_for_the_same_shape_is_counted():
    one = engine()
    steps(one, [batch(), batch()])
    assert one.compilations == 1
    for made in ("_functions", "_programs"):
        getattr(one._steps, made, {}).clear()
    steps(one, [batch()])
    assert one.compilations == 2


def failing(engine: Engine, monkeypatch, *errors: Exception) -> list[int]:
    """Has the next calls of the device end with these errors; returns a list of the micro-batches of each call."""
    calls, original, left = [], engine._steps.run, list(errors)

    def run(batches, micro_batches):
        calls.append(micro_batches)
        if left:
            raise left.pop(0)
        return original(batches, micro_batches)

    monkeypatch.setattr(engine._steps, "run", run)
    return calls


@pytest.mark.parametrize(("rows", "want"), [(8, [1, 2, 4, 4, 4]), (6, [1, 2, 6, 6, 6])])
def test_without_memory_the_step_is_taken_in_smaller_pieces(monkeypatch, capsys, rows, want):
    one, other = engine(0.4, **STATEFUL), engine(0.4, **STATEFUL)
    calls = failing(one, monkeypatch, MemoryError(), MemoryError())
    batches = [batch(rows, seed=seed) for seed in range(3)]
    assert steps(one, batches) == pytest.approx(steps(other, batches), rel=1e-5)
    assert (calls, one.micro_batches) == (want, want[-1])
    assert_states(one, other, atol=1e-6)
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == [f"out of memory at {rows} rows x 16 tokens"] * 2
    assert f"in {want[-1]} micro-batches" in said[1]


def test_smaller_pieces_are_found_whatever_input_comes_first(monkeypatch, capsys):
    token_ids, kind = (keras.Input(shape, dtype="int32", name=name) for name, shape in (("a", (None,)), ("b", ())))
    x = ops.sum(ops.cast(token_ids, "float32"), axis=1) * ops.cast(kind, "float32")
    logits = keras.layers.Dense(2, name="out")(x[:, None])
    network = keras.Model({"a": token_ids, "b": kind}, {"logits": logits})
    one = engine_of(network, toy.loss, toy.train_settings(), TOTAL_STEPS)
    failing(one, monkeypatch, MemoryError())
    inputs = {"b": np.ones(4, np.int32), "a": np.ones((4, 8), np.int32)}
    one.run([Batch(inputs, {"label": np.zeros(4, np.int32)}, np.ones(4, np.float32))])
    assert "4 rows x 8 tokens" in capsys.readouterr().out


def test_a_single_row_that_does_not_fit_is_the_users_to_solve(monkeypatch):
    one = engine()
    calls = failing(one, monkeypatch, *[MemoryError()] * 9)
    with pytest.raises(UserError, match="a single row a micro-batch"):
        one.run([batch(4)])
    assert calls == [1, 2, 4]


def test_a_loss_that_counts_over_all_rows_is_not_computed_in_parts(monkeypatch):
    coupled = dataclasses.replace(toy.loss, divisible=False)
    one = engine_of(toy.network(), coupled, toy.train_settings(), TOTAL_STEPS)
    calls = failing(one, monkeypatch, MemoryError())
    with pytest.raises(UserError, match="counts over all of them, so that"):
        one.run([batch(4)])
    assert calls == [1]


def test_other_errors_pass_as_they_are(monkeypatch):
    one = engine()
    calls = failing(one, monkeypatch, ValueError("shapes"))
    with pytest.raises(ValueError, match="shapes"):
        one.run([batch(4)])
    assert (calls, one.micro_batches) == ([1], 1)


def greedy(limit: int) -> Loss:
    """The toy's loss, which asks for a petabyte where there are more rows than `limit`."""

    def sums(targets, outputs, sample_weight):
        loss = toy.loss.sums(targets, outputs, sample_weight)["rows"]
        if TENSORFLOW:
            import tensorflow as tf

            size = tf.where(tf.shape(sample_weight)[0] > limit, tf.constant(2**48, tf.int64), 1)
            return {"rows": loss + tf.reduce_sum(tf.cumsum(tf.fill([size], loss * 1e-12)) * 1e-3)}
        import jax.numpy as jnp

        size = 2**28 if sample_weight.shape[0] > limit else 1
        return {"rows": loss + jnp.sum(jnp.sort(jnp.full((2**20, size), loss * 1e-12), axis=0)[0]) * 1e-3}

    return Loss(toy.loss.weights, sums)


@pytest.mark.slow  # TensorFlow waits for ten seconds before it says that there is no memory
def test_a_true_lack_of_memory_changes_no_weights_either(capsys):
    one, other = engine(0.4, loss=greedy(4), **STATEFUL), engine(0.4, **STATEFUL)
    batches = [batch(seed=seed) for seed in range(2)]
    assert steps(one, batches) == pytest.approx(steps(other, batches), rel=1e-5)
    assert one.micro_batches == 2
    assert_states(one, other, atol=1e-6)
    assert capsys.readouterr().out.count("out of memory at 8 rows x 16 tokens") == 1


def test_memory_that_ends_within_a_call_of_several_steps_repeats_none_of_them(monkeypatch):
    one, other = engine(0.4, **STATEFUL), engine(0.4, **STATEFUL)
    batches = [batch(seed=seed) for seed in range(3)]
    original, calls = one._steps.run, []

    def run(given, micro_batches):
        calls.append(len(given))
        if len(calls) == 1:
            original(given[:1], micro_batches)
            raise MemoryError
        return original(given, micro_batches)

    monkeypatch.setattr(one._steps, "run", run)
    got = one.run(batches)
    want = other.run(batches)
    assert one.steps_done == 3
    np.testing.assert_allclose(to_numpy(got["loss"]), to_numpy(want["loss"]), rtol=1e-5)
    assert_states(one, other, atol=1e-6)


SIZES = {"kind": "roformer", "position": "rotary", "num_layers": 1, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 16}
PAIRS = Batch(pairs.inputs(), {"label": np.array([0, 1], np.int32)}, np.ones(2, np.float32))


def of_pairs(recompute: bool) -> Engine:
    """An engine with a real encoder."""
    backbone = {"architecture": SIZES, "dropout": 0.3, "attention_dropout": 0.2}
    chosen = pairs.settings(backbone=backbone, condition="none", exact_match=False)
    network = sohu.build(chosen, pairs.VOCABULARY, {})
    return engine_of(network, sohu.loss(chosen), chosen.train, TOTAL_STEPS, recompute=recompute)


def test_recomputing_blocks_changes_neither_the_step_nor_dropout():
    plain, again = of_pairs(recompute=False), of_pairs(recompute=True)
    assert again.network.get_layer("backbone").recompute
    assert not plain.network.get_layer("backbone").recompute
    assert steps(again, [PAIRS, PAIRS]) == pytest.approx(steps(plain, [PAIRS, PAIRS]), rel=1e-5)
    for a, b in zip(*(values(one.network.trainable_variables) for one in (plain, again)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
