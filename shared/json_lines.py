"""Files of one JSON object a line: read strictly, every fault named by what was found and what was expected.

It also has what readers of such files share: the record of a line that was left out, and names of found values.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.files import read_text


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out. where: `path:line`."""

    where: str
    problem: str


class Problem(Exception):
    """What is wrong with one line, and what was expected: `no 'text'. Expected a text`, without a full stop."""


def lines(file: Path, readme: str) -> Iterator[str]:
    """Returns the lines of a UTF-8 file; blank ones at its end are left out. readme: named in the error message.

    Raises: UserError if the file cannot be read, is not UTF-8 or holds nothing but blanks.
    """
    # Not splitlines(): it also cuts at U+0085, U+2028 and control characters, which occur inside texts.
    text = read_text(file)
    if not text.strip():
        raise UserError(f"{file}: the file is empty. Expected one JSON object per line; see {readme}.")
    found = text.split("\n")
    while not found[-1].strip():
        found.pop()
    return iter(found)


def parse_object(line: str, expected: str = "a JSON object") -> dict[str, Any]:
    """Returns the object of one line. expected: e.g. `a JSON object with 'text'`. Raises: Problem."""
    if not line.strip():
        raise Problem("a blank line. Expected a JSON object")
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise Problem(f"not JSON: {error.msg} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets nested too deep
        raise Problem(f"not usable JSON: {error}") from None
    if not isinstance(fields, dict):
        raise Problem(f"found {kind(fields)}. Expected {expected}")
    return fields


def text_field(fields: dict[str, Any], name: str, blank: bool = False) -> str:
    """Returns the text under `name`. blank: whether nothing but blanks will do too. Raises: Problem."""
    text = fields.get(name)
    if not isinstance(text, str):
        found = f"{name!r} is {kind(text)}" if name in fields else f"no {name!r}"
        raise Problem(f"{found}. Expected a text")
    if not blank and (not text or text.isspace()):
        raise Problem(f"{name!r} is empty. Expected a text with at least one character that is not blank")
    return text


def objects_field(fields: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Returns the list of objects under `name`. Raises: Problem."""
    found = fields.get(name)
    if not isinstance(found, list):
        raise Problem(f"{f'{name!r} is {kind(found)}' if name in fields else f'no {name!r}'}. Expected a list")
    for item in found:
        if not isinstance(item, dict):
            raise Problem(f"{name!r} holds {kind(item)}. Expected objects")
    return found


def check_surrogates(text: str, where: str) -> None:
    """Raises: Problem if the text holds half of a surrogate pair, which UTF-8 has no bytes for."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise Problem(f"half of a surrogate pair, \\u{code:04x}, in {where}. Expected whole characters") from None


def kind(value: Any) -> str:
    """Names the JSON kind of a value: `null`, `true`, `a string`, `a list`, `an object`, `a number`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    names = {str: "a string", list: "a list", dict: "an object"}
    return next((name for type_, name in names.items() if isinstance(value, type_)), "a number")


def short(value: Any) -> str:
    """Returns a value as JSON of at most 40 characters, for messages; lists and objects by their kind."""
    if isinstance(value, (list, dict)):
        return kind(value)
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
