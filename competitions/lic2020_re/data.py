"""Reads the official files of DuIE 2.0: `duie_train.json`, `duie_dev.json`, a test file and the schema.

Every file has one JSON object a line: `text` and, but for the test file, `spo_list`, whose entries have `subject`,
`predicate`, `object` (slot -> value), `subject_type` and `object_type`. The text is the key; there are no ids and no
offsets. The archives of 2020 name the files otherwise; both layouts are read. Texts and values are never altered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol

from competitions.lic2020_re.schema import README, VALUE, Predicate, Schema, read_schema
from shared.errors import UserError
from shared.json_lines import BadLine, Problem, check_surrogates, kind, lines, parse_object, short, text_field

# Names of each file, relative to the folder: of 2021 and later first, then of the 2020 archives. The first one wins.
FILES: Mapping[str, tuple[str, ...]] = {
    "schema": ("duie_schema.json", "schema.json"),
    "train": ("duie_train.json", "train_data/train_data.json"),
    "valid": ("duie_dev.json", "dev_data/dev_data.json"),
    "test": ("duie_test2.json", "duie_test1.json", "test1_data/test1_data.json"),
}
SPLITS = ("train", "valid", "test")
SHOWN_FILES = 8  # of those found beside a missing one
NEAREST_NAME_CUTOFF = 0.5  # predicates of two characters that share one of them are that similar


class DataSettings(Protocol):
    """What the reader needs of the section `data`; importing `settings.py` itself would slow `pipelines.score`."""

    @property
    def on_bad_line(self) -> str:
        """`error` or `skip`."""


@dataclass(frozen=True, slots=True)
class Triple:
    """One relation told by a text. object: (slot, value) in the schema's order, `@value` first; no value is empty."""

    subject: str
    predicate: str
    object: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its triples as they stand in the file, repeats included; test lines have none."""

    text: str
    triples: tuple[Triple, ...]


@dataclass(frozen=True, slots=True)
class RawData:
    """All that the official folder holds. valid: the official development file."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    schema: Schema
    bad_lines: list[BadLine]
    files: list[Path]


def read(folder: Path, settings: DataSettings) -> RawData:
    """Reads the schema and the three splits. Raises: UserError, see `read_schema` and `read_split`."""
    files = {name: find_file(folder, name) for name in FILES}  # before minutes of reading
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
        raise UserError(f"{folder}: {found}. Expected the folder that holds {FILES['train'][0]}; see {README}.")
    for candidate in FILES[name]:
        if (folder / candidate).is_file():
            return folder / candidate
    inner = sorted(found for candidate in FILES[name] for found in folder.glob(f"*/{candidate}"))
    if inner:
        nested = next(one for one in FILES[name] if inner[0].as_posix().endswith(f"/{one}"))
        advice = f"Did you mean {inner[0].parents[nested.count('/')]}?"
    else:
        advice = f"Unpack the official archive there; see {README}."
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
        split: `train`, `valid` or `test`; of test lines the text only is read.
        schema: says which predicates and slots there are.
        on_bad_line: `error`, or `skip` to leave bad lines out and return them. Test lines are always checked strictly:
            a submission must answer each of them, so there is none to leave out.

    Returns: the examples, the lines left out.

    Raises: UserError for a file that is missing, unreadable, not UTF-8 or without a usable line, whatever `on_bad_line`
        says; for a bad line unless it is skipped.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; valid ones: {', '.join(SPLITS)}")
    if on_bad_line not in ("error", "skip"):
        raise ValueError(f"on_bad_line is {on_bad_line!r}; valid ones: error, skip")
    examples: list[Example] = []
    bad_lines: list[BadLine] = []
    for number, line in enumerate(lines(file, README), start=1):
        try:
            examples.append(_example(line, split, schema))
        except Problem as problem:
            if on_bad_line == "error" or split == "test":
                raise UserError(f"{file}:{number}: {problem}. {_advice(split)}") from None
            bad_lines.append(BadLine(f"{file}:{number}", str(problem)))
    if not examples:
        raise UserError(f"{bad_lines[0].where}: {bad_lines[0].problem}. No line of the file is usable.")
    return examples, bad_lines


def _advice(split: str) -> str:
    if split == "test":
        return f"Mend the line: a submission must answer every test line, so none can be skipped; see {README}."
    return f"Mend or remove the line, or set data.on_bad_line to skip; see {README}."


