from types import SimpleNamespace

import numpy as np
import pytest

from shared.training.batches import Planned
from shared.training.checkpoint import values
from shared.training.epoch import AHEAD, Meter, Totals, train_epoch
from tests.shared.training import toy
from tests.shared.training.steps import engine_of

SEED = [3, 1]


class FakeEngine:
    """Keeps what it was given; the loss of the n-th step is n, its norm 10 n, from 1."""

    def __init__(self, burst: int = 1, fail_at: int = 0):
        self.burst, self.calls, self.fail_at = burst, [], fail_at

    @property
    def batches(self):
        return [batch for call in self.calls for batch in call]

    def run(self, batches):
        if len(self.calls) + 1 == self.fail_at:
            raise OSError("the device is gone")
        first = len(self.batches) + 1
        self.calls.append(list(batches))
        loss = np.arange(first, first + len(batches), dtype=np.float32)
        return {"loss": loss, "norm": 10 * loss}


class DrawingFeed:
    """Rows of one number each; what it draws stands in the targets. sizes: those of a second axis, in turn."""

    def __init__(self, rows: int, sizes=(1,), fail_at=None):
        self.lengths, self.sizes, self.fail_at, self.made = np.arange(rows) % 5 + 1, sizes, fail_at, 0

    def batch(self, units, width, rng):
        if self.made == self.fail_at:
            raise KeyError("row 7")
        size = self.sizes[self.made % len(self.sizes)]
        self.made += 1
        inputs = {"token_ids": np.repeat(units[:, None], width, axis=1)}
        return inputs, {"drawn": rng.integers(0, 1000, (len(units), size))}


def planned(*shapes: tuple[int, int, int]) -> list[Planned]:
    """Batches of (rows, width, size); rows are numbered through."""
    ends = np.cumsum([rows for rows, _, _ in shapes])
    return [
        Planned(np.arange(end - rows, end), width, size) for end, (rows, width, size) in zip(ends, shapes, strict=True)
    ]


def same_shape(count: int) -> list[Planned]:
    return planned(*[(2, 4, 2)] * count)


def run(engine, batches, feed=None, **options) -> float:
    feed = feed or DrawingFeed(sum(len(one.rows) for one in batches))
    return train_epoch(engine, feed, batches, SEED, "", False, **options)


def test_sums_start_at_zero_with_a_mean_of_zero():
    assert (Totals().batches, Totals().rows, Totals().loss, Totals().mean_loss) == (0, 0, 0.0, 0.0)


def test_the_mean_loss_is_that_over_rows_those_that_fill_up_left_out():
    totals = Totals()
    mean = run(FakeEngine(), planned((4, 8, 4), (4, 8, 4), (1, 8, 4)), totals=totals)
    assert mean == totals.mean_loss == pytest.approx((4 * 1 + 4 * 2 + 1 * 3) / 9)
    assert (totals.batches, totals.rows) == (3, 9)


def test_batches_reach_the_engine_filled_up_to_their_size():
    engine = FakeEngine()
    run(engine, planned((2, 3, 2), (1, 3, 4)))
    (full, short) = engine.batches
    assert full.weight.tolist() == [1, 1]
    assert short.weight.tolist() == [1, 0, 0, 0]
    assert short.inputs["token_ids"].tolist() == [[2, 2, 2]] * 4


def test_as_many_batches_of_one_shape_as_wanted_go_in_one_call():
    engine = FakeEngine(burst=3)
    a, b = (2, 4, 2), (2, 8, 2)
    run(engine, planned(a, a, a, a, b, a, a, b, b, b))
    assert [len(call) for call in engine.calls] == [3, 1, 1, 1, 1, 3]
    assert all(len({one.shape for one in call}) == 1 for call in engine.calls)
    assert [int(one.inputs["token_ids"][0, 0]) for one in engine.batches] == list(range(0, 20, 2))


