"""The submission of DuEE 1.0: JSON lines of `id` and `event_list`, one for each line of the test file.

In 2020 the bare `duee.json` was uploaded, later a zip with it: both are written. The platform never published its
checks. What cannot be scored, or points to answers for other sentences, is an error here; what merely scores nothing (a
test line without answer, an event type or role that the schema lacks) is a warning on standard error.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from competitions.lic2020_ee import data
from competitions.lic2020_ee.schema import Schema, read_schema
from shared.errors import UserError
from shared.faults import Faults
from shared.files import read_bytes, write_bytes
from shared.json_lines import Problem, objects_field, parse_object, short, text_field
from shared.zip_files import is_zip, read_zip, zip_of

FILE, ARCHIVE = "duee.json", "duee.zip"
EXAMPLE = '{"id": "...", "event_list": [{"event_type": "...", "arguments": [{"role": "...", "argument": "..."}]}]}'

Events = Sequence[Mapping[str, Any]]  # in the official form: event_type, arguments of role and argument


def write(folder: Path, ids: Sequence[str], events: Iterable[Events]) -> Path:
    """Writes `duee.json` and beside it `duee.zip`, which holds it, each atomically; equal answers give equal bytes.

    Args:
        folder: is made if absent.
        ids: of the lines, in the order in which they are written.
        events: the `event_list` of each line; fields that are not part of a submission are left out.

    Returns: the path of `duee.json`.

    Raises: ValueError if lengths differ or an id is given twice; KeyError if an event or argument lacks a field;
        UserError if a file cannot be written.
    """
    if len(set(ids)) < len(ids):
        raise ValueError("an id is given twice")
    rows = [
        {"id": row_id, "event_list": [_official(one) for one in row]} for row_id, row in zip(ids, events, strict=True)
    ]
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode("utf-8")
    write_bytes(folder / FILE, content)
    write_bytes(folder / ARCHIVE, zip_of(FILE, content))
    return folder / FILE


def _official(event: Mapping[str, Any]) -> dict[str, Any]:
    arguments = [{"role": one["role"], "argument": one["argument"]} for one in event["arguments"]]
    return {"event_type": event["event_type"], "arguments": arguments}


def read_event_lists(path: Path) -> dict[str, Events]:
    """Returns the `event_list` of each id, in the order of the file, with whatever further fields it has.

    Args: path: JSON lines, or a zip with one such file; a byte order mark and CRLF are accepted.

    Raises: UserError that names every kind of fault found: lines of another form, ids given twice.
    """
    faults = Faults()
    rows = _parse(path, faults)
    _raise(path, faults)
    return {row_id: events for row_id, _, events in rows}


def check_file(file: Path, raw: Path) -> int:
    """Checks a submission against the schema and the test file of the official folder and returns its number of rows.

    Test lines that are not answered, and event types and roles that the schema lacks, score nothing but do no harm:
    they are named on standard error.

    Args: file: as for `read_event_lists`; raw: the official folder.

    Raises: UserError that names every kind of fault found: with its number, and the first few ids or lines.
    """
    schema = read_schema(data.find_file(raw, "schema"))
    examples, _ = data.read_split(data.find_file(raw, "test"), "test", schema)
    texts = {example.id: example.text for example in examples}
    faults, warnings = Faults(), Faults()
    rows = _parse(file, faults)
    for row_id, number, events in rows:
        if row_id in texts:
            _check_arguments(number, texts[row_id], events, faults)
        else:
            faults.add("unknown ids", f"{short(row_id)} at line {number}")
        _check_names(number, schema, events, warnings)
    answered = {row_id for row_id, _, _ in rows}
    for example_id in texts:
        if example_id not in answered:
            warnings.add("missing ids, counted as without an event", example_id)
    _raise(file, faults)
    if warnings:
        print(f"{file}: accepted, but {warnings}.", file=sys.stderr)
    return len(rows)


def _check_arguments(number: int, text: str, events: Events, faults: Faults) -> None:
    for event in events:
        for argument in event["arguments"]:
            if not argument["argument"]:
                faults.add("empty arguments", f"{argument['role']} at line {number}")
            elif argument["argument"] not in text:
                faults.add("arguments that are not in the text", f"{short(argument['argument'])} at line {number}")


def _check_names(number: int, schema: Schema, events: Events, warnings: Faults) -> None:
    for event in events:
        event_type = schema.event_types.get(event["event_type"])
        if event_type is None:
            warnings.add("unknown event types", f"{short(event['event_type'])} at line {number}")
            continue
        for argument in event["arguments"]:
            if argument["role"] not in event_type.roles:
                name = f"{short(argument['role'])} of {event['event_type']}"
                warnings.add("unknown roles", f"{name} at line {number}")


def _raise(path: Path, faults: Faults) -> None:
    if faults:
        raise UserError(f"{path}: {faults}. Expected one line for each id, such as {EXAMPLE}.")


def _parse(path: Path, faults: Faults) -> list[tuple[str, int, Events]]:
    """Returns id, line number and events of every usable line."""
    lines = _text(path).removeprefix("\ufeff").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise UserError(f"{path}: the file is empty. Expected one line for each id, such as {EXAMPLE}.")
    rows: dict[str, tuple[str, int, Events]] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row_id, events = _row(line)
        except Problem as problem:
            faults.add("lines of another form", f"line {number}: {problem}")
            continue
        if row_id in rows:
            faults.add("ids given twice", f"{short(row_id)} at lines {rows[row_id][1]} and {number}")
            continue
        rows[row_id] = row_id, number, events
    return list(rows.values())


def _row(line: str) -> tuple[str, Events]:
    fields = parse_object(line, "a JSON object with 'id' and 'event_list'")
    row_id, events = text_field(fields, "id"), objects_field(fields, "event_list")
    for event in events:
        text_field(event, "event_type")
        for argument in objects_field(event, "arguments"):
            text_field(argument, "role")
            text_field(argument, "argument", blank=True)
    return row_id, events


def _text(path: Path) -> str:
    content = read_bytes(path)
    where = str(path)
    if is_zip(content):
        members = list(read_zip(path, FILE))
        if len(members) != 1:
            raise UserError(f"{path}: holds {len(members)} files. Expected one: {FILE}.")
        where, content = f"{path}/{members[0][0]}", members[0][1]
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{where}:{line}: not UTF-8: byte 0x{content[error.start]:02x}. Convert it first.") from None