def _example(line: str, split: str, schema: Schema) -> Example:
    """Returns the checked example of one line. Raises: Problem."""
    triples: tuple[Triple, ...]
    if split == "test":
        text, triples = text_field(parse_object(line, "a JSON object with 'text'"), "text"), ()
    else:
        fields = parse_object(line, "a JSON object with 'text' and 'spo_list'")
        text, triples = text_field(fields, "text"), _triples(fields, schema)
    if "\\u" in line:
        check_surrogates(text, "'text'")
        check_surrogates("".join(value for one in triples for value in values(one)), "'spo_list'")
    return Example(text, triples)


def _triples(fields: Mapping[str, Any], schema: Schema) -> tuple[Triple, ...]:
    triples = []
    for number, entry in enumerate(spo_list(fields), start=1):
        try:
            triples.append(parse_triple(entry, schema))
        except Problem as problem:
            raise Problem(f"triple {number}: {problem}") from None
    return tuple(triples)


def spo_list(fields: Mapping[str, Any]) -> list[Any]:
    """Returns the unchecked entries of `spo_list`, which may be empty. Raises: Problem if it is no list."""
    if "spo_list" not in fields:
        raise Problem("no 'spo_list'. Expected a list of triples, which may be empty")
    found = fields["spo_list"]
    if not isinstance(found, list):
        raise Problem(f"'spo_list' is {kind(found)}. Expected a list of triples, which may be empty")
    return found


def parse_triple(fields: Any, schema: Schema) -> Triple:
    """Returns the triple of one entry of `spo_list`; slots with an empty text are dropped.

    Types may be absent; those given must be the schema's. Whether the text holds subject and object is not looked at.

    Raises: Problem for an entry that does not follow the schema.
    """
    if not isinstance(fields, dict):
        raise Problem(f"found {kind(fields)}. Expected an object with 'subject', 'predicate' and 'object'")
    name = text_field(fields, "predicate")
    predicate = schema.predicates.get(name)
    if predicate is None:
        raise Problem(f"unknown predicate {_nearest(name, schema)}")
    subject = text_field(fields, "subject")
    _check_types(fields, name, predicate)
    return Triple(subject, name, _object(fields, name, predicate))


def values(triple: Triple) -> tuple[str, ...]:
    """Returns the texts that a triple names: its subject and the value of every slot."""
    return (triple.subject, *(value for _, value in triple.object))


def official(triple: Triple, schema: Schema) -> dict[str, Any]:
    """Returns a triple in the official form, with the types of the schema."""
    predicate = schema.predicates[triple.predicate]
    return {
        "predicate": triple.predicate,
        "object_type": {slot: predicate.object_types[slot] for slot, _ in triple.object},
        "subject_type": predicate.subject_type,
        "object": dict(triple.object),
        "subject": triple.subject,
    }


def _nearest(name: str, schema: Schema) -> str:
    nearest = get_close_matches(name, schema.predicates, n=1, cutoff=NEAREST_NAME_CUTOFF)
    advice = f"Did you mean {nearest[0]!r}? " if nearest else ""
    return f"{short(name)}. {advice}Expected one of the {len(schema.predicates)} predicates of the schema file"


def _object(fields: dict[str, Any], name: str, predicate: Predicate) -> tuple[tuple[str, str], ...]:
    slots = ", ".join(predicate.object_types)
    if "object" not in fields:
        raise Problem(f"no 'object'. Expected an object of slot to text; slots of {name!r}: {slots}")
    found = fields["object"]
    if not isinstance(found, dict):
        version = ", as in DuIE 1.0" if isinstance(found, str) else ""
        raise Problem(f"'object' is {kind(found)}{version}. Expected an object such as {{{VALUE!r}: ...}}")
    for slot, value in found.items():
        if slot not in predicate.object_types:
            raise Problem(f"unknown slot {short(slot)} in the object of {name!r}. Valid slots: {slots}")
        if not isinstance(value, str):
            raise Problem(f"the slot {slot!r} of {name!r} is {kind(value)}. Expected a text")
    text_field(found, VALUE)
    return tuple((slot, found[slot]) for slot in predicate.object_types if found.get(slot))


def _check_types(fields: dict[str, Any], name: str, predicate: Predicate) -> None:
    subject_type = fields.get("subject_type", predicate.subject_type)
    if subject_type != predicate.subject_type:
        expected = predicate.subject_type
        raise Problem(f"'subject_type' of {name!r} is {short(subject_type)}. Expected {expected!r}, as in the schema")
    object_type = fields.get("object_type", {})
    if not isinstance(object_type, dict):
        raise Problem(f"'object_type' of {name!r} is {kind(object_type)}. Expected an object of slot to type")
    for slot, found in object_type.items():
        expected = predicate.object_types.get(slot, "no such slot")
        if found != expected:
            raise Problem(f"the type of slot {short(slot)} of {name!r} is {short(found)}. Schema: {expected!r}")
