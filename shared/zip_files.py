"""Zips from strangers are read with care, in memory only; zips of ours have the same bytes everywhere."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from shared.errors import UserError
from shared.files import read_bytes

MAX_BYTES = 1 << 28  # of all files of a zip, unpacked: half a million lines of the usual 500 bytes
OLDEST_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can tell


def zip_of(name: str, content: bytes) -> bytes:
    """Returns a zip with one file; equal content gives equal bytes.

    It is not compressed, since another version of zlib would give other bytes.
    """
    member = zipfile.ZipInfo(name, OLDEST_TIME)
    member.create_system, member.external_attr = 3, 0o644 << 16  # Unix, a plain file: else the platform would decide
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(member, content, zipfile.ZIP_STORED)
    return archive.getvalue()


def is_zip(content: bytes) -> bool:
    """Whether bytes begin as a zip does, one without any file included."""
    return content.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def read_zip(path: Path, expected: str) -> Iterator[tuple[str, bytes]]:
    """Yields name and bytes of every file of a zip; folders are left out.

    Args: expected: the file that should be in it, for messages.
    Raises: UserError if the file is missing, is no zip, is damaged or encrypted, is compressed in an unusual way, or
        unpacks to more than MAX_BYTES.
    """
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [archive.getinfo(name) for name in archive.namelist()]
            _check(path, members)
            for member in members:
                if not member.filename.endswith("/"):  # a folder; is_dir() would fail on an empty name
                    yield member.filename, archive.read(member)
    except zipfile.BadZipFile as error:
        raise UserError(f"{path}: not a zip, or a damaged one: {error}. Expected a zip with {expected}.") from None
    except (zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:  # RuntimeError: encrypted
        raise UserError(f"{path}: cannot be read: {error}. Expected a zip with {expected}.") from None


def _check(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raises: UserError. zipfile reads no more of a member than the size it declares, so the declared ones will do."""
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES:
        raise UserError(f"{path}: would unpack to {size:,} bytes. Expected at most {MAX_BYTES:,}.")
    for member in members:
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{path}: {member.filename} is compressed by method {member.compress_type}. Use deflate.")
