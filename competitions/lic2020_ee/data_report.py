"""What the raw data holds: counts, lengths, events and their arguments, what no label scheme can tell apart, and dirt.

The report names event types, roles and places but never a text, so it may be shown where the data may not. It takes
linear time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from competitions.lic2020_ee.data import Argument, Example, RawData
from shared.markdown import percent, table
from shared.text.statistics import CHARACTER_KINDS, character_kinds, length_figures

LISTED_BAD_LINES = 100
LENGTHS = ("min", "mean", "p50", "p95", "p99", "max")
# Figure of a labelled split -> how the rendered report names it, and what it counts.
EVENT_FIGURES = {
    "lines_without_events": "lines without an event",
    "lines_with_several_events": "lines with several events",
    "lines_with_several_events_of_one_type": "lines with several events of one type",
    "events_without_arguments": "events without arguments",
}
ARGUMENT_FIGURES = {
    "lines_with_several_arguments_of_one_role": "lines with several arguments for one role of an event type",
    "lines_with_overlapping_arguments": "lines where two arguments share characters, but are not the same span",
    "lines_with_nested_arguments": "lines where one argument lies within another",
    "lines_with_a_span_in_two_roles": "lines where one span has two (event type, role)",
    "arguments_with_several_mentions": "arguments that stand in the text several times",
    "arguments_at_a_later_mention": "arguments annotated at a later mention than the first",
    "repeated_arguments": "(event type, role, argument) repeated in their line",
    "arguments_of_one_character": "arguments of one character",
    "arguments_with_edge_blanks": "arguments that start or end with a blank",
    "arguments_with_aliases": "arguments with aliases",
}


def report(raw: RawData) -> dict[str, Any]:
    """Returns the report as a JSON document; equal data gives an equal document.

    Keys: `splits` (split -> figures; test lines have only those of their texts), `event_types` (type -> split ->
    events), `unused_event_types` and `unused_roles` (those of the schema that no train or valid line uses), `overlap`
    (lines whose text or id stands in an earlier split too), `files` and `bad_lines`.
    """
    splits = {"train": raw.train, "valid": raw.valid, "test": raw.test}
    types = {split: Counter(one.type for row in rows for one in row.events) for split, rows in splits.items()}
    used = {
        (event.type, argument.role)
        for rows in splits.values()
        for row in rows
        for event in row.events
        for argument in event.arguments
    }
    return {
        "splits": {split: _figures(rows, labelled=split != "test") for split, rows in splits.items()},
        "event_types": {
            name: {"train": types["train"][name], "valid": types["valid"][name]} for name in raw.schema.event_types
        },
        "unused_event_types": [
            name for name in raw.schema.event_types if not types["train"][name] + types["valid"][name]
        ],
        "unused_roles": [[name, role] for name, role in raw.schema.roles if (name, role) not in used],
        "overlap": _overlap(splits),
        "files": [f"{file.parent.name}/{file.name}" for file in raw.files],
        "bad_lines": {
            "count": len(raw.bad_lines),
            "first": [{"where": bad.where, "problem": bad.problem} for bad in raw.bad_lines[:LISTED_BAD_LINES]],
        },
    }


def _figures(rows: Sequence[Example], labelled: bool) -> dict[str, Any]:
    texts = [row.text for row in rows]
    figures: dict[str, Any] = {
        "lines": len(rows),
        "characters": _lengths(len(text) for text in texts),
        "repeated_texts": len(texts) - len(set(texts)),
        "texts_with": {
            "edge_blanks": sum(text[0].isspace() or text[-1].isspace() for text in texts),
            "line_breaks": sum("\n" in text or "\r" in text for text in texts),
            **character_kinds(texts),
        },
    }
    return figures | (_labels(rows) if labelled else {})


def _labels(rows: Sequence[Example]) -> dict[str, Any]:
    """Returns the figures on events and arguments of labelled lines."""
    events = [event for row in rows for event in row.events]
    arguments = [argument for event in events for argument in event.arguments]
    by_event = Counter[str]()
    by_argument = Counter[str]()
    for row in rows:
        types = Counter(event.type for event in row.events)
        by_event["lines_without_events"] += not row.events
        by_event["lines_with_several_events"] += len(row.events) > 1
        by_event["lines_with_several_events_of_one_type"] += any(number > 1 for number in types.values())
        by_argument.update(_line(row))
    by_event["events_without_arguments"] = sum(not event.arguments for event in events)
    by_argument["arguments_of_one_character"] = sum(len(argument.text) == 1 for argument in arguments)
    by_argument["arguments_with_edge_blanks"] = sum(one.text != one.text.strip() for one in arguments)
    by_argument["arguments_with_aliases"] = sum(bool(argument.aliases) for argument in arguments)
    return {
        "events": len(events),
        "arguments": len(arguments),
        "events_per_line": _lengths(len(row.events) for row in rows),
        "arguments_per_line": _lengths(sum(len(event.arguments) for event in row.events) for row in rows),
        "trigger_characters": _lengths(len(event.trigger) for event in events),
        "argument_characters": _lengths(len(argument.text) for argument in arguments),
        **{name: by_event[name] for name in EVENT_FIGURES},
        **{name: by_argument[name] for name in ARGUMENT_FIGURES},
    }


def _line(row: Example) -> dict[str, int]:
    """Returns what one line adds to those figures on arguments that need its text or its other arguments."""
    found = [(event.type, argument) for event in row.events for argument in event.arguments]
    triples = {(name, argument.role, argument.text) for name, argument in found}
    roles = Counter((name, role) for name, role, _ in triples)
    labels: dict[tuple[int, int], set[tuple[str, str]]] = {}  # span -> its (event type, role)
    for name, argument in found:
        labels.setdefault(_span(argument), set()).add((name, argument.role))
    overlapping, nested = _overlaps(labels)
    firsts = [row.text.find(argument.text) for _, argument in found]
    return {
        "lines_with_several_arguments_of_one_role": any(number > 1 for number in roles.values()),
        "lines_with_overlapping_arguments": overlapping,
        "lines_with_nested_arguments": nested,
        "lines_with_a_span_in_two_roles": any(len(names) > 1 for names in labels.values()),
        "arguments_with_several_mentions": sum(
            row.text.find(argument.text, first + 1) >= 0 for (_, argument), first in zip(found, firsts, strict=True)
        ),
        "arguments_at_a_later_mention": sum(
            argument.start > first for (_, argument), first in zip(found, firsts, strict=True)
        ),
        "repeated_arguments": len(found) - len(triples),
    }


def _span(argument: Argument) -> tuple[int, int]:
    return argument.start, argument.start + len(argument.text)


def _overlaps(spans: Iterable[tuple[int, int]]) -> tuple[bool, bool]:
    """Returns whether two of the different spans share a character, and whether one lies within another."""
    overlapping = nested = False
    furthest = 0
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        overlapping |= start < furthest
        nested |= end <= furthest
        furthest = max(furthest, end)
    return overlapping, nested


def _lengths(values: Iterable[int]) -> dict[str, float]:
    """Returns the figures of `length_figures`; none of them if there is no value."""
    numbers = np.array(list(values))
    return length_figures(numbers) if len(numbers) else {}


def _overlap(splits: dict[str, list[Example]]) -> dict[str, Any]:
    texts = {split: {row.text for row in rows} for split, rows in splits.items()}
    ids = {split: {row.id for row in rows} for split, rows in splits.items()}
    result = {}
    for earlier, later in (("train", "valid"), ("train", "test"), ("valid", "test")):
        lines = sum(row.text in texts[earlier] for row in splits[later])
        result[f"{later}_in_{earlier}"] = {
            "lines": lines,
            "share": round(lines / len(splits[later]), 4) if splits[later] else 0.0,
            "ids": len(ids[later] & ids[earlier]),
        }
    return result


def render(document: dict[str, Any]) -> str:
    """Returns the report as Markdown, for a terminal or a file."""
    splits = document["splits"]
    labelled = {split: figures for split, figures in splits.items() if "events" in figures}
    counted = {"events": "events", "arguments": "arguments", **EVENT_FIGURES, **ARGUMENT_FIGURES}
    sections = [
        "# LIC2020 event extraction (DuEE 1.0): data report",
        table("Lengths", ["split", "of", *LENGTHS], _length_rows(splits)),
        table(
            "Lines and dirt (texts)",
            ["split", "lines", "repeated", "edge blanks", "line breaks", *CHARACTER_KINDS],
            [
                [split, figures["lines"], figures["repeated_texts"], *figures["texts_with"].values()]
                for split, figures in splits.items()
            ],
        ),
        table(
            "Events and arguments",
            ["", *labelled],
            [[title, *(figures[name] for figures in labelled.values())] for name, title in counted.items()],
        ),
        table(
            "Lines whose text stands in an earlier split too",
            [*document["overlap"]],
            [[f"{found['lines']} ({percent(found['share'])})" for found in document["overlap"].values()]],
        ),
        table(
            "Events by type",
            ["event type", *labelled],
            [[name, *numbers.values()] for name, numbers in document["event_types"].items()],
        ),
        "## Of the schema, but never used\n\n" + "\n".join(_unused_lines(document)),
        "## Bad lines\n\n" + "\n".join(_bad_lines(document["bad_lines"])),
    ]
    return "\n\n".join(sections) + "\n"


def _length_rows(splits: dict[str, dict[str, Any]]) -> list[list[object]]:
    titles = {
        "characters": "characters of a text",
        "events_per_line": "events of a line",
        "arguments_per_line": "arguments of a line",
        "trigger_characters": "characters of a trigger",
        "argument_characters": "characters of an argument",
    }
    return [
        [split, title, *(figures[name].get(key, "-") for key in LENGTHS)]
        for split, figures in splits.items()
        for name, title in titles.items()
        if name in figures
    ]


def _unused_lines(document: dict[str, Any]) -> list[str]:
    types, roles = document["unused_event_types"], document["unused_roles"]
    named = ", ".join(f"{role} of {name}" for name, role in roles if name not in types)
    return [
        f"- {len(types)} event types{': ' if types else ''}{', '.join(types)}",
        f"- {len(roles)} roles; of used event types: {named or 'none'}",
    ]


def _bad_lines(bad_lines: dict[str, Any]) -> list[str]:
    first = bad_lines["first"]
    more = [f"- and {bad_lines['count'] - len(first)} more"] if bad_lines["count"] > len(first) else []
    return [f"{bad_lines['count']} left out.", *(f"- {bad['where']}: {bad['problem']}" for bad in first), *more]
