"""A split of a data set as flat arrays, one `.safetensors` file: compact, read field by field, free of pickle."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import DTypeLike

from shared.errors import UserError
from shared.files import write_bytes

VERSION = 1


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths laid end to end.

    values: (total,) any dtype. offsets: (rows + 1,) int64; row i is values[offsets[i]:offsets[i + 1]].
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[int] | np.ndarray], dtype: DTypeLike) -> "Ragged":
        """Joins rows; dtype: of the values."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        values = np.concatenate([np.asarray(row, dtype) for row in rows]) if len(rows) else np.zeros(0, dtype)
        return cls(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "Ragged":
        """Stores texts as their UTF-8 bytes; lone surrogates survive."""
        return cls.of([np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8) for text in texts], np.uint8)

    def texts(self) -> list[str]:
        """The inverse of `of_texts`."""
        data = self.values.tobytes()
        bounds = itertools.pairwise(self.offsets.tolist())
        return [data[start:end].decode("utf-8", "surrogatepass") for start, end in bounds]

    @property
    def lengths(self) -> np.ndarray:
        """(rows,) int64."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    def padded(self, rows: np.ndarray, width: int, fill: int = 0) -> np.ndarray:
        """Returns (len(rows), width) int32: the chosen rows, cut at `width`, filled up with `fill`."""
        starts, lengths = self.offsets[rows], np.minimum(self.lengths[rows], width)
        column = np.arange(width)
        inside = column < lengths[:, None]  # (rows, width)
        result = np.full(inside.shape, fill, np.int32)
        result[inside] = self.values[(starts[:, None] + column)[inside]]
        return result


Field = np.ndarray | Ragged


class Split(Mapping[str, Field]):
    """Named fields of equal row count: dense arrays of shape (rows, ...) and `Ragged` ones."""

    def __init__(self, fields: Mapping[str, Field]):
        self._fields: Mapping[str, Field] = dict(fields)
        counts = {name: len(field) for name, field in self._fields.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f"fields of one split differ in rows: {counts}")
        self.rows = next(iter(counts.values()), 0)

    def __getitem__(self, name: str) -> Field:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def dense(self, name: str) -> np.ndarray:
        """Returns a dense field. Raises: TypeError if it is ragged."""
        field = self._fields[name]
        if isinstance(field, Ragged):
            raise TypeError(f"field {name!r} is ragged")
        return field

    def ragged(self, name: str) -> Ragged:
        """Returns a ragged field. Raises: TypeError if it is dense."""
        field = self._fields[name]
        if not isinstance(field, Ragged):
            raise TypeError(f"field {name!r} is dense")
        return field

    def take(self, rows: np.ndarray) -> "Split":
        """Returns the rows of the given numbers, in their order."""
        return Split(
            {
                name: Ragged.of([field[row] for row in rows], field.values.dtype)
                if isinstance(field, Ragged)
                else field[rows]
                for name, field in self.items()
            }
        )

    def save(self, path: Path) -> None:
        """Writes the split to one file, atomically and byte for byte reproducibly."""
        tensors: dict[str, np.ndarray] = {}
        for name, field in self._fields.items():
            if isinstance(field, Ragged):
                tensors[f"{name}.values"], tensors[f"{name}.offsets"] = field.values, field.offsets
            else:
                tensors[name] = np.ascontiguousarray(field)
        metadata = {"split": json.dumps({"version": VERSION, "rows": self.rows, "fields": list(self)})}
        write_bytes(path, safetensors.numpy.save(tensors, metadata=metadata))

    @classmethod
    def load(cls, path: Path) -> "Split":
        """Opens a file written by `save`; a field is read when it is first asked for.

        Raises: UserError if the file is absent, damaged or of another version.
        """
        stored = _StoredFields(path)
        split = cls({})
        split._fields, split.rows = stored, stored.rows
        return split


class _StoredFields(Mapping[str, Field]):
    """The fields of a split's file, each read once, on demand: training needs no texts."""

    def __init__(self, path: Path):
        self.path, self.read = path, dict[str, Field]()
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})["split"])
                version, self.rows, self.names = header["version"], header["rows"], header["fields"]
                self.stored = set(file.keys())
        except FileNotFoundError:
            raise UserError(f"{path}: no such file. Run the prepare stage first.") from None
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: not a prepared split ({error}). Run the prepare stage again.") from None
        if version != VERSION:
            raise UserError(
                f"{path}: version {version}, this kit reads version {VERSION}. Run the prepare stage again."
            )

    def __getitem__(self, name: str) -> Field:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.read:
            with safetensors.safe_open(self.path, framework="numpy") as file:
                self.read[name] = (
                    file.get_tensor(name)
                    if name in self.stored
                    else Ragged(file.get_tensor(f"{name}.values"), file.get_tensor(f"{name}.offsets"))
                )
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)
