"""Tensors of TensorFlow's checkpoints: `PREFIX.index` and `PREFIX.data-00000-of-00001`.

Reference: tf.train.load_checkpoint; the format is described in tensorflow/core/util/tensor_bundle/tensor_bundle.h
"""

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.pretrained.paths import inside
from shared.pretrained.tensors import DTYPES, Tensor, brief, checked_shape, file_size

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"  # how TensorFlow 2 remembers its objects: text, and none of the weights
_FAILURES = (LookupError, MemoryError, RuntimeError, ValueError)  # as which some of TensorFlow's errors arrive


def read_tensorflow(prefix: Path) -> dict[str, Tensor]:
    """Returns the tensors of a checkpoint by name, unread, sorted; variables of optimizers are among them.

    The file `checkpoint` beside it, which may name another place, is not looked at.
    Args: prefix: the path without .index.
    Raises: UserError if a file is missing, truncated, damaged or a Git LFS pointer.
    """
    prefix = Path(prefix)
    shards = tensorflow_files(prefix)[1:]
    room = sum(file_size(shard) for shard in shards)
    reader, shapes, dtypes = _open(prefix)
    tensors = {}
    for name, shape in sorted(shapes.items()):
        if name == OBJECT_GRAPH:
            continue
        where, dtype = f"{prefix}: {brief(name)}", dtypes[name].name
        if dtype not in DTYPES:
            raise UserError(f"{where} has the dtype {dtype}. Expected one of {list(DTYPES)}.")
        checked = checked_shape(shape, where)
        tensors[name] = Tensor(name, checked, dtype, shards[0], partial(_read, prefix, reader, name, checked, dtype))
    needed = sum(tensor.bytes for tensor in tensors.values())
    if needed > room:  # before anything is allocated for them
        raise UserError(
            f"{prefix}: truncated: its tensors take {needed:,} bytes, its data files have {room:,}. "
            "Download them again."
        )
    return tensors


def tensorflow_files(prefix: Path) -> tuple[Path, ...]:
    """Returns the index and the data files of a checkpoint. Raises: UserError if one is missing or an LFS pointer."""
    index = inside(prefix.with_name(f"{prefix.name}.index"), prefix.parent)
    file_size(index)
    pattern = re.compile(rf"{re.escape(prefix.name)}\.data-(\d{{5}})-of-(\d{{5}})")
    found = {match.groups(): file for file in prefix.parent.iterdir() if (match := pattern.fullmatch(file.name))}
    counts = {int(count) for _, count in found}
    if len(counts) != 1:
        names = brief(", ".join(sorted(file.name for file in found.values())) or "none")
        raise UserError(
            f"{index}: its data files are missing or of two checkpoints: found {names}, expected {prefix.name}"
            ".data-00000-of-00001 or the like. The download is not complete."
        )
    count = counts.pop()
    missing = [number for number in range(count) if (f"{number:05}", f"{count:05}") not in found]
    if missing:
        name = f"{prefix.name}.data-{missing[0]:05}-of-{count:05}"
        raise UserError(f"{index}: {len(missing)} of its {count} data files are missing: {name}. Download them again.")
    shards = [inside(found[key], prefix.parent) for key in sorted(found)]
    for shard in shards:
        file_size(shard)
    return index, *shards


def _open(prefix: Path) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Returns the reader, the shapes and the dtypes by name."""
    path = os.path.abspath(prefix)
    if set(path) & set("*?[]"):
        raise UserError(f"{prefix}: TensorFlow takes * ? [ ] in a path for a pattern. Rename the file or folder.")
    if prefix.is_dir():  # TensorFlow would follow the file `checkpoint` in it
        raise UserError(f"{prefix}: a folder has the name of the checkpoint beside it. Rename the folder.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf  # here, for its import takes seconds

    try:
        reader = tf.train.load_checkpoint(path)
        return reader, reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    except (tf.errors.OpError, *_FAILURES) as error:
        raise _damaged(prefix, error) from None


def _read(prefix: Path, reader: Any, name: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    import tensorflow as tf

    try:
        array = np.asarray(reader.get_tensor(name))
    except (tf.errors.OpError, *_FAILURES) as error:
        raise _damaged(prefix, error, name) from None
    if array.shape != shape or array.dtype != DTYPES[dtype]:
        raise UserError(f"{prefix}: {brief(name)} reads as {array.dtype} {array.shape}. Download the checkpoint again.")
    return array


def _damaged(prefix: Path, error: Exception, name: str = "") -> UserError:
    of = f": {brief(name)}" if name else ""
    return UserError(f"{prefix}{of}: truncated or damaged: {brief(str(error))}. Download the checkpoint again.")
