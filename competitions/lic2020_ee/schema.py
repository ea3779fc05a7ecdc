"""The event schema of DuEE 1.0: which event types there are, and which roles each of them has.

An event type is its class, a `-` and a name, e.g. `灾害/意外-坍/垮塌`. Both parts may hold `/`: a type is no file name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.json_lines import Problem, lines, objects_field, parse_object, short, text_field

README = "competitions/lic2020_ee/README.md"


@dataclass(frozen=True, slots=True)
class EventType:
    """What the schema says of one event type. roles: in the order of the file."""

    event_class: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """All event types by their full name, in the order of the file."""

    event_types: dict[str, EventType]

    @property
    def roles(self) -> tuple[tuple[str, str], ...]:
        """Every (event type, role), in the order of the file: one role name may belong to several types."""
        return tuple((name, role) for name, event_type in self.event_types.items() for role in event_type.roles)

    def to_json(self) -> dict[str, Any]:
        """Returns the schema as a JSON object: event type -> {"class", "roles"}."""
        return {name: {"class": one.event_class, "roles": list(one.roles)} for name, one in self.event_types.items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Schema":
        """The inverse of `to_json`."""
        return cls({name: EventType(one["class"], tuple(one["roles"])) for name, one in document.items()})


def read_schema(file: Path) -> Schema:
    """Reads a schema file: one JSON object a line with `event_type`, `class` and `role_list` of objects with `role`.

    Raises: UserError if the file cannot be read or a line is not of this form; no line can be left out.
    """
    event_types: dict[str, EventType] = {}
    for number, line in enumerate(lines(file, README), start=1):
        try:
            name, event_type = _event_type(line)
            if name in event_types:
                raise Problem(f"the event type {short(name)} stands in an earlier line already. Expected it once")
        except Problem as problem:
            raise UserError(f"{file}:{number}: {problem}. Use the official schema file; see {README}.") from None
        event_types[name] = event_type
    return Schema(event_types)


def _event_type(line: str) -> tuple[str, EventType]:
    fields = parse_object(line, "a JSON object with 'event_type', 'class' and 'role_list'")
    name, event_class = text_field(fields, "event_type"), text_field(fields, "class")
    if not name.startswith(f"{event_class}-"):
        raise Problem(f"the event type {short(name)} does not start with its class. Expected {event_class}- and a name")
    roles = [text_field(item, "role") for item in objects_field(fields, "role_list")]
    if len(set(roles)) < len(roles):
        raise Problem(f"a role of {short(name)} is listed twice. Expected every role once")
    return name, EventType(event_class, tuple(roles))
