"""A tensor of a published checkpoint: what its file claims about it, and how to read it alone."""

import math
import os
import reprlib
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes  # NumPy has no bfloat16
import numpy as np

from shared.errors import UserError

DTYPES: dict[str, np.dtype] = {
    name: np.dtype(name)
    for name in (
        *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
        *("float16", "float32", "float64"),
    )
} | {name: np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")}
MAX_SIZE = 1 << 63  # of a dimension; larger ones, which a pickle can hold, would make arithmetic itself slow
MAX_DIMENSIONS = 32  # of any format and of NumPy 1; no published encoder has more than 3
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True)
class Tensor:
    """One array of a checkpoint that is read when it is asked for, so that only one need be in memory.

    name: as published. shape: () is a scalar. dtype: as stored, a key of DTYPES. file: which holds its bytes.
    read() -> a fresh array of that shape and dtype. Raises UserError if the bytes are gone or damaged.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: Path
    read: Callable[[], np.ndarray] = field(repr=False, compare=False)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes that the array takes in memory."""
        return self.size * DTYPES[self.dtype].itemsize


def file_size(path: Path) -> int:
    """Returns the size of a file in bytes, having seen that it is one and not a stand-in for one.

    Raises: UserError if it is missing, empty, unreadable, not a regular file (a named pipe would block), or a pointer
        of Git LFS.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: not a file. Expected a file of a checkpoint.")
        with open(path, "rb") as file:
            start = file.read(len(LFS_POINTER))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None
    if start == LFS_POINTER:
        raise UserError(
            f"{path}: a Git LFS pointer of {status.st_size} bytes, not the file itself. "
            "Run 'git lfs pull' in its repository, or download the file from where it is published."
        )
    if not status.st_size:
        raise UserError(f"{path}: empty. Download it again.")
    return status.st_size


def checked_shape(shape: Any, where: str) -> tuple[int, ...]:
    """Returns a claimed shape as a tuple. Raises: UserError if it is no list of sizes, or one is negative."""
    if not isinstance(shape, list | tuple) or len(shape) > MAX_DIMENSIONS or not all(is_size(size) for size in shape):
        raise UserError(
            f"{where} has the shape {brief(shape)}. Expected at most {MAX_DIMENSIONS} sizes, none negative."
        )
    return tuple(shape)


def is_size(value: Any) -> bool:
    """Whether a value of a stranger's file can be a size or a position."""
    return type(value) is int and 0 <= value < MAX_SIZE  # isinstance would pass a bool


def read_span(path: Path, offset: int, dtype: np.dtype, count: int) -> np.ndarray:
    """Returns `count` elements of the file from byte `offset` on: (count,), little-endian, in memory of their own.

    A plain read: pages of a memory map would count as resident beside the copy that is made of them.
    Raises: UserError if the file cannot be read or ends before.
    """
    try:
        with open(path, "rb") as file:
            available = os.fstat(file.fileno()).st_size - offset
            if available >= count * dtype.itemsize:  # else np.fromfile would allocate first and shrink then
                file.seek(offset)
                array = np.fromfile(file, dtype, count)
                if len(array) == count:
                    return array
    except FileNotFoundError:
        raise UserError(f"{path}: no such file any more.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}.") from None
    raise UserError(f"{path}: has shrunk since it was opened: no {count} values at byte {offset:,}. Download it again.")


def brief(value: Any) -> str:
    """Returns a value from a stranger's file for a message: one line, at most 80 characters.

    The repr of a few nested tuples that share their parts can have more characters than memory has bytes.
    """
    try:
        text = _REPR.repr(value)
    except ValueError:  # an integer of more digits than Python converts
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."


_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring = 2, 80