def test_a_feed_with_sizes_of_its_own_has_only_equal_shapes_in_one_call():
    engine, feed, watched = FakeEngine(burst=3), DrawingFeed(18, sizes=(1, 1, 1, 1, 2, 1)), []
    run(engine, same_shape(9), feed, watch=lambda *seen: watched.append(seen))
    assert [len(call) for call in engine.calls] == [3, 1, 1, 1, 3]
    assert [one.targets["drawn"].shape[1] for one in engine.batches] == [1, 1, 1, 1, 2, 1, 1, 1, 1]
    assert [int(one.inputs["token_ids"][0, 0]) for one in engine.batches] == list(range(0, 18, 2))
    assert [batch for batch, *_ in watched] == list(range(9))


@pytest.mark.parametrize("burst", [1, 2, 4])
def test_each_step_is_watched_in_order_with_the_rows_before_it(burst):
    watched = []
    run(FakeEngine(burst), planned((2, 4, 2), (2, 4, 2), (1, 4, 2), (2, 8, 2)), watch=lambda *one: watched.append(one))
    assert watched == [(0, 1.0, 10.0, 0), (1, 2.0, 20.0, 2), (2, 3.0, 30.0, 4), (3, 4.0, 40.0, 5)]


def test_what_a_watcher_raises_ends_the_epoch():
    def watch(batch, loss, norm, rows):
        if batch == 2:
            raise ArithmeticError

    totals = Totals()
    with pytest.raises(ArithmeticError):
        run(FakeEngine(), same_shape(9), watch=watch, totals=totals)
    assert totals.batches == 2


def test_losses_are_looked_at_a_few_calls_late():
    engine, calls = FakeEngine(), []
    run(engine, same_shape(9), watch=lambda *_: calls.append(len(engine.calls)))
    assert calls == [*range(AHEAD + 1, 10), *[9] * AHEAD]


def seen(engine: FakeEngine) -> list[tuple]:
    return [(one.inputs["token_ids"].tolist(), one.targets["drawn"].tolist()) for one in engine.batches]


@pytest.mark.parametrize("burst", [1, 3])
@pytest.mark.parametrize("sizes", [(1,), (1, 2)])
def test_an_epoch_gone_on_with_sees_what_the_unbroken_one_would_have(burst, sizes):
    shapes = [(2, 4, 2)] * 4 + [(2, 8, 2)] * 3 + [(1, 4, 2)]
    whole = FakeEngine(burst)
    run(whole, planned(*shapes), DrawingFeed(15, sizes))
    for done in range(len(shapes) + 1):
        rest, feed = FakeEngine(burst), DrawingFeed(15, sizes)
        feed.made = done
        totals = Totals(batches=done, rows=2 * done)
        run(rest, planned(*shapes), feed, totals=totals)
        assert seen(rest) == seen(whole)[done:]
        assert totals.batches == len(shapes)


def test_an_epoch_gone_on_with_ends_with_the_sums_of_the_unbroken_one():
    class Stop(Exception):
        pass

    def pause():
        raise Stop

    whole, totals = Totals(), Totals()
    run(FakeEngine(), same_shape(7), totals=whole)
    engine = FakeEngine()
    with pytest.raises(Stop):
        run(engine, same_shape(7), totals=totals, pause_due=lambda: len(engine.calls) == 3, pause=pause)
    assert (totals.batches, totals.rows, totals.loss) == (3, 6, 2 * (1 + 2 + 3))
    meter = Meter()
    run(engine, same_shape(7), totals=totals, meter=meter)
    assert totals == whole
    assert meter.rows == 8  # of this process alone


def test_draws_depend_on_the_number_of_the_batch_and_the_seed_only():
    engines = [FakeEngine(), FakeEngine(burst=3), FakeEngine()]
    for engine in engines[:2]:
        run(engine, same_shape(5))
    train_epoch(engines[2], DrawingFeed(10), same_shape(5), [3, 2], "", False)
    drawn = [[one.targets["drawn"].tolist() for one in engine.batches] for engine in engines]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len({str(one) for one in drawn[0]}) == 5
    assert drawn[0][3] == np.random.default_rng([*SEED, 3]).integers(0, 1000, (2, 1)).tolist()


