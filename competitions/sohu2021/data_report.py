"""What the raw data holds: counts, label balance, lengths, repeats, overlaps, conflicts and dirt.

The report names ids and places but never a text, so it may be shown where the data may not. It takes linear time.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from competitions.sohu2021.data import Example, RawData
from competitions.sohu2021.variants import VARIANTS
from shared.markdown import percent, table
from shared.text.statistics import CHARACTER_KINDS, character_kinds, length_figures

Pair = tuple[str, str]

LISTED_CONFLICTS = 5
LISTED_BAD_LINES = 100


def report(raw: RawData) -> dict[str, Any]:
    """Returns the report as a JSON document; equal data gives an equal document.

    Keys: `splits` (split -> variant -> figures), `conflicts` (pairs with both labels within a class), `shared_a_b`
    (pairs that stand in both classes), `overlap` (lines whose pair stands in an earlier split too, by class), `files`
    and `bad_lines`. Pairs are compared exactly and in order; `swapped_pairs` counts those met the other way round too.
    """
    splits = {"train": raw.train, "valid": raw.valid, "test": raw.test}
    by_kind = {
        kind: {split: [one for one in rows if VARIANTS[one.variant].kind == kind] for split, rows in splits.items()}
        for kind in ("a", "b")
    }
    labels = {kind: _labels(by_kind[kind]) for kind in by_kind}
    return {
        "splits": {split: _variants(rows) for split, rows in splits.items()},
        "conflicts": {kind: _conflicts(labels[kind]) for kind in labels},
        "shared_a_b": _shared(labels["a"], labels["b"]),
        "overlap": {kind: _overlap(by_kind[kind]) for kind in by_kind},
        "files": [f"{file.parent.name}/{file.name}" for file in raw.files],
        "bad_lines": {
            "count": len(raw.bad_lines),
            "first": [{"where": bad.where, "problem": bad.problem} for bad in raw.bad_lines[:LISTED_BAD_LINES]],
        },
    }


def _variants(rows: Sequence[Example]) -> dict[str, Any]:
    by_variant: dict[int, list[Example]] = {}
    for row in rows:
        by_variant.setdefault(row.variant, []).append(row)
    return {one.name: _figures(by_variant[one.index]) for one in VARIANTS if one.index in by_variant}


def _figures(rows: Sequence[Example]) -> dict[str, Any]:
    source = np.array([len(row.source) for row in rows])
    target = np.array([len(row.target) for row in rows])
    labelled = [row.label for row in rows if row.label is not None]
    positives = sum(labelled)
    pairs = Counter((row.source, row.target) for row in rows)
    swapped = sum(1 for one, other in pairs if one < other and (other, one) in pairs)
    texts = [text for row in rows for text in (row.source, row.target)]
    equal = Counter("none" if row.label is None else str(row.label) for row in rows if row.source == row.target)
    return {
        "lines": len(rows),
        "labelled": len(labelled),
        "positives": positives,
        "positive_share": _share(positives, len(labelled)),
        "characters": {
            "source": length_figures(source),
            "target": length_figures(target),
            "pair": length_figures(source + target),
        },
        "repeated_pairs": len(rows) - len(pairs),
        "swapped_pairs": swapped,
        "source_equals_target": {"lines": equal.total(), "by_label": dict(sorted(equal.items()))},
        "texts_with": {
            "edge_blanks": sum(text[0].isspace() or text[-1].isspace() for text in texts),
            **character_kinds(texts),
        },
    }


def _labels(splits: dict[str, list[Example]]) -> dict[Pair, dict[int, str]]:
    """Returns for each labelled pair of one class its labels, each with the place where it was first seen."""
    labels: dict[Pair, dict[int, str]] = {}
    for split, rows in splits.items():
        for row in rows:
            if row.label is not None:
                labels.setdefault((row.source, row.target), {}).setdefault(row.label, f"{split} {row.id}")
    return labels


def _conflicts(labels: dict[Pair, dict[int, str]]) -> dict[str, Any]:
    places = [[found[0], found[1]] for found in labels.values() if len(found) == 2]
    return {"pairs": len(places), "first": places[:LISTED_CONFLICTS]}


def _shared(a: dict[Pair, dict[int, str]], b: dict[Pair, dict[int, str]]) -> dict[str, Any]:
    """Labels of the pairs that stand in both classes; a match in B (same event) should be one in A (same topic)."""
    combinations = {f"a={label_a} b={label_b}": 0 for label_a in (0, 1) for label_b in (0, 1)}
    violations = []
    shared = [pair for pair in a if pair in b]
    for pair in shared:
        for label_a in a[pair]:
            for label_b in b[pair]:
                combinations[f"a={label_a} b={label_b}"] += 1
        if 0 in a[pair] and 1 in b[pair]:
            violations.append([a[pair][0], b[pair][1]])
    first = violations[:LISTED_CONFLICTS]
    return {"pairs": len(shared), "labels": combinations, "violations": {"pairs": len(violations), "first": first}}


def _overlap(splits: dict[str, list[Example]]) -> dict[str, Any]:
    pairs = {split: {(row.source, row.target) for row in rows} for split, rows in splits.items()}
    result = {}
    for earlier, later in (("train", "valid"), ("train", "test"), ("valid", "test")):
        lines = sum((row.source, row.target) in pairs[earlier] for row in splits[later])
        result[f"{later}_in_{earlier}"] = {"lines": lines, "share": _share(lines, len(splits[later]))}
    return result


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def render(document: dict[str, Any]) -> str:
    """Returns the report as Markdown, for a terminal or a file."""
    sections = [
        "# Sohu 2021: data report",
        table(
            "Lines, labels and lengths (characters of both texts together)",
            ["split", "variant", "lines", "positive", "min", "mean", "p50", "p95", "p99", "max"],
            [
                [split, variant, figures["lines"], percent(figures["positive_share"]) if figures["labelled"] else "-"]
                + [figures["characters"]["pair"][key] for key in ("min", "mean", "p50", "p95", "p99", "max")]
                for split, variants in document["splits"].items()
                for variant, figures in variants.items()
            ],
        ),
        table(
            "Repeats (lines) and dirt (texts, two a line)",
            ["split", "variant", "repeated", "swapped", "source=target", "edge blanks", *CHARACTER_KINDS],
            [
                [
                    *(split, variant, figures["repeated_pairs"], figures["swapped_pairs"]),
                    *(figures["source_equals_target"]["lines"], *figures["texts_with"].values()),
                ]
                for split, variants in document["splits"].items()
                for variant, figures in variants.items()
            ],
        ),
        table(
            "Lines whose pair stands in an earlier split too",
            ["class", *document["overlap"]["a"]],
            [
                [kind.upper(), *(f"{found['lines']} ({percent(found['share'])})" for found in overlap.values())]
                for kind, overlap in document["overlap"].items()
            ],
        ),
        "## Labels\n\n" + "\n".join(_label_lines(document)),
        "## Bad lines\n\n" + "\n".join(_bad_lines(document["bad_lines"])),
    ]
    return "\n\n".join(sections) + "\n"


def _label_lines(document: dict[str, Any]) -> list[str]:
    shared = document["shared_a_b"]
    combinations = ", ".join(f"{name}: {number}" for name, number in shared["labels"].items())
    lines = [
        f"- Class {kind.upper()}: {found['pairs']} pairs with both labels{_places(found['first'])}"
        for kind, found in document["conflicts"].items()
    ]
    violations = shared["violations"]
    return [
        *lines,
        f"- Pairs in both classes: {shared['pairs']} ({combinations})",
        f"- Of these with B = 1 and A = 0: {violations['pairs']}{_places(violations['first'])}",
    ]


def _places(places: list[list[str]]) -> str:
    return ": " + "; ".join(" / ".join(place) for place in places) if places else ""


def _bad_lines(bad_lines: dict[str, Any]) -> list[str]:
    first = bad_lines["first"]
    more = [f"- and {bad_lines['count'] - len(first)} more"] if bad_lines["count"] > len(first) else []
    return [f"{bad_lines['count']} left out.", *(f"- {bad['where']}: {bad['problem']}" for bad in first), *more]
