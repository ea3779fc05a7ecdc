"""Files are read as UTF-8 and written under a temporary name first, so that a final name never holds half a file."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.errors import UserError


def read_text(path: Path) -> str:
    """Returns the file's text: UTF-8, a byte order mark removed, line ends as they are.

    Raises: UserError if the file is missing, is a folder, cannot be read, or is not UTF-8 (with line and byte).
    """
    data = read_bytes(path)
    try:
        return data.decode("utf-8").removeprefix("\ufeff")  # utf-8-sig would count an error's offset without the mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}:{line}: not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}. "
            f"Convert the file first, e.g. iconv -f GB18030 -t UTF-8."
        ) from None


def read_bytes(path: Path) -> bytes:
    """Returns the file's bytes. Raises: UserError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}.") from None


def read_json(path: Path) -> Any:
    """Returns the parsed JSON document. Raises: UserError naming file:line:column."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}.") from None


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 with the line ends of `text`, atomically. Raises: UserError if it cannot be written."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Writes an indented JSON document, atomically; floats keep every digit."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def write_bytes(path: Path, data: bytes) -> None:
    """Writes to a temporary sibling, flushes it to disk, then renames it over `path`. Raises: UserError."""
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}. What stood there before is unchanged.") from None
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields an empty temporary sibling of `path`; on success it takes the place of `path`, on an error it is removed.

    Raises: UserError for a file system error inside the block (no space left, no permission).
    """
    path = Path(path)
    temporary = retired = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        os.chmod(temporary, 0o777 & ~_umask())
        yield temporary
        if path.exists():  # renamed, not deleted in place: an interruption would leave half of it under the final name
            retired = temporary.with_name(f"{temporary.name}.old")
            os.replace(path, retired)
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}. Nothing was left behind.") from error
    finally:
        if retired is not None and retired.exists() and not path.exists():
            os.replace(retired, path)
        for folder in (temporary, retired):
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """Returns the hexadecimal SHA-256 of the file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_folder(path: Path) -> str:
    """Returns one SHA-256 over the relative names and bytes of all files below `path`, in sorted order."""
    digest = hashlib.sha256()
    for file in sorted(p for p in Path(path).rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_file(file)}\n".encode())
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
