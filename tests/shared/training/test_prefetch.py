import gc
import threading
import time
import traceback

import numpy as np
import pytest

from shared.training.prefetch import Prefetcher

DEPTHS = pytest.mark.parametrize("depth", [0, 1, 2, 5])


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def ended(within_s: float = 5.0) -> bool:
    """Whether no thread is left, at the latest after some seconds."""
    deadline = time.monotonic() + within_s
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    return not threads()


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert threads() == []
    yield
    assert threads() == []


@DEPTHS
def test_items_come_in_their_order(depth):
    with Prefetcher((2 * i for i in range(20)), depth) as items:
        assert list(items) == [2 * i for i in range(20)]
        assert list(items) == []


@DEPTHS
def test_what_is_drawn_does_not_depend_on_the_depth(depth):
    draws = (np.random.default_rng([0, step]).random() for step in range(9))
    with Prefetcher(draws, depth) as items:
        assert list(items) == [np.random.default_rng([0, step]).random() for step in range(9)]


@DEPTHS
def test_no_items_are_no_items(depth):
    with Prefetcher([], depth) as items:
        assert list(items) == []


@DEPTHS
def test_an_exception_comes_after_the_items_before_it_with_its_traceback(depth):
    def broken():
        yield 1
        yield 2
        raise OSError("the disk is gone")

    seen = []
    with Prefetcher(broken(), depth) as items, pytest.raises(OSError, match="the disk is gone") as caught:
        seen.extend(items)
    assert seen == [1, 2]
    assert "in broken" in "".join(traceback.format_tb(caught.value.__traceback__))


@DEPTHS
def test_after_an_exception_there_is_nothing_more(depth):
    def broken():
        yield 1
        raise KeyError("x")

    with Prefetcher(broken(), depth) as items:
        assert next(items) == 1
        with pytest.raises(KeyError):
            next(items)
        assert list(items) == []


def test_items_are_made_in_another_thread_unless_the_depth_is_0():
    for depth, same in ((0, True), (1, False)):
        with Prefetcher((threading.get_ident() for _ in range(3)), depth) as items:
            assert {ident == threading.get_ident() for ident in items} == {same}


@pytest.mark.parametrize("depth", [1, 3])
def test_no_more_than_depth_items_are_made_ahead(depth):
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i

    with Prefetcher(items(), depth) as prefetcher:
        for taken in range(1, 6):
            next(prefetcher)
            wait_until(lambda want=taken + depth: len(made) == want)
            time.sleep(0.01)
            assert len(made) == taken + depth


def wait_until(condition) -> None:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)


class Killed(Exception):
    pass


@DEPTHS
def test_a_consumer_that_fails_ends_the_thread(depth):
    def consume():
        with Prefetcher(iter(int, 1), depth) as items:
            for i, _ in enumerate(items):
                if i == 3:
                    raise Killed

    with pytest.raises(Killed) as caught:
        consume()
    assert ended(0)
    del caught


def test_a_full_shelf_does_not_delay_the_end():
    with Prefetcher(iter(int, 1), 1) as items:
        next(items)
        time.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 1


def test_after_the_end_the_maker_is_asked_no_more_and_is_closed():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with Prefetcher(endless(), 2) as items:
        next(items)
    assert list(items) == []
    assert closed.wait(5)


def test_a_prefetcher_let_go_ends_its_thread():
    for item in Prefetcher(iter(int, 1), 2):
        assert item == 0
        break
    gc.collect()
    assert ended()


def test_a_finished_run_leaves_no_thread_without_closing():
    assert list(Prefetcher(range(3), 2)) == [0, 1, 2]
    assert ended()


def test_many_runs_leave_no_thread():
    for _ in range(50):
        with Prefetcher(range(4), 2) as items:
            next(items)
    assert ended(0)


@DEPTHS
def test_the_time_waited_for_slow_items_is_counted(depth):
    def slow():
        for i in range(3):
            time.sleep(0.02)
            yield i

    with Prefetcher(slow(), depth) as items:
        list(items)
        assert 0.05 < items.waited_s < 5


def test_there_is_no_wait_for_items_that_are_ready():
    with Prefetcher(range(20), 30) as items:
        wait_until(lambda: not threads())
        list(items)
        assert items.waited_s < 0.02


def test_a_depth_below_0_is_refused():
    with pytest.raises(ValueError, match="depth must be 0 or more, got -1"):
        Prefetcher([], -1)
