"""The label schema of DuIE 2.0: its predicates, and the slots that the object of each one has.

The official file has one JSON object a line: `predicate`, `subject_type` and `object_type`, an object of slot to type.
Every predicate has the slot `@value`; five have more, such as `inWork`. One (predicate, slot) is one relation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.json_lines import Problem, kind, lines, parse_object, text_field

VALUE = "@value"
README = "competitions/lic2020_re/README.md"


@dataclass(frozen=True, slots=True)
class Predicate:
    """The types of a predicate's subject and object. object_types: slot -> type, `@value` first."""

    subject_type: str
    object_types: dict[str, str]


@dataclass(frozen=True, slots=True)
class Schema:
    """All predicates by name, in the order of the official file."""

    predicates: dict[str, Predicate]

    @property
    def relations(self) -> tuple[tuple[str, str], ...]:
        """Every (predicate, slot), predicates in the order of the file and `@value` first within each."""
        return tuple((name, slot) for name, predicate in self.predicates.items() for slot in predicate.object_types)

    def to_json(self) -> dict[str, Any]:
        """Returns the schema as a JSON document, from which `from_json` makes an equal one."""
        return {
            name: {"subject_type": predicate.subject_type, "object_types": dict(predicate.object_types)}
            for name, predicate in self.predicates.items()
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """The inverse of `to_json`."""
        return cls({name: Predicate(one["subject_type"], dict(one["object_types"])) for name, one in document.items()})


def read_schema(file: Path) -> Schema:
    """Reads the official schema file.

    Raises: UserError for a file that is missing, unreadable or empty; for a line that is no JSON object of the three
        fields, has no slot `@value` or repeats a predicate.
    """
    predicates: dict[str, Predicate] = {}
    for number, line in enumerate(lines(file, README), start=1):
        try:
            fields = parse_object(line, "a JSON object with 'predicate', 'subject_type' and 'object_type'")
            name = text_field(fields, "predicate")
            if name in predicates:
                raise Problem(f"the predicate {name!r} stands in an earlier line already. Expected each one once")
            predicates[name] = Predicate(text_field(fields, "subject_type"), _object_types(fields))
        except Problem as problem:
            raise UserError(f"{file}:{number}: {problem}. Restore the official file; see {README}.") from None
    return Schema(predicates)


def _object_types(fields: dict[str, Any]) -> dict[str, str]:
    if "object_type" not in fields:
        raise Problem("no 'object_type'. Expected an object of slot to type")
    types = fields["object_type"]
    if not isinstance(types, dict):
        version = ", as in DuIE 1.0" if isinstance(types, str) else ""
        raise Problem(f"'object_type' is {kind(types)}{version}. Expected an object of slot to type")
    if VALUE not in types:
        raise Problem(f"'object_type' has no slot {VALUE!r}. Every predicate needs it")
    return {slot: text_field(types, slot) for slot in sorted(types, key=lambda slot: slot != VALUE)}
