"""Which paths a downloaded folder may lead to: its own files, and no others of this machine."""

import os
import re
from pathlib import Path

from shared.errors import UserError
from shared.pretrained.tensors import brief

# Stores that name a file by its hash and link to it: Hugging Face's cache (blobs/<hash>), DVC's (files/md5/ab/<rest>).
_STORES = re.compile(r"/blobs/[0-9a-f]{40,64}|/[0-9a-f]{2}/[0-9a-f]{30}|/[0-9a-f]{2}/[0-9a-f]{62}")


def is_plain_name(name: str) -> bool:
    """Whether a name from a stranger's file is that of a file and no path: no folders, drives or control characters."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set('/\\:*?"<>|') and len(name) <= 255


def inside(file: Path, folder: Path) -> Path:
    """Returns `file` if it lies in `folder` or is a link to a store that names files by their hashes.

    A link to any other place could bring a private file of this machine into a folder that is written from it.
    Raises: UserError if it leads elsewhere.
    """
    try:
        target, home = Path(os.path.realpath(file)), Path(os.path.realpath(folder))
    except (OSError, ValueError):
        raise UserError(f"{brief(str(file))}: cannot be resolved.") from None
    if home not in target.parents and not (file.is_symlink() and _STORES.fullmatch(_tail(target))):
        raise UserError(
            f"{file}: a link out of its folder, to {target}. Put the file itself there, or name the folder it lies in."
        )
    return file


def _tail(target: Path) -> str:
    return f"/{target.parent.name}/{target.name}"
