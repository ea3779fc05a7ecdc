"""Reads the official files of DuEE 1.0: sentences with their events, one JSON object a line, and the event schema.

A line has `text`, `id` and, in train and dev files, `event_list`: `event_type`, `class`, `trigger`,
`trigger_start_index` and `arguments` of `role`, `argument`, `argument_start_index` and `alias`. Offsets count
characters (code points) of the text, which is never altered; every one of them is checked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

from competitions.lic2020_ee.schema import README, EventType, Schema, read_schema
from shared.errors import UserError
from shared.json_lines import (
    BadLine,
    Problem,
    check_surrogates,
    kind,
    lines,
    objects_field,
    parse_object,
    short,
    text_field,
)

# Names of each file, relative to the folder: of 2021 first, then of the 2020 archives. The first one wins.
FILES = {
    "schema": ("duee_event_schema.json", "event_schema/event_schema.json"),
    "train": ("duee_train.json", "train_data/train.json"),
    "valid": ("duee_dev.json", "dev_data/dev.json"),
    "test": ("duee_test1.json", "duee_test2.json", "test1_data/test1.json"),
}
SPLITS = ("train", "valid", "test")
SHOWN_FILES = 8  # of those found beside a missing one


class DataSettings(Protocol):
    """What the reader needs of the section `data`; importing `settings.py` itself would slow `pipelines.score`."""

    @property
    def on_bad_line(self) -> str:
        """`error` or `skip`."""


@dataclass(frozen=True, slots=True)
class Argument:
    """What fills a role of an event. start: of `text` in the sentence, in characters; aliases: other forms of it."""

    role: str
    text: str
    start: int
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a sentence. trigger_start: of `trigger` in the sentence, in characters."""

    type: str
    trigger: str
    trigger_start: int
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One sentence. events: empty for test lines, and for labelled ones without an event."""

    id: str
    text: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class RawData:
    """All that the official folder holds. valid: the official dev file; files: in the order in which they were read."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    schema: Schema
    bad_lines: list[BadLine]
    files: list[Path]


class TextProblem(Problem):
    """A problem whose message quotes the data. summary: the same without a quotation, for reports."""

    def __init__(self, message: str, summary: str):
        super().__init__(message)
        self.summary = summary


def read(folder: Path, settings: DataSettings) -> RawData:
    """Reads the schema and the three splits. Raises: UserError, see `find_file`, `read_schema` and `read_split`."""
    files = {name: find_file(folder, name) for name in FILES}  # all of them, before any is read
    schema = read_schema(files["schema"])
    splits: dict[str, list[Example]] = {}
    bad_lines: list[BadLine] = []
    for split in SPLITS:
        splits[split], bad = read_split(files[split], split, schema, settings.on_bad_line)
        bad_lines += bad
    return RawData(**splits, schema=schema, bad_lines=bad_lines, files=list(files.values()))


def find_file(folder: Path, name: str) -> Path:
    """Returns the path of a file of FILES. Raises: UserError that says what was looked for and what was found."""
    folder = Path(folder)
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {found}. Expected the folder that holds {FILES[name][0]}; see {README}.")
    for candidate in FILES[name]:
        if (folder / candidate).is_file():
            return folder / candidate
    inner = [found.parents[one.count("/")] for one in FILES[name] for found in sorted(folder.glob(f"*/{one}"))]
    advice = f"Did you mean {inner[0]}?" if inner else f"Unpack the official archive there; see {README}."
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:SHOWN_FILES]) + (f" and {len(names) - SHOWN_FILES} more" if names[SHOWN_FILES:] else "")
    raise UserError(
        f"{folder}: no {name} file. Looked for {' or '.join(FILES[name])}; found {shown or 'nothing'}. {advice}"
    )


