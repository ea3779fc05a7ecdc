"""Writes files as torch.save does, without torch: the pickle of a state dict, with the numbers beside it.

Checked by hand against torch 2.13: it reads what this writes, and `read_torch` what it writes.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = dict(
    [
        *[("float32", "FloatStorage"), ("float64", "DoubleStorage"), ("float16", "HalfStorage")],
        *[("bfloat16", "BFloat16Storage"), ("int64", "LongStorage"), ("int32", "IntStorage")],
        *[("int16", "ShortStorage"), ("int8", "CharStorage"), ("uint8", "ByteStorage"), ("bool", "BoolStorage")],
    ]
)


class Global:
    """A name that the pickle asks for."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Call:
    """A call that the pickle asks for."""

    def __init__(self, function: Any, *arguments: Any):
        self.function, self.arguments = function, arguments


class Persistent:
    """A persistent id."""

    def __init__(self, value: Any):
        self.value = value


class Built:
    """A value, and the state that BUILD gives it."""

    def __init__(self, value: Any, state: Any):
        self.value, self.state = value, state


class Raw:
    """Opcodes as they are."""

    def __init__(self, opcodes: bytes):
        self.opcodes = opcodes


ORDERED_DICT = Global("collections", "OrderedDict")


def parameter(array: np.ndarray) -> Call:
    """As torch.nn.Parameter is pickled."""
    return Call(Global("torch._utils", "_rebuild_parameter"), array, True, Call(ORDERED_DICT))


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Call:
    """As a tensor is pickled; whatever its claims."""
    return Call(
        Global("torch._utils", "_rebuild_tensor_v2"), storage, offset, shape, strides, False, Call(ORDERED_DICT)
    )


def write_zip(
    path: Path,
    value: Any,
    protocol: int = 2,
    change: Callable[[dict[str, bytes]], Any] = lambda members: None,
    **options: Any,
) -> Path:
    """Writes the format since 1.6. change: alters the members, name -> bytes. options: of zipfile.ZipFile."""
    pickled, storages = _pickled(value, protocol, legacy=False)
    members = {"archive/data.pkl": pickled, "archive/byteorder": b"little"}
    members |= {f"archive/data/{key}": array.tobytes() for key, array in enumerate(storages)}
    members["archive/version"] = b"3\n"
    change(members)
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def write_stream(
    path: Path,
    value: Any,
    protocol: int = 2,
    machine: Any = None,
    keys: Any = None,
    end: bytes = b"",
) -> Path:
    """Writes the format before 1.6. machine, keys: in place of the usual. end: bytes behind the last tensor."""
    pickled, storages = _pickled(value, protocol, legacy=True)
    usual = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    numbers = [str(key) for key in range(len(storages))]
    first = [0x1950A86A20F9469CFC6C, 1001, usual if machine is None else machine]
    content = b"".join(_pickled(part, protocol, legacy=True)[0] for part in first) + pickled
    content += _pickled(numbers if keys is None else keys, protocol, legacy=True)[0]
    content += b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages)
    path.write_bytes(content + end)
    return path


def _pickled(value: Any, protocol: int, legacy: bool) -> tuple[bytes, list[np.ndarray]]:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, protocol, legacy)
    pickler.dump(value)
    return buffer.getvalue(), pickler.storages


class _Pickler(pickle._Pickler):  # the one in Python, whose `save` can be extended
    def __init__(self, file: io.BytesIO, protocol: int, legacy: bool):
        super().__init__(file, protocol)
        self.storages: list[np.ndarray] = []
        self._legacy = legacy
        self._kept: list[Any] = []  # the pickler knows objects by their address

    def persistent_id(self, value: Any) -> Any:
        return value.value if isinstance(value, Persistent) else None

    def save(self, value: Any, save_persistent_id: bool = True) -> None:
        self._kept.append(value)
        if isinstance(value, np.ndarray):
            value = self._tensor(value)
            self._kept.append(value)
        if isinstance(value, Raw):
            self.write(value.opcodes)
        elif isinstance(value, Built):
            self.save(value.value)
            self.save(value.state)
            self.write(pickle.BUILD)
        elif isinstance(value, Global) and self.proto < 4:
            self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        elif isinstance(value, Global):
            self.save(value.module)
            self.save(value.name)
            self.write(pickle.STACK_GLOBAL)
        elif isinstance(value, Call):
            self.save(value.function)
            self.save(value.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(value, save_persistent_id)

    def _tensor(self, array: np.ndarray) -> Call:
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        key = next((key for key, known in enumerate(self.storages) if known is base), len(self.storages))
        if key == len(self.storages):
            self.storages.append(base)
        kind = Global("torch", STORAGES[base.dtype.name])
        storage = ("storage", kind, str(key), "cpu", base.size, *([None] if self._legacy else []))
        start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
        strides = tuple(stride // array.itemsize for stride in array.strides)
        return tensor(Persistent(storage), start // array.itemsize if array.size else 0, array.shape, strides)
