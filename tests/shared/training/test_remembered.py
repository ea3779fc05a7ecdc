import numpy as np
import pytest

from shared.training.predict import predict_rows
from shared.training.remembered import Memory, remembered, remembering
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
    with remembered():
        assert [ask(remembering(function), [1, 2]) for _ in range(3)] == [[2, 4]] * 3
    assert function.calls == 1


def test_outside_nothing_is_remembered():
    function = Doubling()
    with remembered():
        ask(remembering(function), [1])
    assert remembering(function) is function


@pytest.mark.parametrize("other", [[1, 3], [1, 2, 3], [[1, 2]], np.array([1, 2], "int32"), np.array([1.0, 2.0])])
def test_other_numbers_shapes_and_dtypes_are_other_inputs(other):
    function = Doubling()
    with remembered():
        ask(remembering(function), [1, 2])
        assert ask(remembering(function), other) == (2 * np.asarray(other)).tolist()
    assert function.calls == 2


def test_two_functions_are_not_mixed_up():
    first, second = Doubling(), lambda inputs: {"y": 3 * inputs["x"]}
    with remembered():
        assert (ask(remembering(first), [1]), ask(remembering(second), [1])) == ([2], [3])


def test_what_is_remembered_cannot_be_changed():
    with remembered():
        answer = remembering(Doubling())({"x": np.ones(3)})["y"]
        with pytest.raises(ValueError, match="read-only"):
            answer[0] = 5


def test_beyond_its_bytes_the_longest_unused_is_forgotten():
    function, memory = Doubling(), Memory(most_bytes=2 * 8)
    asked = memory.of(function)
    for values in ([1], [2], [1], [3]):  # 3 drives out 2
        ask(asked, values)
    assert (function.calls, memory.bytes) == (3, 16)
    ask(asked, [1])
    assert function.calls == 3
    ask(asked, [2])
    assert function.calls == 4
    ask(asked, list(range(9)))  # larger than the memory
    assert memory.bytes <= 16


def test_a_network_is_asked_once_for_the_same_rows():
    network, split = toy.network(), toy.split(11)
    want = predict_rows(network, split, LENGTH, settings())["logits"]
    with remembered() as memory:
        for _ in range(2):
            np.testing.assert_array_equal(predict_rows(network, split, LENGTH, settings())["logits"], want)
            size = memory.bytes
        assert memory.bytes == size == want.nbytes
