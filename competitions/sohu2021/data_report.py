"""What the raw data holds: counts, label balance, lengths, repeats, overlaps, conflicts and dirt.

The report names ids and places but never a text, so it may be shown where the data may not. It takes linear time.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from competitions.sohu2021.data import Example, RawData
from competitions.sohu2021.variants import VARIANTS

Pair = tuple[str, str]

LISTED_CONFLICTS = 5
LISTED_BAD_LINES = 100
CHARACTERS_AT_ONCE = 1 << 22  # keeps the scan of all texts below some 40 MB
# Half-open ranges of code points. Emoji: the blocks of pictographs, dingbats and flags hold nearly all of them.
CHARACTER_KINDS: dict[str, tuple[tuple[int, int], ...]] = {
    "control": ((0x00, 0x09), (0x0B, 0x0D), (0x0E, 0x20), (0x7F, 0xA0)),  # without tab and line ends
    "private_use": ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE)),
    "zero_width": ((0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2065), (0xFEFF, 0xFF00)),
    "emoji": ((0x2600, 0x27C0), (0x1F1E6, 0x1F200), (0x1F300, 0x1FB00)),
}


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
        "characters": {"source": _lengths(source), "target": _lengths(target), "pair": _lengths(source + target)},
        "repeated_pairs": len(rows) - len(pairs),
        "swapped_pairs": swapped,
        "source_equals_target": {"lines": equal.total(), "by_label": dict(sorted(equal.items()))},
        "texts_with": {
            "edge_blanks": sum(text[0].isspace() or text[-1].isspace() for text in texts),
            **_character_kinds(texts),
        },
    }


def _lengths(lengths: np.ndarray) -> dict[str, float]:
    """Smallest, mean, nearest-rank percentiles and largest."""
    p50, p90, p95, p99 = np.percentile(lengths, (50, 90, 95, 99), method="inverted_cdf").tolist()
    mean = round(float(lengths.mean()), 2)
    return {
        "min": int(lengths.min()),
        "mean": mean,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": int(lengths.max()),
    }


def _character_kinds(texts: Iterable[str]) -> dict[str, int]:
    """Returns for each kind of character the number of texts that hold one; `texts` are not empty."""
    numbers = np.zeros(len(CHARACTER_KINDS), np.int64)
    for batch in _batches(texts):
        starts = np.cumsum([0, *(len(text) for text in batch[:-1])])
        codes = np.frombuffer("".join(batch).encode("utf-32-le", "surrogatepass"), np.uint32)  # (characters,)
        flags = np.bitwise_or.reduceat(_flags_of_codes()[codes], starts)  # (texts,)
        numbers += [np.count_nonzero(flags & 1 << bit) for bit in range(len(CHARACTER_KINDS))]
    return dict(zip(CHARACTER_KINDS, numbers.tolist(), strict=True))


def _batches(texts: Iterable[str]) -> Iterable[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


@cache
def _flags_of_codes() -> np.ndarray:
    """Returns for each code point a byte whose bit i is set if the character is of kind i."""
    flags = np.zeros(0x110000, np.uint8)
    for bit, ranges in enumerate(CHARACTER_KINDS.values()):
        for start, end in ranges:
            flags[start:end] |= 1 << bit
    return flags


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
        _table(
            "Lines, labels and lengths (characters of both texts together)",
            ["split", "variant", "lines", "positive", "min", "mean", "p50", "p95", "p99", "max"],
            [
                [split, variant, figures["lines"], _percent(figures["positive_share"]) if figures["labelled"] else "-"]
                + [figures["characters"]["pair"][key] for key in ("min", "mean", "p50", "p95", "p99", "max")]
                for split, variants in document["splits"].items()
                for variant, figures in variants.items()
            ],
        ),
        _table(
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
        _table(
            "Lines whose pair stands in an earlier split too",
            ["class", *document["overlap"]["a"]],
            [
                [kind.upper(), *(f"{found['lines']} ({_percent(found['share'])})" for found in overlap.values())]
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


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return f"## {title}\n\n" + "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
