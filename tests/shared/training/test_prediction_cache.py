import threading

import numpy as np
import pytest

from shared.training.predict import predict_rows, predictor
from shared.training.prediction_cache import PredictionCache, cached, cached_predictions
from tests.shared.training import toy
from tests.shared.training.test_predict import LENGTH, settings


class Doubling:
    """Counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, inputs):
        self.calls += 1
        return {"y": 2 * inputs["x"]}


def ask(function, values):
    return function({"x": np.asarray(values)})["y"].tolist()


def test_equal_inputs_are_asked_once():
    function = Doubling()
    with cached_predictions():
        assert [ask(cached(function), [1, 2]) for _ in range(3)] == [[2, 4]] * 3
    assert function.calls == 1


def test_outside_nothing_is_kept():
    function = Doubling()
    with cached_predictions():
        ask(cached(function), [1])
    assert cached(function) is function


@pytest.mark.parametrize("other", [[1, 3], [1, 2, 3], [[1, 2]], np.array([1, 2], "int32"), np.array([1.0, 2.0])])
def test_other_numbers_shapes_and_dtypes_are_other_inputs(other):
    function = Doubling()
    with cached_predictions():
        ask(cached(function), [1, 2])
        assert ask(cached(function), other) == (2 * np.asarray(other)).tolist()
    assert function.calls == 2


def test_two_functions_are_not_mixed_up():
    first, second = Doubling(), lambda inputs: {"y": 3 * inputs["x"]}
    with cached_predictions():
        assert (ask(cached(first), [1]), ask(cached(second), [1])) == ([2], [3])


def test_what_is_kept_cannot_be_changed():
    with cached_predictions():
        answer = cached(Doubling())({"x": np.ones(3)})["y"]
        with pytest.raises(ValueError, match="read-only"):
            answer[0] = 5


def test_of_passes_larger_than_the_cache_a_part_is_kept():
    function, cache = Doubling(), PredictionCache(most_bytes=3 * 8)
    asked = cache.of(function)
    for _ in range(4):
        assert [ask(asked, [number]) for number in range(5)] == [[2 * number] for number in range(5)]
    assert (function.calls, cache.bytes) == (5 + 3 * 2, 24)
    assert ask(asked, list(range(9))) == list(range(0, 18, 2))  # larger than the cache
    assert cache.bytes == 24


def test_threads_may_ask_side_by_side():
    function, cache, wrong = Doubling(), PredictionCache(2**20), []
    asked = cache.of(function)

    def ask_all():
        wrong.extend(number for number in range(200) if ask(asked, [number]) != [2 * number])

    threads = [threading.Thread(target=ask_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.bytes == 200 * 8


def test_a_network_is_asked_once_for_the_same_rows():
    network, split = toy.network(), toy.split(11)
    want = predict_rows(network, split, LENGTH, settings())["logits"]
    asked, calls = predictor(network), []
    network.predictor = lambda inputs: calls.append(1) or asked(inputs)
    with cached_predictions():
        for _ in range(3):
            np.testing.assert_array_equal(predict_rows(network, split, LENGTH, settings())["logits"], want)
    assert len(calls) == 3  # batches of 4 of 11 rows
