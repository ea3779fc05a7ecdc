import threading

import pytest

from shared.training.overlap import overlapped

AT_ONCE = pytest.mark.parametrize("at_once", [1, 2, 3])


@AT_ONCE
def test_results_come_in_the_order_of_their_items(at_once):
    last_first = [threading.Event() for _ in range(3)]  # of calls at work together the last one ends first

    def slow(item):
        group, place = divmod(item, at_once)
        if place < at_once - 1 and group == 0:
            assert last_first[place + 1].wait(10)
        if group == 0:
            last_first[place].set()
        return item * item

    assert list(overlapped(slow, range(7), at_once)) == [item * item for item in range(7)]


def test_so_many_calls_are_at_work_at_once():
    meeting = threading.Barrier(2, timeout=10)
    assert list(overlapped(lambda item: (meeting.wait(), item)[1], range(4), 2)) == [0, 1, 2, 3]


@AT_ONCE
def test_no_more_items_are_taken_than_are_at_work(at_once):
    taken = []
    results = overlapped(str, (taken.append(item) or item for item in range(9)), at_once)
    assert next(results) == "0"
    assert len(taken) == at_once
    assert next(results) == "1"
    assert len(taken) == at_once + 1


@AT_ONCE
@pytest.mark.parametrize("items", [0, 1, 2])
def test_few_items(at_once, items):
    assert list(overlapped(str, range(items), at_once)) == [str(item) for item in range(items)]


@AT_ONCE
def test_an_error_comes_in_its_place(at_once):
    results = overlapped(lambda item: 1 // (2 - item), range(9), at_once)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("overlap")]


@AT_ONCE
def test_what_is_left_early_ends(at_once):
    results = overlapped(str, range(9), at_once)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("overlap")]
