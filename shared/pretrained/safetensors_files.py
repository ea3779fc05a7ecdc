"""Tensors of `.safetensors` files, and of weights that an index spreads over several files.

Read here and not by the `safetensors` package: that maps the file into memory, whose pages count as resident, and
knows no bfloat16 in NumPy.
Reference: https://github.com/huggingface/safetensors , section Format
"""

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.files import read_json
from shared.pretrained.paths import inside, is_plain_name
from shared.pretrained.tensors import DTYPES, Tensor, brief, checked_shape, file_size, is_size, read_span
from shared.pretrained.torch_files import read_torch

MAX_HEADER = 1 << 24  # bytes: some 150,000 tensors; parsed it takes ten times that of memory
_DTYPES = {
    "BOOL": "bool",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    **{
        f"{letter}{bits}": f"{kind}{bits}" for letter, kind in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
    },
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a file by name, unread, in the order of their bytes.

    Raises: UserError if the file is missing, truncated, a Git LFS pointer or no safetensors; if a dtype is not known,
        a shape does not fit its bytes, or the bytes of two tensors overlap or leave holes.
    """
    path = Path(path)
    size = file_size(path)
    header, start = _header(path, size)
    claims = [(name, *_claim(path, name, claim)) for name, claim in header.items() if name != "__metadata__"]
    end, tensors = 0, {}
    for name, dtype, shape, begin, stop in sorted(claims, key=lambda claim: claim[3:]):
        if begin != end:  # the format allows neither; overlaps would let a small file claim any amount of memory
            fault = "overlaps the tensor before it" if begin < end else "leaves a hole before it"
            raise UserError(
                f"{path}: {brief(name)} {fault}: begins at byte {begin:,}, expected {end:,}. Download it again."
            )
        end, tensors[name] = stop, Tensor(name, shape, dtype, path, partial(_read, path, start + begin, dtype, shape))
    if start + end != size:
        kind = "truncated" if start + end > size else "followed by other bytes"
        raise UserError(f"{path}: {kind}: {size:,} bytes, of {start + end:,} its header tells. Download it again.")
    return tensors


def read_sharded(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of all files that an index (`*.index.json`) names, in its order.

    Raises: UserError if the index is damaged or names a file outside its folder, if a file is missing, or if the index
        and the files do not name the same tensors.
    """
    path = Path(path)
    shards = read_index(path)
    found: dict[str, dict[str, Tensor]] = {}
    for shard in dict.fromkeys(shards.values()):
        reader = read_safetensors if shard.suffix == ".safetensors" else read_torch
        found[shard.name] = reader(shard)
    for name, shard in shards.items():
        if name not in found[shard.name]:
            raise UserError(f"{path}: places {brief(name)} in {shard.name}, which lacks it. Download both again.")
    for shard_name, tensors in found.items():
        for name in tensors:
            if name not in shards or shards[name].name != shard_name:
                raise UserError(
                    f"{path}: does not place {brief(name)} in {shard_name}, which has it. Download both again: "
                    "they are not of one release."
                )
    return {name: found[shard.name][name] for name, shard in shards.items()}


def read_index(path: Path) -> dict[str, Path]:
    """Returns the file of each tensor that an index names. Raises: UserError as read_sharded does."""
    path = Path(path)
    file_size(path)
    document = read_json(path)
    places = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise UserError(f"{path}: no 'weight_map' of tensor names to file names. Download it again.")
    files = {place: _shard(path, place) for place in dict.fromkeys(places.values())}
    missing = [place for place, file in files.items() if not file.exists()]
    if missing:
        raise UserError(
            f"{path}: {len(missing)} of the {len(files)} files it names are missing: {brief(', '.join(missing))}. "
            "The download is not complete."
        )
    return {name: files[place] for name, place in places.items()}


def _shard(index: Path, place: str) -> Path:
    if Path(place).suffix not in (".safetensors", ".bin", ".pt") or not is_plain_name(place):
        raise UserError(
            f"{index}: names the file {brief(place)}. Expected .safetensors or .bin files beside the index."
        )
    return inside(index.parent / place, index.parent)


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """Returns the header and the byte behind it."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= size - 8:
            raise UserError(
                f"{path}: not safetensors, or truncated: its first 8 bytes tell of a header of {length:,} bytes, "
                f"the file has {size:,}. Download it again."
            )
        if length > MAX_HEADER:
            raise UserError(f"{path}: a header of {length:,} bytes. Expected at most {MAX_HEADER:,}.")
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=partial(_distinct, path))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, integers of thousands of digits; too deep
        raise UserError(f"{path}: its header is no JSON: {brief(str(error))}. Download it again.") from None
    if not isinstance(header, dict):
        raise UserError(f"{path}: its header is no JSON object. Download it again.")
    return header, 8 + length


def _distinct(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise UserError(f"{path}: its header has {brief(name)} twice. Expected names that differ.")
        document[name] = value
    return document


def _claim(path: Path, name: str, claim: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Returns dtype, shape, first byte and the byte behind the last, counted from the header's end."""
    if not isinstance(claim, dict) or set(claim) != {"dtype", "shape", "data_offsets"}:
        raise UserError(f"{path}: {brief(name)} is {brief(claim)}. Expected dtype, shape and data_offsets.")
    if not isinstance(claim["dtype"], str) or claim["dtype"] not in _DTYPES:
        raise UserError(
            f"{path}: {brief(name)} has the dtype {brief(claim['dtype'])}. Expected one of {list(_DTYPES)}."
        )
    shape = checked_shape(claim["shape"], f"{path}: {brief(name)}")
    offsets = claim["data_offsets"]
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(is_size(offset) for offset in offsets):
        raise UserError(f"{path}: {brief(name)} has the data_offsets {brief(offsets)}. Expected two byte positions.")
    begin, stop = offsets
    dtype = _DTYPES[claim["dtype"]]
    expected = math.prod(shape) * DTYPES[dtype].itemsize
    if stop - begin != expected:
        raise UserError(
            f"{path}: {brief(name)} has the bytes {brief(offsets)}, but {dtype} of shape {list(shape)} takes "
            f"{brief(expected)}. Download it again."
        )
    return dtype, shape, begin, stop


def _read(path: Path, offset: int, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    return read_span(path, offset, DTYPES[dtype], math.prod(shape)).reshape(shape)
