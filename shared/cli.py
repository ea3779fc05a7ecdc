"""What every command line does: find the competition that was named, and turn a user's slip into one message."""

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from shared.errors import UserError


def run(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> int:
    """Calls `main(argv)` and returns the exit status: 0, 1 for a UserError (or its `status`), 130 for Ctrl-C.

    The message of a UserError goes to standard error without a stack trace; any other exception is a defect and passes.
    A reader that closes the pipe early, such as `| head`, is not worth a message.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 still gets its line
    try:
        main(argv)
        sys.stdout.flush()
    except UserError as error:
        print(error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes standard output once more on exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def competition_module(name: str, module: str) -> ModuleType:
    """Imports `competitions.<name>.<module>`, e.g. `scoring`. Raises: UserError for a name that is no competition."""
    package = importlib.import_module("competitions")
    names = sorted(file.parent.name for path in package.__path__ for file in Path(path).glob(f"*/{module}.py"))
    if name not in names:
        nearest = get_close_matches(name, names, n=1)
        advice = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise UserError(f"unknown competition {name!r}. {advice}Valid names: {', '.join(names)}.")
    return importlib.import_module(f"competitions.{name}.{module}")
