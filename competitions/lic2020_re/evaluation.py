"""Triples of a model or a baseline to scores, curves and the submission."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from competitions.lic2020_re import scoring, submission
from competitions.lic2020_re.schema import VALUE
from competitions.lic2020_re.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs

NONE = "none"  # in the confusion: no predicate between this subject and value
SENTENCES = {"1": (1, 2), "2": (2, 3), "3-5": (3, 6), "6+": (6, 1 << 31)}  # slices by number of gold triples, half-open
SUBMISSION = "duie.zip"
OfficialTriple = Mapping[str, Any]


def score(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, Any]:
    """Returns the official figures, also by predicate and by the number of gold triples of the sentence."""
    gold, predicted = _gold(split), _predicted(outputs, split)
    result = scoring.score(gold, predicted)
    result["by_triples"] = {}
    for name, (low, high) in SENTENCES.items():
        part = {text: triples for text, triples in gold.items() if low <= len(triples) < high}
        figures = scoring.score(part, predicted)
        if part:
            result["by_triples"][name] = {"n": len(part), **{k: v for k, v in figures.items() if isinstance(v, float)}}
    return result


def tables(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of `pr_curve/triples.csv` and `confusion/predicates.csv`."""
    gold, predicted = _gold(split), _predicted(outputs, split)
    confidence = dict(zip(split.ragged("text").texts(), outputs["confidence"], strict=True))
    return {
        "pr_curve/triples.csv": pr_curve(gold, predicted, confidence),
        "confusion/predicates.csv": confusion(gold, predicted, list(labels["schema"])),
    }


def pr_curve(
    gold: Mapping[str, Iterable[OfficialTriple]],
    predicted: Mapping[str, Iterable[OfficialTriple]],
    confidence: Mapping[str, Iterable[float]],
) -> list[dict[str, Any]]:
    """Returns the official figures of the triples of at least a confidence of 0, 0.02 ... 0.98, while there are any.

    Nothing below the thresholds of prediction was decoded, so the curve begins there. Args: by text.
    """
    right: list[float] = []  # the confidence of each triple that gold has
    wrong: list[float] = []
    total = 0
    for text, triples in gold.items():
        wanted = {normalized(triple) for triple in triples}
        total += len(wanted)
        best: dict[tuple, float] = defaultdict(float)
        for triple, sure in zip(predicted[text], confidence[text], strict=True):
            best[normalized(triple)] = max(best[normalized(triple)], sure)
        for found, sure in best.items():
            (right if found in wanted else wrong).append(sure)
    points = []
    for threshold in np.round(np.arange(0.0, 0.99, 0.02), 2).tolist():
        correct, false = (int((np.array(part) >= threshold).sum()) for part in (right, wrong))
        if not correct + false:  # no precision without an answer
            break
        point = {"threshold": threshold, "recall": correct / max(1, total), "precision": correct / (correct + false)}
        points.append({**point, "f1": 2 * correct / max(1, correct + false + total)})
    return points


def confusion(
    gold: Mapping[str, Iterable[OfficialTriple]],
    predicted: Mapping[str, Iterable[OfficialTriple]],
    predicates: Sequence[str],
) -> list[dict[str, str]]:
    """Returns a row for each gold or predicted predicate of each pair of subject and `@value`.

    Where both sides name a predicate, it is right; of those left, one of each side makes a row, and what is left then
    is set against `none`. Args: by text; predicates: in the order of the schema.
    """
    order = {name: number for number, name in enumerate(predicates)}
    rows = []
    for text, triples in gold.items():
        wanted, found = _predicates(triples), _predicates(predicted[text])
        for pair in sorted(wanted.keys() | found.keys()):
            one, other = wanted.get(pair, set()), found.get(pair, set())
            missed, extra = sorted(one - other, key=order.__getitem__), sorted(other - one, key=order.__getitem__)
            missed += [NONE] * (len(extra) - len(missed))
            extra += [NONE] * (len(missed) - len(extra))
            both = sorted(one & other, key=order.__getitem__)
            rows += [{"gold": a, "predicted": b} for a, b in zip(both + missed, both + extra, strict=True)]
    return rows


def write_submission(folder: Path, outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> Path:
    """Writes `duie.zip` and, for ensembles, `confidence.jsonl` into folder; returns the former's path.

    Line i of the latter lists the confidence of each triple of line i of the submission.
    """
    path = folder / SUBMISSION
    submission.write(path, split.ragged("text").texts(), outputs["triples"])
    rows = [json.dumps([round(sure, 6) for sure in row]) for row in outputs["confidence"]]
    (folder / "confidence.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def normalized(triple: OfficialTriple) -> tuple[str, str, frozenset[tuple[str, str]]]:
    """Returns what the official measure compares of a triple, without aliases."""
    slots = frozenset((slot, scoring.normalize(value)) for slot, value in triple["object"].items())
    return scoring.normalize(triple["subject"]), triple["predicate"], slots


def _gold(split: Split) -> dict[str, list[OfficialTriple]]:
    return dict(zip(split.ragged("text").texts(), map(json.loads, split.ragged("spo_list").texts()), strict=True))


def _predicted(outputs: Outputs, split: Split) -> dict[str, list[OfficialTriple]]:
    return dict(zip(split.ragged("text").texts(), outputs["triples"], strict=True))


def _predicates(triples: Iterable[OfficialTriple]) -> dict[tuple[str, str], set[str]]:
    """Returns the predicates of each pair of subject and `@value`."""
    pairs: dict[tuple[str, str], set[str]] = defaultdict(set)
    for triple in triples:
        subject, value = scoring.normalize(triple["subject"]), scoring.normalize(triple["object"][VALUE])
        pairs[subject, value].add(triple["predicate"])
    return pairs
