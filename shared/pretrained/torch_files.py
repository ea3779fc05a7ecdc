"""Tensors of PyTorch's files (`pytorch_model.bin`): the zip since version 1.6, and the stream before.

Both are a pickle of a state dict whose tensors are views (offset, shape, strides) of storages, plain numbers elsewhere
in the file. The pickle is interpreted by `restricted_pickle`, which runs nothing of it.
Reference: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.pretrained.restricted_pickle import Function
from shared.pretrained.tensors import DTYPES, Tensor, brief, checked_shape, file_size, is_size, read_span
from shared.pretrained.torch_storages import Bytes, Storage, StorageType, read_stream, read_zip

WRAPPERS = ("state_dict", "model_state_dict", "model", "module")  # under which training scripts keep the weights


@dataclass(frozen=True)
class _View:
    """What a file says of a tensor, unchecked."""

    storage: Any
    offset: Any
    shape: Any
    strides: Any


def _empty() -> dict[Any, Any]:
    return {}  # and never dict(arguments): pairs that the file repeats would be copied each time


def _view(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, offset, shape, strides)


def _first(value: Any, *_: Any) -> Any:
    return value


_STORAGES = (
    *(("Float", "float32"), ("Double", "float64"), ("Half", "float16"), ("BFloat16", "bfloat16"), ("Bool", "bool")),
    *(("Long", "int64"), ("Int", "int32"), ("Short", "int16"), ("Char", "int8"), ("Byte", "uint8")),
)
_NAMES: dict[str, Any] = {
    "collections.OrderedDict": Function(_empty),
    "torch.Size": Function(_first),
    "torch._utils._rebuild_tensor": Function(_view),
    "torch._utils._rebuild_tensor_v2": Function(_view),
    "torch._utils._rebuild_parameter": Function(_first),
    "torch._utils._rebuild_parameter_with_state": Function(_first),
    **{f"torch.{name}Storage": StorageType(dtype) for name, dtype in _STORAGES},
}


def read_torch(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a state dict by name, unread, in its order; entries that are no tensors are left out.

    A state dict inside the dict of a training script is found under one of WRAPPERS.
    Raises: UserError if the file is missing, truncated, damaged or a Git LFS pointer; if its pickle asks for anything
        but tensors; or if a tensor reaches beyond its storage.
    """
    path = Path(path)
    size = file_size(path)
    with open(path, "rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"PK\x03\x04":
            value, storages = read_zip(path, file, size, _NAMES)
        elif start[:1] == b"\x80":  # every pickle since protocol 2
            value, storages = read_stream(path, file, size, _NAMES)
        else:
            raise UserError(f"{path}: begins with {start!r}, as no file of PyTorch does. Download it again.")
    views = _state_dict(path, value)
    return {name: _tensor(path, name, view, storages) for name, view in views.items()}


def _state_dict(path: Path, value: Any) -> dict[str, _View]:
    """Returns the entries that are tensors: those of the dict, or else of the dict in it that has a wrapper's name."""
    if type(value) is not dict:
        raise UserError(f"{path}: holds a {type(value).__name__}. Expected a state dict: names and tensors.")
    for where in (value, *(value[name] for name in WRAPPERS if type(value.get(name)) is dict)):
        views = {name: entry for name, entry in where.items() if isinstance(entry, _View)}
        if views:
            if not all(type(name) is str for name in views):
                raise UserError(f"{path}: has tensors whose names are no text. Expected a state dict.")
            return views
    raise UserError(f"{path}: holds no tensors under {brief(list(value))}. Expected a state dict: names and tensors.")


def _tensor(path: Path, name: str, view: _View, storages: Mapping[str, Bytes]) -> Tensor:
    where = f"{path}: {brief(name)}"
    storage = view.storage
    if not isinstance(storage, Storage):
        raise UserError(f"{where} is a view of {brief(storage)}. Expected a storage of the file.")
    dtype = DTYPES[storage.dtype]
    place = storages.get(storage.key)
    if place is None:
        raise UserError(f"{where}: its storage {storage.key} is not in the file. Download it again.")
    if place.size != storage.size * dtype.itemsize:
        raise UserError(
            f"{where}: its storage {storage.key} has {place.size:,} bytes, expected {storage.size:,} of "
            f"{storage.dtype}. Download it again."
        )
    shape = checked_shape(view.shape, where)
    strides = view.strides
    if not isinstance(strides, tuple) or len(strides) != len(shape) or not all(is_size(stride) for stride in strides):
        raise UserError(f"{where} has the strides {brief(strides)} for the shape {list(shape)}. Download it again.")
    count = math.prod(shape)
    # Elements from the first to the last; those of a tensor are distinct, else a small file could claim all memory.
    span = 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True)) if count else 0
    if not is_size(view.offset) or view.offset + span > storage.size or count > span:
        raise UserError(
            f"{where}: shape {list(shape)}, strides {list(strides)} and offset {brief(view.offset)} do not fit "
            f"its storage of {storage.size:,} elements. Download it again."
        )
    crc = place.crc if span == storage.size else None
    start = place.start + view.offset * dtype.itemsize
    return Tensor(name, shape, storage.dtype, path, partial(_read, path, name, start, dtype, span, shape, strides, crc))


def _read(
    path: Path,
    name: str,
    start: int,
    dtype: np.dtype,
    span: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    crc: int | None,
) -> np.ndarray:
    """Returns the view. Transposed ones stay so, in the order of the file: copying would take the memory twice."""
    values = read_span(path, start, dtype, span)
    if crc is not None and zlib.crc32(values.view(np.uint8).data) != crc:
        raise UserError(f"{path}: {brief(name)}: its bytes are damaged (CRC-32). Download the file again.")
    if not span:
        return values.reshape(shape)
    axes = sorted(range(len(shape)), key=lambda axis: (-strides[axis], -shape[axis]))
    if math.prod(shape) == span and _is_dense([shape[axis] for axis in axes], [strides[axis] for axis in axes]):
        return values.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))
    steps = [stride * dtype.itemsize for stride in strides]
    return np.array(np.lib.stride_tricks.as_strided(values, shape, steps))  # the copy has no elements twice


def _is_dense(shape: list[int], strides: list[int]) -> bool:
    """Whether these are the strides of an array in C order; those of axes of length 1 do not matter."""
    step = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length > 1 and stride != step:
            return False
        step *= length
    return True
