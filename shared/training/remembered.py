"""Answers of networks kept by their inputs, for callers that ask the same again and again."""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

import numpy as np

from shared.training.feed import Arrays

_memory: "Memory | None" = None


class Memory:
    """What functions answered; beyond `most_bytes` of answers, those longest unused are forgotten."""

    def __init__(self, most_bytes: int):
        self.most_bytes, self.bytes = most_bytes, 0
        self._answers: OrderedDict[tuple[int, bytes], Arrays] = OrderedDict()
        self._functions: dict[int, Callable[[Arrays], Arrays]] = {}  # held, so that no other function gets the number
        self._lock = threading.Lock()

    def of(self, function: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
        """Returns a function that answers as `function` does, with arrays that are not to be written to."""
        self._functions[id(function)] = function

        def answer(inputs: Arrays) -> Arrays:
            key = id(function), _digest(inputs)
            with self._lock:
                if key in self._answers:
                    self._answers.move_to_end(key)
                    return dict(self._answers[key])
            made = {name: _read_only(value) for name, value in function(inputs).items()}
            with self._lock:
                if key not in self._answers:
                    self._answers[key] = made
                    self.bytes += _bytes(made)
                while self.bytes > self.most_bytes:
                    self.bytes -= _bytes(self._answers.popitem(last=False)[1])
            return dict(made)

        return answer


@contextlib.contextmanager
def remembered(most_bytes: int = 2**31) -> Iterator[Memory]:
    """While active, `predictor` gives functions that remember; for weights that do not change meanwhile."""
    global _memory
    before, _memory = _memory, Memory(most_bytes)
    try:
        yield _memory
    finally:
        _memory = before


def remembering(function: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
    """Returns the function, remembering while `remembered` is active."""
    return function if _memory is None else _memory.of(function)


def _digest(inputs: Arrays) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(inputs):
        value = np.ascontiguousarray(inputs[name])
        digest.update(f"{name} {value.dtype} {value.shape}\0".encode())
        digest.update(value.view(np.uint8).data)
    return digest.digest()


def _read_only(value: np.ndarray) -> np.ndarray:
    view = np.asarray(value).view()
    view.flags.writeable = False
    return view


def _bytes(arrays: Arrays) -> int:
    return sum(value.nbytes for value in arrays.values())
