"""The submission of DuReader-robust: one JSON object, question id -> answer, for all questions of the test file.

Not zipped and not JSON lines. The official script stops at an answer that is no text; it takes empty ones and such that
are no part of the passage, so these are only warned of.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from competitions.lic2020_mrc import data
from competitions.lic2020_mrc.data import Example
from shared.errors import UserError
from shared.faults import Faults
from shared.files import read_bytes, write_json
from shared.json_lines import kind, short

FORM = 'one JSON object such as {"id": "answer", ...}'
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def write(path: Path, ids: Iterable[str], answers: Iterable[str]) -> None:
    """Writes the submission in the order given, atomically.

    Raises: ValueError if the lengths differ, an id comes twice or an answer is no text; UserError if the file cannot be
        written.
    """
    rows: dict[str, str] = {}
    for example_id, answer in zip(ids, answers, strict=True):
        if example_id in rows:
            raise ValueError(f"the id {example_id!r} comes twice")
        if not isinstance(answer, str):
            raise ValueError(f"the answer of {example_id!r} is {answer!r}; expected a text")
        rows[example_id] = answer
    write_json(path, rows)


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys it was given more than once."""

    def __init__(self, pairs: Iterable[tuple[str, Any]]):
        pairs = list(pairs)
        super().__init__(pairs)
        self.repeated = {key: number for key, number in Counter(key for key, _ in pairs).items() if number > 1}


def check(path: Path, examples: Sequence[Example]) -> int:
    """Checks a submission against the questions of the test file and returns its number of answers.

    Answers that are empty, have blanks at an edge (the official measure counts them) or are no part of the passage are
    named on standard error.

    Raises: UserError that names every kind of fault found, with its number and the first few ids.
    """
    if read_bytes(path).startswith(BYTE_ORDER_MARK):
        raise UserError(
            f"{path}: starts with a byte order mark, at which the official scorer stops. Save it as UTF-8 without one."
        )
    answers = data.load_json(path, f"{FORM}, not JSON lines", _Object)
    if not isinstance(answers, _Object):
        raise UserError(f"{path}: found {kind(answers)}. Expected {FORM}.")
    faults, warnings = Faults(), Faults()
    for example_id, number in answers.repeated.items():
        faults.add("ids given more than once", f"{short(example_id)} {number} times")
    contexts = {example.id: example.context for example in examples}
    for example_id, answer in answers.items():
        if example_id not in contexts:
            faults.add("unknown ids", short(example_id))
        if not isinstance(answer, str):
            faults.add("answers that are no text", f"{kind(answer)} for {short(example_id)}")
        elif not answer or answer.isspace():
            warnings.add("empty answers", short(example_id))
        elif example_id in contexts:
            if answer not in contexts[example_id]:
                warnings.add("answers that are no part of their passage", short(example_id))
            if answer != answer.strip():
                warnings.add("answers with blanks at an edge, which the measure counts", short(example_id))
    for example_id in contexts:
        if example_id not in answers:
            faults.add("missing ids", short(example_id))
    if faults:
        raise UserError(f"{path}: {faults}. Expected {FORM} with {len(contexts)} ids, each once, and a text for each.")
    if warnings:
        print(f"{path}: accepted, but {warnings}.", file=sys.stderr)
    return len(answers)


def check_file(file: Path, raw: Path) -> int:
    """Checks a submission against the official folder `raw`; otherwise as `check`."""
    examples, _, _ = data.read_split(raw, "test")
    return check(file, examples)
