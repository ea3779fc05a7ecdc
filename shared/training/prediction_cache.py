"""Answers of networks kept by their inputs, for callers that ask the same again and again."""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator

import numpy as np

from shared.training.feed import Arrays

_active: "PredictionCache | None" = None


class PredictionCache:
    """What functions answered, as long as all of it stays below `most_bytes`; what comes later is computed each time.

    Nothing is dropped for the sake of newer answers: passes over the same rows, one after the other, would then find
    nothing as soon as one pass is larger than the cache.
    """

    def __init__(self, most_bytes: int):
        self.most_bytes, self.bytes = most_bytes, 0
        self._answers: dict[tuple[int, bytes], Arrays] = {}
        self._functions: dict[int, Callable[[Arrays], Arrays]] = {}  # held, so that no other function gets the number
        self._lock = threading.Lock()

    def of(self, function: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
        """Returns a function that answers as `function` does, with arrays that are not to be written to."""
        self._functions[id(function)] = function

        def answer(inputs: Arrays) -> Arrays:
            key = id(function), _digest(inputs)
            with self._lock:
                if key in self._answers:
                    return dict(self._answers[key])
            made = {name: _read_only(value) for name, value in function(inputs).items()}
            size = sum(value.nbytes for value in made.values())
            with self._lock:
                if key not in self._answers and self.bytes + size <= self.most_bytes:
                    self._answers[key] = made
                    self.bytes += size
            return dict(made)

        return answer


@contextlib.contextmanager
def cached_predictions(most_bytes: int = 2**31) -> Iterator[PredictionCache]:
    """While active, `predict_batches` asks a network once for equal inputs; its weights must not change meanwhile."""
    global _active
    before, _active = _active, PredictionCache(most_bytes)
    try:
        yield _active
    finally:
        _active = before


def cached(function: Callable[[Arrays], Arrays]) -> Callable[[Arrays], Arrays]:
    """Returns the function, with the answers of `cached_predictions` while that is active."""
    return function if _active is None else _active.of(function)


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
