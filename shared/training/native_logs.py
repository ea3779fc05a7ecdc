"""Keeps the start-up chatter of TensorFlow's C++ libraries off the terminal; no environment variable does."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

_CHATTER = re.compile(
    r"WARNING: All log messages before absl|[IWE]\d{4} .*(oneDNN custom operations|[Cc][Uu][Dd][Aa]|cuInit)"
)


@contextlib.contextmanager
def without_chatter() -> Iterator[None]:
    """Holds back standard error at the level of the process for the time of the block, then passes on the rest of it.

    What is dropped: that oneDNN is on, and that there is no CUDA driver. Everything is passed on if the block fails.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    failed = True
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            for line in held.read().decode("utf-8", "replace").splitlines(keepends=True):
                if failed or not _CHATTER.match(line):
                    sys.stderr.write(line)
