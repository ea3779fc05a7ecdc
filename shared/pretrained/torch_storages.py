"""The two containers of PyTorch's files: where the numbers lie, and the pickle beside them."""

import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from shared.errors import UserError
from shared.pretrained.restricted_pickle import MAX_BYTES, load_pickle
from shared.pretrained.tensors import DTYPES, brief, is_size

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first value of the stream
LEGACY_PROTOCOL = 1001  # the second


@dataclass(frozen=True)
class StorageType:
    """Stands for a class like torch.FloatStorage."""

    dtype: str


@dataclass(frozen=True)
class Storage:
    """What a pickle says of an array of plain numbers elsewhere in the file."""

    key: str
    dtype: str
    size: int  # elements


@dataclass(frozen=True)
class Bytes:
    """Where the file has the numbers of a storage. crc: of them, None if not known."""

    start: int
    size: int
    crc: int | None = None


def read_zip(path: Path, file: BinaryIO, size: int, names: Mapping[str, Any]) -> tuple[Any, dict[str, Bytes]]:
    """Returns the value of `NAME/data.pkl` and where each `NAME/data/KEY` lies.

    Args: size: of the file. names: for `load_pickle`.
    Raises: UserError if the zip is damaged, compressed, ambiguous, or holds a pickle of more than tensors.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OverflowError, OSError) as error:
        raise UserError(f"{path}: truncated or damaged: {brief(str(error))}. Download it again.") from None
    places: dict[str, Bytes] = {}
    for member in members:
        if member.filename in places:
            raise UserError(f"{path}: has the member {brief(member.filename)} twice. Expected names that differ.")
        places[member.filename] = _place(path, file, size, member)
    end = 0
    for name, place in sorted(places.items(), key=lambda item: item[1].start):
        if place.start < end:
            raise UserError(f"{path}: its member {brief(name)} overlaps the one before. Download it again.")
        end = place.start + place.size
    roots = [name.removesuffix("data.pkl") for name in places if re.fullmatch(r"[^/]+/data\.pkl", name)]
    if len(roots) != 1:
        raise UserError(
            f"{path}: a zip with {len(roots)} state dicts (NAME/data.pkl). Expected the one of a pytorch_model.bin."
        )
    root = roots[0]
    if f"{root}byteorder" in places and _content(path, file, places[f"{root}byteorder"], 16) != b"little":
        raise UserError(f"{path}: big-endian. Have it saved again on an ordinary machine.")
    state = places[f"{root}data.pkl"]
    pickle = io.BytesIO(_content(path, file, state, MAX_BYTES))
    value = load_pickle(pickle, str(path), names, partial(_persistent, path, 5))
    prefix = f"{root}data/"
    return value, {name.removeprefix(prefix): place for name, place in places.items() if name.startswith(prefix)}


def _place(path: Path, file: BinaryIO, size: int, member: zipfile.ZipInfo) -> Bytes:
    """Returns where the bytes of a member lie. The directory's sizes count: the member's own header may have none."""
    name = brief(member.filename)
    parts = member.filename.split("/")
    if member.filename != member.orig_filename or "\\" in member.filename or {"", ".", ".."} & set(parts):
        raise UserError(f"{path}: has the member {brief(member.orig_filename)}. Expected plain names in one folder.")
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size or member.flag_bits & 1:
        raise UserError(
            f"{path}: its member {name} is compressed or encrypted, which PyTorch never does. Download it again."
        )
    try:
        file.seek(member.header_offset)
        header = file.read(30)
    except (OSError, ValueError, OverflowError):  # a place before the file or beyond all files
        header = b""
    start = (
        member.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    )
    if not header.startswith(b"PK\x03\x04") or start + member.file_size > size:
        raise UserError(f"{path}: its member {name} is not where the directory says. Download it again.")
    return Bytes(start, member.file_size, member.CRC or None)  # 0: PyTorch was told to compute none


def read_stream(path: Path, file: BinaryIO, size: int, names: Mapping[str, Any]) -> tuple[Any, dict[str, Bytes]]:
    """Returns the value of the stream before version 1.6, and where its storages lie.

    Five pickles follow each other: magic number, protocol, properties of the machine, state dict, keys of storages;
    then the size and the bytes of each of these.
    Args and Raises: as read_zip.
    """
    claimed: dict[str, Storage] = {}

    def persistent(value: Any) -> Storage:
        storage = _persistent(path, 6, value)
        if claimed.setdefault(storage.key, storage) != storage:
            raise UserError(f"{path}: tells two sizes or dtypes of the storage {storage.key}. Download it again.")
        return storage

    def load() -> Any:
        return load_pickle(file, str(path), names, persistent)

    if load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL:
        raise UserError(f"{path}: a pickle, but none of PyTorch's. Expected the file that torch.save writes.")
    machine = load()
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise UserError(f"{path}: big-endian, or damaged. Have it saved again on an ordinary machine.")
    value, keys = load(), load()
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise UserError(f"{path}: its list of storages is damaged. Download it again.")
    places = {}
    for key in keys:
        if key not in claimed:
            raise UserError(f"{path}: has the storage {brief(key)}, which no tensor uses. Download it again.")
        storage, count, start = claimed[key], int.from_bytes(file.read(8), "little"), file.tell()
        length = storage.size * DTYPES[storage.dtype].itemsize
        if count != storage.size or start + length > size:
            raise UserError(
                f"{path}: truncated or damaged: the storage {brief(key)} should have {length:,} bytes at {start:,}, "
                f"the file has {size:,}. Download it again."
            )
        places[key] = Bytes(start, length)
        file.seek(start + length)
    if file.tell() != size:
        raise UserError(
            f"{path}: {size - file.tell():,} bytes follow the last tensor. Expected none: download it again."
        )
    return value, places


def _persistent(path: Path, length: int, value: Any) -> Storage:
    """Returns the storage that a persistent id names: ('storage', type, key, location, size[, None])."""
    if type(value) is not tuple or len(value) != length or type(value[0]) is not str or value[0] != "storage":
        raise UserError(f"{path}: its pickle refers to {brief(value)}. Expected a storage in the same file.")
    _, kind, key, device, size, *view = value
    if (
        not isinstance(kind, StorageType)
        or type(key) is not str
        or not re.fullmatch(r"[0-9]{1,20}", key)  # a number; a name could be a path
        or type(device) is not str
        or not is_size(size)
        or view not in ([], [None])  # views of storages ended with version 0.4
    ):
        raise UserError(f"{path}: its pickle refers to {brief(value)}. Expected a numbered storage in the same file.")
    return Storage(key, kind.dtype, size)


def _content(path: Path, file: BinaryIO, place: Bytes, limit: int) -> bytes:
    if place.size > limit:
        raise UserError(f"{path}: a member of {place.size:,} bytes, expected {limit:,} at most. Is it a state dict?")
    file.seek(place.start)
    content = file.read(place.size)
    if place.crc is not None and zlib.crc32(content) != place.crc:
        raise UserError(f"{path}: its pickle is damaged (CRC-32). Download it again.")
    return content
