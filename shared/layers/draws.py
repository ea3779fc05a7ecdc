"""What chance depends on in a training step: the seed and number of the step, the layer, and the row of the batch."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops


@dataclass(frozen=True)
class Draws:
    """The source of chance of one pass over rows of a batch.

    Two passes with equal keys draw equal numbers, whatever devices or micro-batches the rows are divided among, and
    when a pass is computed a second time to save memory.

    key: () uint32, of the step. first_row: () int, the place of the first row at hand in the whole batch, or None where
    all rows are at hand. rows: int or () int, of the whole batch, or None. part: int, tells apart the passes through a
    layer that is applied several times.
    """

    key: Any
    first_row: Any = None
    rows: Any = None
    part: int = 0


_current: ContextVar[Draws | None] = ContextVar("draws", default=None)


def current() -> Draws | None:
    """Returns the source of chance in force, or None outside of any."""
    return _current.get()


@contextmanager
def drawing(draws: Draws | None) -> Iterator[None]:
    """Layers that are called in the block draw from `draws`; None: as outside of any."""
    token = _current.set(draws)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def drawing_part(part: int) -> Iterator[None]:
    """Layers that are called in the block draw other numbers than in blocks with other numbers of a part."""
    draws = _current.get()
    token = _current.set(draws and replace(draws, part=part))
    try:
        yield
    finally:
        _current.reset(token)


def step_key(seed: Any, step: Any) -> Any:
    """Returns the key of an optimizer step: () uint32. Args: seed: int, of the run. step: () int, steps done before."""
    spread = ops.convert_to_tensor(np.uint32(0x9E3779B1))  # next steps' keys differ in half of their bits
    return ops.cast(step, "uint32") * spread + ops.cast(seed, "uint32")


def random_bits(draws: Draws, salt: int, shape: tuple) -> Any:
    """Returns evenly distributed 16-bit numbers for the rows at hand: `shape` uint16.

    Args: salt: int, of the layer. shape: that of the rows at hand, rows first; ints or () int.
    """
    here, *rest, last = shape
    salt = (salt * 0x85EBCA6B + draws.part * 0xC2B2AE35) % 2**31
    seed = _Seed(ops.stack([draws.key, ops.cast(salt, "uint32")]))
    rows = here if draws.rows is None else draws.rows
    # Two 16-bit numbers from each 32 bits: the generator takes most of dropout's time on a CPU.
    pairs = -(-last // 2)
    words = keras.random.randint((rows, *rest, pairs, 1), -(2**31), 2**31 - 1, dtype="int32", seed=seed)
    bits = ops.reshape(ops.view(words, "uint16"), (rows, *rest, 2 * pairs))[..., :last]
    if draws.first_row is None:
        return bits
    return ops.slice(bits, (draws.first_row, *[0] * (len(shape) - 1)), shape)


class _Seed(keras.random.SeedGenerator):
    """A seed that is a tensor."""

    def __init__(self, value: Any):
        self.value = value

    def next(self, ordered: bool = True) -> Any:
        """Returns the seed, always the same."""
        return self.value
