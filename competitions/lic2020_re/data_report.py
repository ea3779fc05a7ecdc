"""What the raw data holds: counts, lengths, triples by predicate, repeats, overlaps, places of names and dirt.

The report names predicates and places but never a text or a value, so it may be shown where the data may not. It takes
linear time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from competitions.lic2020_re.data import SPLITS, Example, RawData, Triple, values
from competitions.lic2020_re.schema import VALUE, Schema
from shared.markdown import percent, table
from shared.text.statistics import CHARACTER_KINDS, character_kinds, length_figures

LISTED_BAD_LINES = 100
LABELLED = ("train", "valid")
LENGTHS = ("min", "mean", "p50", "p95", "p99", "max")
BLANKS = {"line_breaks": "\n", "ideographic_blanks": "\u3000", "no_break_blanks": "\xa0"}
DIRT = ("edge_blanks", *BLANKS, *CHARACTER_KINDS)


def report(raw: RawData) -> dict[str, Any]:
    """Returns the report as a JSON document; equal data gives an equal document.

    Keys: `splits` (split -> lines, lengths, repeated texts, dirt), `triples` (train and valid -> figures on triples,
    see `_triple_figures`), `predicates` (predicate -> number of triples by split), `never_used` (predicates without
    any), `slots` (predicates of several slots -> split -> slot -> triples that fill it), `overlap` (lines whose text,
    and triples that, stand in an earlier split too), `files` and `bad_lines`. Texts and triples are compared exactly.
    """
    splits = {split: getattr(raw, split) for split in SPLITS}
    predicates = {split: Counter(one.predicate for row in splits[split] for one in row.triples) for split in LABELLED}
    counts = {name: {split: predicates[split][name] for split in LABELLED} for name in raw.schema.predicates}
    return {
        "splits": {split: _line_figures(rows) for split, rows in splits.items()},
        "triples": {split: _triple_figures(splits[split]) for split in LABELLED},
        "predicates": counts,
        "never_used": [name for name, by_split in counts.items() if not any(by_split.values())],
        "slots": _slots(splits, raw.schema),
        "overlap": _overlap(splits),
        "files": [file.name for file in raw.files],
        "bad_lines": {
            "count": len(raw.bad_lines),
            "first": [{"where": bad.where, "problem": bad.problem} for bad in raw.bad_lines[:LISTED_BAD_LINES]],
        },
    }


def _line_figures(rows: Sequence[Example]) -> dict[str, Any]:
    texts = [row.text for row in rows]
    return {
        "lines": len(rows),
        "characters": _lengths(texts),
        "repeated_texts": len(rows) - len(set(texts)),
        "texts_with": {
            "edge_blanks": sum(text[0].isspace() or text[-1].isspace() for text in texts),
            **{kind: sum(blank in text for text in texts) for kind, blank in BLANKS.items()},
            **character_kinds(texts),
        },
    }


def _triple_figures(rows: Sequence[Example]) -> dict[str, Any]:
    """Figures on the triples of one split.

    Keys: `count`; `a_line` and `characters` (lengths); `lines_without`; `repeated` (in their line, all but the first);
    `not_in_text` (triples whose subject or some value of the object the text lacks); `several_places` (different names
    of a line that stand in its text more than once: which one is meant, the data does not tell); `same_object_slot`
    (triples that share subject and predicate with another: a decoder that keeps one object each loses all but one);
    `several_predicates` (pairs of subject and `@value` of a line with more than one); `subject_is_object`; and, of all
    subjects and values, `edge_blanks` and `book_marks`, which hold one of 《》.
    """
    triples = [triple for row in rows for triple in row.triples]
    names = [name for triple in triples for name in values(triple)]
    subjects = [(row.text, {triple.subject for triple in row.triples}) for row in rows]
    objects = [(row.text, {value for triple in row.triples for _, value in triple.object}) for row in rows]
    unique = [dict.fromkeys(row.triples) for row in rows]
    return {
        "count": len(triples),
        "a_line": _figures([len(row.triples) for row in rows]),
        "lines_without": sum(not row.triples for row in rows),
        "characters": {
            "subject": _lengths(triple.subject for triple in triples),
            "object": _lengths(value for triple in triples for _, value in triple.object),
        },
        "repeated": len(triples) - sum(map(len, unique)),
        "not_in_text": {
            "subject": sum(triple.subject not in row.text for row in rows for triple in row.triples),
            "object": sum(any(v not in row.text for _, v in triple.object) for row in rows for triple in row.triples),
        },
        "several_places": {"subject": _several_places(subjects), "object": _several_places(objects)},
        "same_object_slot": sum(map(_sharing, unique)),
        "several_predicates": sum(map(_pairs_with_several_predicates, unique)),
        "subject_is_object": sum(triple.subject == dict(triple.object)[VALUE] for triple in triples),
        "edge_blanks": sum(name != name.strip() for name in names),
        "book_marks": sum("《" in name or "》" in name for name in names),
    }


def _several_places(rows: Iterable[tuple[str, set[str]]]) -> dict[str, Any]:
    """Counts the names that stand in their text more than once."""
    total = several = 0
    for text, names in rows:
        total += len(names)
        several += sum(_stands_again(text, name) for name in names)
    return {"names": several, "share": _share(several, total)}


def _stands_again(text: str, name: str) -> bool:
    first = text.find(name)
    return first >= 0 and text.find(name, first + 1) >= 0


def _sharing(triples: Iterable[Triple]) -> int:
    sizes = Counter((triple.subject, triple.predicate) for triple in triples).values()
    return sum(size for size in sizes if size > 1)


def _pairs_with_several_predicates(triples: Iterable[Triple]) -> int:
    predicates: dict[tuple[str, str], set[str]] = {}
    for triple in triples:
        predicates.setdefault((triple.subject, dict(triple.object)[VALUE]), set()).add(triple.predicate)
    return sum(len(found) > 1 for found in predicates.values())


def _slots(splits: dict[str, list[Example]], schema: Schema) -> dict[str, Any]:
    """For each predicate of several slots and each split: its triples, those with `@value` alone, those with a slot."""
    several = {name: one for name, one in schema.predicates.items() if len(one.object_types) > 1}
    result: dict[str, Any] = {
        name: {split: {"triples": 0, "value_only": 0, **dict.fromkeys(one.object_types, 0)} for split in LABELLED}
        for name, one in several.items()
    }
    for split in LABELLED:
        for triple in (triple for row in splits[split] for triple in row.triples if triple.predicate in several):
            figures = result[triple.predicate][split]
            figures["triples"] += 1
            figures["value_only"] += len(triple.object) == 1
            for slot, _ in triple.object:
                figures[slot] += 1
    return result


def _overlap(splits: dict[str, list[Example]]) -> dict[str, Any]:
    texts = {split: {row.text for row in rows} for split, rows in splits.items()}
    result = {}
    for earlier, later in (("train", "valid"), ("train", "test"), ("valid", "test")):
        lines = sum(row.text in texts[earlier] for row in splits[later])
        result[f"{later}_in_{earlier}"] = {"lines": lines, "share": _share(lines, len(splits[later]))}
    known = {triple for row in splits["train"] for triple in row.triples}
    triples = [triple for row in splits["valid"] for triple in row.triples]
    again = sum(triple in known for triple in triples)
    result["valid_triples_in_train"] = {"triples": again, "share": _share(again, len(triples))}
    return result


def _lengths(texts: Iterable[str]) -> dict[str, float]:
    return _figures([len(text) for text in texts])


def _figures(numbers: Sequence[int]) -> dict[str, float]:
    return length_figures(np.array(numbers if numbers else [0]))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def render(document: dict[str, Any]) -> str:
    """Returns the report as Markdown, for a terminal or a file."""
    triples = document["triples"]
    sections = [
        "# LIC2020 relation extraction: data report",
        table(
            "Lines and lengths (characters)",
            ["split", "lines", "repeated", *LENGTHS],
            [
                [split, figures["lines"], figures["repeated_texts"], *(figures["characters"][key] for key in LENGTHS)]
                for split, figures in document["splits"].items()
            ],
        ),
        table(
            "Dirt (texts)",
            ["split", *(kind.replace("_", " ") for kind in DIRT)],
            [[split, *figures["texts_with"].values()] for split, figures in document["splits"].items()],
        ),
        table("Triples", ["", *triples], [[label, *row] for label, row in _triple_rows(triples)]),
        table(
            "Triples by predicate",
            ["predicate", *LABELLED],
            [[name, *counts.values()] for name, counts in document["predicates"].items()],
        ),
        table(
            "Predicates of several slots (triples that fill a slot)",
            ["predicate", "split", "triples", f"{VALUE} alone", "slots"],
            [
                [name, split, figures["triples"], figures["value_only"], _filled(figures)]
                for name, by_split in document["slots"].items()
                for split, figures in by_split.items()
            ],
        ),
        "## Overlap and unused predicates\n\n" + "\n".join(_overlap_lines(document)),
        "## Bad lines\n\n" + "\n".join(_bad_lines(document["bad_lines"])),
    ]
    return "\n\n".join(sections) + "\n"


def _triple_rows(triples: dict[str, Any]) -> list[tuple[str, list[object]]]:
    """Returns a label with its cells, one for each labelled split."""
    rows = {
        "triples": lambda one: one["count"],
        "lines without": lambda one: one["lines_without"],
        "a line: mean, p95, max": lambda one: _three(one["a_line"]),
        "characters of a subject: mean, p95, max": lambda one: _three(one["characters"]["subject"]),
        "characters of an object's value: mean, p95, max": lambda one: _three(one["characters"]["object"]),
        "repeated in their line": lambda one: one["repeated"],
        "subject not in the text": lambda one: one["not_in_text"]["subject"],
        "object not in the text": lambda one: one["not_in_text"]["object"],
        "subjects with several places": lambda one: _with_share(one["several_places"]["subject"], "names"),
        "objects' values with several places": lambda one: _with_share(one["several_places"]["object"], "names"),
        "sharing subject and predicate with another": lambda one: one["same_object_slot"],
        "pairs with several predicates": lambda one: one["several_predicates"],
        "subject equal to object": lambda one: one["subject_is_object"],
        "names with an edge blank": lambda one: one["edge_blanks"],
        "names with 《 or 》": lambda one: one["book_marks"],
    }
    return [(label, [cell(figures) for figures in triples.values()]) for label, cell in rows.items()]


def _three(figures: dict[str, float]) -> str:
    return f"{figures['mean']}, {figures['p95']}, {figures['max']}"


def _with_share(found: dict[str, Any], name: str) -> str:
    return f"{found[name]} ({percent(found['share'])})"


def _filled(figures: dict[str, int]) -> str:
    return ", ".join(f"{slot}: {number}" for slot, number in figures.items() if slot not in ("triples", "value_only"))


def _overlap_lines(document: dict[str, Any]) -> list[str]:
    overlap = dict(document["overlap"])
    triples = overlap.pop("valid_triples_in_train")
    lines = [
        f"- Lines of {name.replace('_in_', ' whose text is in ')}: {_with_share(found, 'lines')}"
        for name, found in overlap.items()
    ]
    return [
        *lines,
        f"- Triples of valid that are in train: {_with_share(triples, 'triples')}",
        f"- Predicates never used: {', '.join(document['never_used']) or 'none'}",
    ]


def _bad_lines(bad_lines: dict[str, Any]) -> list[str]:
    first = bad_lines["first"]
    more = [f"- and {bad_lines['count'] - len(first)} more"] if bad_lines["count"] > len(first) else []
    return [f"{bad_lines['count']} left out.", *(f"- {bad['where']}: {bad['problem']}" for bad in first), *more]