def read_split(
    file: Path, split: str, schema: Schema, on_bad_line: str = "error"
) -> tuple[list[Example], list[BadLine]]:
    """Reads one file.

    Args:
        file: the file of this split, see `find_file`.
        split: `train`, `valid` or `test`; of test lines only text and id are read.
        schema: says which event types and roles there are.
        on_bad_line: `error`, or `skip` to leave bad lines out and return them. Test lines are always checked strictly:
            a submission must answer each of them, so there is none to leave out.

    Returns: the examples, the lines left out; what these say quotes no text.

    Raises: UserError for a file that is missing, unreadable, not UTF-8 or without a usable line, whatever `on_bad_line`
        says; for a bad line unless it is skipped.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; valid ones: {', '.join(SPLITS)}")
    if on_bad_line not in ("error", "skip"):
        raise ValueError(f"on_bad_line is {on_bad_line!r}; valid ones: error, skip")
    examples: list[Example] = []
    bad_lines: list[BadLine] = []
    numbers: dict[str, int] = {}  # id -> its line
    for number, line in enumerate(lines(file, README), start=1):
        try:
            example = _example(line, None if split == "test" else schema)
            if example.id in numbers:
                place = f"{file.name}:{numbers[example.id]}"
                raise Problem(f"the id {short(example.id)} stands at {place} already. Ids must be unique")
        except Problem as problem:
            if on_bad_line == "error" or split == "test":
                raise UserError(f"{file}:{number}: {problem}. {_advice(split)}") from None
            summary = problem.summary if isinstance(problem, TextProblem) else str(problem)
            bad_lines.append(BadLine(f"{file}:{number}", summary))
            continue
        numbers[example.id] = number
        examples.append(example)
    if not examples:
        raise UserError(f"{bad_lines[0].where}: {bad_lines[0].problem}. No line of the file is usable.")
    return examples, bad_lines


def official(event: Event, schema: Schema) -> dict[str, Any]:
    """Returns an event in the form of the official files."""
    arguments = [
        {"argument_start_index": one.start, "role": one.role, "argument": one.text, "alias": list(one.aliases)}
        for one in event.arguments
    ]
    return {
        "event_type": event.type,
        "trigger": event.trigger,
        "trigger_start_index": event.trigger_start,
        "arguments": arguments,
        "class": schema.event_types[event.type].event_class,
    }


def alias_texts(fields: dict[str, Any]) -> tuple[str, ...]:
    """Returns the other forms of an argument, of which there may be none. Raises: Problem."""
    aliases = fields.get("alias", [])
    if not isinstance(aliases, list):
        raise Problem(f"'alias' is {kind(aliases)}. Expected a list of texts")
    for alias in aliases:
        if not isinstance(alias, str):
            raise Problem(f"'alias' holds {kind(alias)}. Expected a list of texts")
        check_surrogates(alias, "'alias'")
    return tuple(aliases)


def _advice(split: str) -> str:
    if split == "test":
        return f"Mend the line: a submission must answer every test line, so none can be skipped; see {README}."
    return f"Mend or remove the line, or set data.on_bad_line to skip; see {README}."


def _example(line: str, schema: Schema | None) -> Example:
    """Returns the checked example of one line, without events if there is no schema. Raises: Problem."""
    fields = parse_object(line, "a JSON object with 'text' and 'id'")
    text, example_id = text_field(fields, "text"), text_field(fields, "id")
    if "\\u" in line:
        check_surrogates(text + example_id, "'text' or 'id'")
    events: list[Event] = []
    if schema is not None:
        for number, event in enumerate(objects_field(fields, "event_list"), start=1):
            try:
                events.append(_event(event, text, schema))
            except Problem as problem:
                raise _within(f"event {number}", problem) from None
    return Example(example_id, text, tuple(events))


def _event(fields: dict[str, Any], text: str, schema: Schema) -> Event:
    name = text_field(fields, "event_type")
    event_type = schema.event_types.get(name)
    if event_type is None:
        raise Problem(
            f"unknown event type {short(name)}. {_nearest(name, list(schema.event_types))}"
            f"Expected one of the {len(schema.event_types)} of the schema"
        )
    event_class = fields.get("class", event_type.event_class)
    if event_class != event_type.event_class:
        raise Problem(f"the class is {short(event_class)}. Expected {short(event_type.event_class)}, that of {name}")
    trigger, trigger_start = _located(fields, "trigger", text)
    arguments = []
    for number, argument in enumerate(objects_field(fields, "arguments"), start=1):
        try:
            arguments.append(_argument(argument, text, name, event_type))
        except Problem as problem:
            raise _within(f"argument {number}", problem) from None
    return Event(name, trigger, trigger_start, tuple(arguments))


def _argument(fields: dict[str, Any], text: str, name: str, event_type: EventType) -> Argument:
    role = text_field(fields, "role")
    if role not in event_type.roles:
        raise Problem(
            f"unknown role {short(role)} of {name}. {_nearest(role, event_type.roles)}"
            f"Its roles: {', '.join(event_type.roles)}"
        )
    return Argument(role, *_located(fields, "argument", text), alias_texts(fields))


def _located(fields: dict[str, Any], name: str, text: str) -> tuple[str, int]:
    """Returns the part of the text under `name`, and where it starts, by `<name>_start_index`. Raises: Problem."""
    part, key = text_field(fields, name), f"{name}_start_index"
    if key not in fields:
        raise Problem(f"no {key!r}. Expected the number of characters before the {name}")
    start = fields[key]
    if type(start) is not int:  # bool is an int, and true is no place
        raise Problem(f"{key!r} is {short(start)}. Expected a whole number")
    if start >= 0 and text.startswith(part, start):
        return part, start
    place = _nearest_place(part, start, text)
    if place is None:
        raise TextProblem(
            f"the {name} {short(part)} is nowhere in the text. Expected a part of it",
            f"the {name} is nowhere in the text. Expected a part of it",
        )
    expected = f"Expected {place}, the nearest place of the {name}"
    if start < 0:
        raise Problem(f"{key!r} is {start}. {expected}")
    raise TextProblem(
        f"{key!r} is {start}, where the text has {short(text[start : start + len(part)])}, not {short(part)}. "
        f"{expected}",
        f"{key!r} is {start}, where the {name} does not stand. {expected}",
    )


def _nearest_place(part: str, start: int, text: str) -> int | None:
    """Returns where `part` stands in the text, the place nearest to `start`; None if nowhere."""
    start = min(max(start, 0), len(text))
    places = [text.rfind(part, 0, start + len(part)), text.find(part, start)]
    return min((place for place in places if place >= 0), key=lambda place: abs(place - start), default=None)


def _within(place: str, problem: Problem) -> Problem:
    """Returns the problem with the place in front of it."""
    if isinstance(problem, TextProblem):
        return TextProblem(f"{place}: {problem}", f"{place}: {problem.summary}")
    return Problem(f"{place}: {problem}")


def _nearest(name: str, names: Sequence[str]) -> str:
    found = get_close_matches(name, names, n=1, cutoff=0.3)  # 0.44: a type without its class
    return f"Did you mean {found[0]!r}? " if found else ""