@pytest.mark.parametrize("burst", [1, 3])
def test_a_pause_falls_between_calls_and_finds_all_steps_summed_up(burst):
    engine, totals, pauses = FakeEngine(burst), Totals(), []

    def pause():
        steps = len(engine.batches)
        assert (totals.batches, totals.rows, totals.loss) == (steps, 2 * steps, steps * (steps + 1))
        pauses.append(steps)

    run(engine, same_shape(7), totals=totals, pause_due=lambda: True, pause=pause)
    assert pauses == ([1, 2, 3, 4, 5, 6, 7] if burst == 1 else [3, 6, 7])


def test_without_need_there_is_no_pause():
    run(FakeEngine(), same_shape(3), pause_due=lambda: False, pause=lambda: pytest.fail("paused"))


def test_an_error_of_the_feed_comes_after_the_steps_before_it():
    engine = FakeEngine()
    with pytest.raises(KeyError, match="row 7"):
        run(engine, same_shape(9), DrawingFeed(18, fail_at=4))
    assert len(engine.calls) == 4


def test_an_error_of_the_engine_reaches_the_caller():
    engine = FakeEngine(fail_at=3)
    with pytest.raises(OSError, match="the device is gone"):
        run(engine, same_shape(9))
    assert len(engine.calls) == 2


def test_no_batches_are_no_steps():
    engine = FakeEngine()
    assert run(engine, [], DrawingFeed(0)) == 0.0
    assert engine.calls == []


def test_the_meter_counts_rows_and_their_real_tokens():
    meter = Meter()
    run(FakeEngine(), planned((3, 8, 4), (2, 8, 4)), meter=meter)
    assert (meter.rows, meter.tokens) == (5, 1 + 2 + 3 + 4 + 5)
    assert 0 < meter.first_step_s <= meter.seconds
    assert 0 <= meter.waited_s <= meter.seconds


def test_the_meter_says_rows_and_tokens_a_second_and_the_share_of_waiting():
    meter = Meter(rows=30, tokens=900, seconds=4.0, waited_s=0.5)
    assert meter.line() == "7.5 rows/s, 225 tokens/s, 12.5% waiting for input"
    assert Meter().line().startswith("0.0 rows/s, 0 tokens/s")


class ToyFeed:
    """The toy's rows, with a target that the loss does not see and whose size changes, as numbers of subjects do."""

    def __init__(self, rows: int):
        self.inner = toy.feed(toy.split(rows))
        self.lengths = self.inner.lengths

    def batch(self, units, width, rng):
        inputs, targets = self.inner.batch(units, width, rng)
        return inputs, targets | {"more": np.zeros((len(units), 1 + int(units[0] >= 20)), np.int32)}


@pytest.mark.parametrize("feed", [toy.feed(toy.split(44)), ToyFeed(44)], ids=["by width", "own sizes"])
def test_steps_per_execution_change_nothing_but_the_calls(feed):
    batches = [Planned(np.arange(start, min(start + 4, 44)), 16, 4) for start in range(0, 44, 4)]
    networks, losses, calls = [], [], []
    for burst in (1, 3):
        settings = toy.train_settings(ema_momentum=0.9)
        engine = engine_of(toy.network(0.3), toy.loss, settings, 11, steps_per_execution=burst)
        original, seen = engine.run, SimpleNamespace(calls=0)

        def run(group, original=original, seen=seen):
            seen.calls += 1
            return original(group)

        engine.run = run
        losses.append(train_epoch(engine, feed, batches, SEED, "", False))
        networks.append(engine.state())
        calls.append(seen.calls)
    assert calls[0] == 11 > calls[1]
    assert losses[0] == losses[1]
    for group in networks[0]:
        for a, b in zip(networks[0][group], networks[1][group], strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_real_engine_learns_in_an_epoch():
    engine = engine_of(toy.network(), toy.loss, toy.train_settings(), 8)
    before = values(engine.network.variables)
    batches = [Planned(np.arange(start, start + 4), 16, 4) for start in range(0, 32, 4)]
    first = train_epoch(engine, toy.feed(toy.split(32)), batches, SEED, "", False)
    assert train_epoch(engine, toy.feed(toy.split(32)), batches, SEED, "", False) < first
    assert engine.steps_done == 16
    assert any((a != b).any() for a, b in zip(before, values(engine.network.variables), strict=True))
