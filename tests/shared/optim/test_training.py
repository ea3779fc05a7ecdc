"""Wrapped optimizers in the engine's compiled steps: resumed, in pieces, accumulated."""

import keras
import numpy as np
import pytest

from shared.errors import UserError
from shared.training.batch import Batch
from shared.training.batches import steps_per_epoch, training_batches
from shared.training.checkpoint import values
from shared.training.epoch import train_epoch
from tests.shared.optim import blocks
from tests.shared.training import toy
from tests.shared.training.steps import engine_of

ALL = {
    "wrap": ("weight_decay", "layer_adaptation", "lazy", "rates", "piecewise", "lookahead"),
    "lazy_names": ("embeddings",),
    "rate_factors": (("out", 2.0),),
    "piecewise_points": ((2, 1.0), (5, 0.1)),
    "lookahead_steps": 2,
}
OPTIMIZERS = {
    "all wrappers": {"kind": "adam", **ALL},
    "swa": {"wrap": ("lookahead", "swa"), "lookahead_steps": 3, "swa_start": 0.2},
    "layer_decay": {"wrap": ("layer_decay",), "layer_decay_rate": 0.5},
    **{kind: {"kind": kind} for kind in ("radam", "sgd", "lion", "rmsprop", "adafactor")},
}


def engine(optimizer, dropout=0.0, **train):
    ema = 0.0 if "swa" in optimizer.get("wrap", ()) else 0.9
    settings = {"learning_rate": 0.05, "ema_momentum": ema, "weight_decay": 0.1, "clip_norm": 0.05} | train
    return engine_of(blocks.network(dropout), toy.loss, toy.train_settings(optimizer=optimizer, **settings), 10)


def batch(seed):
    inputs, targets = toy.feed(toy.split(8, seed)).batch(np.arange(8), 16, np.random.default_rng(0))
    return Batch(inputs, targets, np.ones(8, np.float32))


def steps(one, seeds):
    for seed in seeds:
        one.run([batch(seed)])


def assert_equal(got, want, atol=0.0):
    for group, arrays in want.state().items():
        for a, b in zip(got.state()[group], arrays, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=atol)
    for a, b in zip(got.averages(), want.averages(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_ends_as_an_unbroken_one_also_in_pieces(name):
    """After 3 of 6 steps: lookahead, swa and piecewise stand in the middle of what they do."""
    one, other = (engine(OPTIMIZERS[name], dropout=0.3) for _ in range(2))
    start = one.state()
    steps(one, range(3))
    middle = one.state()
    steps(one, range(3, 6))
    other.restore(middle)
    steps(other, range(3, 6))
    assert_equal(other, one)
    assert other.steps_done == 6
    one.restore(start)
    other.restore(start)
    other.micro_batches = 2
    for either in (one, other):
        steps(either, range(2))
    assert_equal(other, one, atol=2e-6)


def test_lookahead_in_a_compiled_step_goes_half_the_way():
    """With plain descent and k = 2, the weights after two steps lie between the start and those of descent."""
    plain = {"kind": "sgd", "sgd_momentum": 0.0}
    fast, slow = engine(plain), engine({**plain, "wrap": ("lookahead",), "lookahead_steps": 2})
    start = values(fast.network.trainable_variables)
    steps(fast, range(2))
    steps(slow, range(2))
    pairs = zip(start, values(fast.network.trainable_variables), strict=True)
    for got, (a, b) in zip(values(slow.network.trainable_variables), pairs, strict=True):
        assert np.abs(b - a).max() > 1e-4
        np.testing.assert_allclose(got, (a + b) / 2, atol=1e-6)


def test_lazy_rows_in_a_compiled_step_rest_without_their_token():
    one = engine({"wrap": ("lazy",), "lazy_names": ("embeddings",)})
    before = values(one.network.trainable_variables)[0]
    first, second = batch(0), batch(1)
    second.inputs["token_ids"][second.inputs["token_ids"] == 3] = 4
    one.run([first])
    middle = values(one.network.trainable_variables)[0]
    one.run([second])
    after = values(one.network.trainable_variables)[0]
    assert np.abs(middle[3] - before[3]).max() > 1e-4
    np.testing.assert_array_equal(after[3], middle[3])
    assert np.abs(after[4] - middle[4]).max() > 1e-4


def trained(accumulate, batch_size, **changes):
    """An epoch and a half over 30 rows, with dropout, clipping, decay, a schedule and the average."""
    one = engine({}, dropout=0.3, accumulate=accumulate, batch_size=batch_size, warmup_share=0.3, **changes)
    feed, plan = toy.feed(toy.split(30)), one._train
    for epoch in range(2):
        batches = training_batches(feed.lengths, plan, 1, 1, np.random.default_rng(epoch))
        train_epoch(one, feed, batches[: 2 if epoch else None], [0, epoch], "", False)
    return one


def test_accumulation_equals_the_big_batch():
    parts, big = trained(3, 4), trained(1, 12)
    assert (parts.micro_batches, big.micro_batches) == (3, 1)
    assert parts.steps_done == big.steps_done == 5
    assert_equal(parts, big, atol=2e-6)


def test_an_accumulated_batch_by_tokens_has_so_many_parts():
    lengths = toy.feed(toy.split(30)).lengths
    one, two = (
        training_batches(lengths, toy.train_settings(batch_tokens=64, accumulate=k), 1, 1, np.random.default_rng(0))
        for k in (1, 2)
    )
    assert {2 * size for _, width, size in one if width == 16} == {size for _, width, size in two if width == 16}
    assert len(two) < len(one)


def test_accumulation_larger_than_the_epoch_is_a_user_error():
    """30 rows are 7 parts of 4 and one of 2; a ninth would have no row."""
    lengths = toy.feed(toy.split(30)).lengths
    assert steps_per_epoch(lengths, toy.train_settings(batch_size=4, accumulate=8)) == 1
    train = toy.train_settings(batch_size=4, accumulate=9)
    with pytest.raises(UserError, match=r"train\.accumulate is 9, but the 30 training rows make only 8 parts"):
        steps_per_epoch(lengths, train)


def test_the_history_tells_the_rate_with_piecewise():
    one = engine({"wrap": ("piecewise",), "piecewise_points": ((4, 1.0),)}, learning_rate=2.0, final_rate=1.0)
    assert one.learning_rate(0) == pytest.approx(0.5)


def test_the_default_has_no_wrapper_and_the_state_it_always_had():
    one = engine({})
    assert isinstance(one.optimizer, keras.optimizers.AdamW)
    assert len(one.optimizer.variables) == 1 + 3 * len(one.network.trainable_variables)
