from types import SimpleNamespace

import numpy as np
import pytest

from shared.ablation import measure
from shared.ablation.measure import MemoryMeter, Stopwatch
from shared.training.batch import Batch
from shared.training.hardware import Hardware


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now.seconds)
    return now


def batch(rows, filling=0):
    return Batch({}, {}, np.array([1.0] * rows + [0.0] * filling, np.float32))


class Engine:
    """Takes as long a call as it is told. What it returns is passed on."""

    def __init__(self, clock):
        self.clock, self.seconds = clock, 1.0

    def run(self, batches):
        self.clock.seconds += self.seconds
        return len(batches)


def epoch(engine, watch, calls, seconds):
    engine.clock.seconds += 100.0  # validation and what else is between epochs
    engine.seconds = seconds
    for call in calls:
        assert engine.run(call) == len(call)
    watch.epoch_ends()


def test_the_first_epoch_which_compiles_does_not_count_if_there_are_more(clock):
    engine = Engine(clock)
    watch = Stopwatch(engine)
    for seconds in (50.0, 2.0, 4.0, 3.0):
        epoch(engine, watch, [[batch(8)], [batch(8), batch(4, filling=4)]], seconds)
    # The middle one of 4, 8 and 6 seconds, for 3 steps and 20 rows; rows that fill up are none.
    assert watch.speed() == {"seconds_per_step": pytest.approx(2.0), "rows_per_s": pytest.approx(20 / 6)}


def test_of_a_single_epoch_the_second_half_counts(clock):
    engine = Engine(clock)
    watch = Stopwatch(engine)
    engine.seconds = 9.0
    engine.run([batch(5)])
    epoch(engine, watch, [[batch(5)]], 1.0)
    assert watch.speed() == {"seconds_per_step": 1.0, "rows_per_s": 5.0}


def test_without_an_epoch_there_is_no_speed(clock):
    watch = Stopwatch(Engine(clock))
    watch.epoch_ends()
    assert watch.speed() is None


def test_memory_on_a_cpu_is_what_the_process_grew_by():
    meter = MemoryMeter(Hardware("cpu", "float32", jit=False, backend="tensorflow"))
    held = np.ones(50_000_000, np.uint8)
    del held
    found = meter.peak()
    assert found["of"] == "process"
    assert found["bytes"] > 40_000_000
