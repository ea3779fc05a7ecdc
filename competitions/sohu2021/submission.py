"""The submission of Sohu 2021: a CSV file `id,label`, one row for each line of the six `test_with_id.txt`.

Public solutions were accepted with and without the header line, and in different orders of the variants: ids decide.
The platform never published its checks; these are strict, so that no upload is wasted.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from competitions.sohu2021 import data
from shared.errors import UserError
from shared.faults import Faults
from shared.files import read_text, write_text

HEADER = "id,label"


def write(path: Path, ids: Iterable[str], labels: Iterable[int]) -> None:
    """Writes the submission with its header, in the order given, atomically.

    Raises: ValueError if a label is neither 0 nor 1 or the lengths differ; UserError if the file cannot be written.
    """
    rows = [HEADER]
    for example_id, label in zip(ids, labels, strict=True):
        if label not in (0, 1):
            raise ValueError(f"label of {example_id} is {label!r}; valid ones: 0, 1")
        rows.append(f"{example_id},{int(label)}")
    write_text(path, "\n".join(rows) + "\n")


def read_predictions(path: Path, expected_ids: Collection[str] | None = None) -> dict[str, int]:
    """Returns the label of each id, in the order of the file.

    The header is optional; a byte order mark and CRLF are accepted. Blank lines, blanks beside the commas and quotes
    are not.

    Raises: UserError that names every kind of fault found, also ids missing from and unknown to `expected_ids`.
    """
    return _read(path, expected_ids)


def check(path: Path, expected_ids: Collection[str]) -> int:
    """Checks a submission against the ids of the test files and returns its number of rows.

    Raises: UserError that names every kind of fault found: with its number, and the first few ids or lines.
    """
    return len(_read(path, expected_ids))


def check_file(file: Path, raw: Path) -> int:
    """Checks a submission against the official folder `raw`; otherwise as `check`."""
    examples, _, _ = data.read_split(raw, "test")
    return check(file, [example.id for example in examples])


def _read(path: Path, expected_ids: Collection[str] | None) -> dict[str, int]:
    lines = read_text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    lines = [line.removesuffix("\r") for line in lines]
    if not any(lines):
        raise UserError(f"{path}: the file is empty. Expected rows such as ss0_a,1.")
    first_row = int(lines[0] == HEADER)
    expected = None if expected_ids is None else set(expected_ids)
    faults = Faults()
    labels: dict[str, int] = {}
    first_lines: dict[str, int] = {}
    for number, line in enumerate(lines[first_row:], start=first_row + 1):
        cells = line.split(",")
        if len(cells) != 2:
            faults.add(f"not of the form {HEADER}", f"line {number}: {_short(line)}")
            continue
        example_id, label = cells[0], cells[1]
        if example_id in first_lines:
            faults.add("ids given twice", f"{_short(example_id)} at lines {first_lines[example_id]} and {number}")
            continue
        first_lines[example_id] = number
        if label not in ("0", "1"):
            faults.add("labels that are not 0 or 1", f"{_short(label)} at line {number}")
        if expected is not None and example_id not in expected:
            faults.add("unknown ids", f"{_short(example_id)} at line {number}")
        labels[example_id] = int(label == "1")
    for example_id in expected_ids or ():
        if example_id not in first_lines:
            faults.add("missing ids", example_id)
    if not first_lines and expected_ids is None and not faults:
        raise UserError(f"{path}: no row after the header. Expected rows such as ss0_a,1.")
    if faults:
        rows = "" if expected_ids is None else f" {len(expected_ids)} rows,"
        raise UserError(f"{path}: {faults}. Expected{rows} each an id and a label, e.g. ss0_a,1.")
    return labels


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
