"""The submission of DuIE 2.0: a zip with one file, `duie.json`, of one JSON object a line: `text` and `spo_list`.

The official script reads every file of the zip, whatever its name, and takes the text for the key: of lines with equal
texts the last one counts. Nothing is ever unpacked to disk.
"""

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json import dumps
from pathlib import Path
from typing import Any

from competitions.lic2020_re.data import Example, find_file, parse_triple, read_split, spo_list, values
from competitions.lic2020_re.schema import Schema, read_schema
from shared.errors import UserError
from shared.faults import Faults
from shared.files import write_bytes
from shared.json_lines import Problem, parse_object, short, text_field
from shared.zip_files import read_zip, zip_of

MEMBER = "duie.json"
BYTE_ORDER_MARK = "\ufeff"


def write(path: Path, texts: Iterable[str], triples: Iterable[Sequence[Mapping[str, Any]]]) -> None:
    """Writes the submission, one line for each text in the order given, atomically; equal input gives equal bytes.

    Args:
        texts: those of the test file, unaltered.
        triples: for each text its triples in the official form, see `data.official`.

    Raises: ValueError if the lengths differ; UserError if the file cannot be written.
    """
    rows = zip(texts, triples, strict=True)
    lines = [dumps({"text": text, "spo_list": list(found)}, ensure_ascii=False) + "\n" for text, found in rows]
    write_bytes(path, zip_of(MEMBER, "".join(lines).encode("utf-8")))


def read_lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yields the lines of every file of the zip, each with its place such as `duie.json:3`; only line feeds end a line.

    Raises: UserError as `shared.zip_files.read_zip`.
    """
    for name, content in read_zip(path, MEMBER):
        for number, line in enumerate(io.BytesIO(content), start=1):
            yield f"{name}:{number}", line


def parse_line(line: bytes) -> tuple[str, list[Any]]:
    """Returns text and unchecked `spo_list` of a line; a byte order mark is allowed. Raises: Problem."""
    try:
        decoded = line.decode("utf-8").removeprefix(BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        raise Problem(f"not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start}") from None
    fields = parse_object(decoded, "a JSON object with 'text' and 'spo_list'")
    return text_field(fields, "text", blank=True), spo_list(fields)


def check(path: Path, examples: Sequence[Example], schema: Schema) -> int:
    """Checks a submission against the test lines and returns its number of lines.

    It is stricter than the official script where that would silently count less: all texts must be there and no other,
    triples must follow the schema, and their values must stand in the text. Types may be absent.

    Raises: UserError that names every kind of fault found: with its number, and the first few places.
    """
    faults = Faults()
    expected = Counter(example.text for example in examples)
    found: Counter[str] = Counter()
    rows = 0
    for where, line in read_lines(path):
        rows += 1
        try:
            text, entries = parse_line(line)
        except Problem as problem:
            faults.add("lines of another form", f"{where}: {problem}")
            continue
        found[text] += 1
        if text not in expected:
            faults.add("unknown texts", f"{where}: {short(text)}")
        elif found[text] > expected[text]:
            faults.add("texts given too often", f"{where}: {short(text)}")
        for entry in entries:
            try:
                _check_triple(entry, text, schema)
            except Problem as problem:
                faults.add("wrong triples", f"{where}: {problem}")
    if not rows:
        raise UserError(f"{path}: the zip holds no line. Expected {len(examples)}, in {MEMBER}.")
    for number, example in enumerate(examples, start=1):
        if example.text not in found:
            faults.add("missing texts", f"test line {number}: {short(example.text)}")
    if faults:
        raise UserError(
            f"{path}: {faults}. Expected {len(examples)} lines, each a JSON object with the unaltered 'text' of a test "
            f"line and its 'spo_list', whose triples have 'subject', 'predicate' and 'object'."
        )
    return rows


def check_file(file: Path, raw: Path) -> int:
    """Checks a submission against the official folder `raw`; otherwise as `check`."""
    schema = read_schema(find_file(raw, "schema"))
    examples, _ = read_split(find_file(raw, "test"), "test", schema)
    return check(file, examples, schema)


def _check_triple(entry: Any, text: str, schema: Schema) -> None:
    """Raises: Problem."""
    triple = parse_triple(entry, schema)
    empty = [slot for slot, value in entry["object"].items() if not value]
    if empty:
        raise Problem(f"empty slot {empty[0]!r} of {triple.predicate!r}. Leave the slot out")
    for value in values(triple):
        if value not in text:
            raise Problem(f"{short(value)} of {triple.predicate!r} is not in the text")
