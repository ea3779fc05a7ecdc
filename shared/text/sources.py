"""Texts to count tokens and words in: lines of files, numbers of masked files, examples of a competition."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shared.errors import UserError

SPLITS = ("train", "valid", "test")
NUMBER = re.compile("0|[1-9][0-9]{0,17}")  # as Python writes it, so that number and token are one to one


def file_texts(files: Sequence[Path]) -> Iterator[str]:
    """Yields the lines of UTF-8 files that are not blank, one text a line, without holding a file in memory.

    Raises: UserError if a file cannot be read, holds no text, or has a line that is not UTF-8.
    """
    for file in files:
        found = False
        for _, line in _lines(file):
            found = True
            yield line
        if not found:
            raise UserError(f"{file}: no text. Expected UTF-8, one text a line.")


def id_counts(files: Sequence[Path]) -> Counter[int]:
    """Counts the integers of files of masked texts: one text a line, its words as decimal numbers between blanks.

    Raises: UserError naming file:line of what is no such number, or of a line with tabs, which separate columns.
    """
    words: Counter[str] = Counter()
    for file in files:
        before = words.total()
        for number, line in _lines(file):
            if "\t" in line:
                raise UserError(
                    f"{file}:{number}: a tab. Expected one text a line: give each text column a file of its own."
                )
            line_words = line.split()
            if not words.keys() >= set(line_words):
                bad = next((word for word in line_words if not NUMBER.fullmatch(word)), None)
                if bad is not None:
                    raise UserError(
                        f"{file}:{number}: found {_short(bad)}. Expected integers from 0, without sign or leading "
                        "zeros, between blanks. Texts that are no masked ids go to `extend` or `trim`."
                    )
            words.update(line_words)
        if words.total() == before:
            raise UserError(f"{file}: no ids. Expected one text a line, as integers between blanks.")
    return Counter({int(word): count for word, count in words.items()})


def example_texts(raw: Any) -> Iterator[str]:
    """Yields the texts of a competition's examples: all strings that stand in them directly, or in a list there.

    Records inside an example are annotations, which repeat parts of the text; `id` is no text either.

    Args: raw: what the `read` of a Task returned; has the lists train, valid and test of dataclass examples.
    """
    for split in SPLITS:
        for example in getattr(raw, split):
            for field in dataclasses.fields(example):
                value = getattr(example, field.name)
                if field.name == "id":
                    continue
                if isinstance(value, str):
                    yield value
                elif isinstance(value, (list, tuple)):
                    yield from (item for item in value if isinstance(item, str))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yields number and text of the lines that are not blank."""
    try:
        with open(file, "rb") as stream:
            for number, data in enumerate(stream, start=1):
                try:
                    line = data.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{file}:{number}: not UTF-8: byte 0x{data[error.start]:02x} at column {error.start + 1}. "
                        "Convert the file first, e.g. iconv -f GB18030 -t UTF-8."
                    ) from None
                line = line.rstrip("\r\n")
                if line.strip():
                    yield number, line
    except FileNotFoundError:
        raise UserError(f"{file}: no such file.") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}.") from None


def _short(word: str) -> str:
    return repr(word) if len(word) <= 40 else f"{word[:40]!r}..."
