"""Events of a model or a baseline to scores, curves and the submission."""

import json
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from competitions.lic2020_ee import scoring, submission
from competitions.lic2020_ee.scoring import Answers
from competitions.lic2020_ee.settings import Settings
from competitions.lic2020_ee.submission import Events
from shared.arrays import Split
from shared.task import Labels, Outputs

NONE = "none"  # in the confusion: no event that goes with this one


def score(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, Any]:
    """Returns the figures of `scoring.score`, by event type too, without the sum of the arguments' scores."""
    figures = scoring.score(_gold(split), _predicted(outputs, split))
    return {name: value for name, value in figures.items() if name != "score_sum"}


def tables(outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of `pr_curve/arguments.csv` and `confusion/event_types.csv`."""
    gold, predicted = _gold(split), _predicted(outputs, split)
    confidence = dict(zip(split.ragged("id").texts(), outputs["confidence"], strict=True))
    return {
        "pr_curve/arguments.csv": pr_curve(gold, predicted, confidence, settings.predict.threshold),
        "confusion/event_types.csv": confusion(gold, predicted, list(labels["schema"])),
    }


def pr_curve(
    gold: Answers, predicted: Answers, confidence: Mapping[str, Sequence[Sequence[float]]], lowest: float
) -> list[dict[str, Any]]:
    """Returns the figures of the arguments that are at least so sure: lowest, lowest + 0.04 ..., while there are any.

    Args: by id; confidence: of the arguments of each event. lowest: the threshold in force; nothing below was decoded.
    """
    points = []
    for threshold in np.round(np.arange(lowest, 1.0, 0.04), 4).tolist():
        kept = {row_id: _at_least(threshold, predicted[row_id], confidence[row_id]) for row_id in predicted}
        figures = scoring.score(gold, kept)
        if not figures["predicted"]:  # no precision without an answer
            break
        points.append({"threshold": threshold} | {name: figures[name] for name in ("recall", "precision", "f1")})
    return points


def confusion(gold: Answers, predicted: Answers, event_types: Sequence[str]) -> list[dict[str, str]]:
    """Returns a row for each gold or predicted event type of each sentence.

    A type that both sides name is right; of those left, one of each side makes a row, in the order of the schema, and
    what is left then is set against `none`. Args: by id; event_types: of the schema.
    """
    order = {name: number for number, name in enumerate(event_types)}
    rows = []
    for row_id, events in gold.items():
        wanted, found = ({event["event_type"] for event in side} for side in (events, predicted[row_id]))
        missed, extra = (sorted(side, key=order.__getitem__) for side in (wanted - found, found - wanted))
        rows += [{"gold": name, "predicted": name} for name in sorted(wanted & found, key=order.__getitem__)]
        rows += [{"gold": one, "predicted": other} for one, other in zip_longest(missed, extra, fillvalue=NONE)]
    return rows


def write_submission(folder: Path, outputs: Outputs, split: Split, settings: Settings, labels: Labels) -> Path:
    """Writes `duee.json`, `duee.zip` and, for ensembles, `confidence.jsonl` into folder; returns the first one's path.

    Line i of the last lists the confidence of each argument of each event of line i of the submission.
    """
    path = submission.write(folder, split.ragged("id").texts(), outputs["events"])
    rows = [json.dumps([[round(sure, 6) for sure in event] for event in row]) for row in outputs["confidence"]]
    (folder / "confidence.jsonl").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def _at_least(threshold: float, events: Events, confidence: Sequence[Sequence[float]]) -> Events:
    """Returns the events with those of their arguments that reach the threshold."""
    return [
        {
            "event_type": event["event_type"],
            "arguments": [one for one, sure in zip(event["arguments"], sures, strict=True) if sure >= threshold],
        }
        for event, sures in zip(events, confidence, strict=True)
    ]


def _gold(split: Split) -> dict[str, Events]:
    return dict(zip(split.ragged("id").texts(), map(json.loads, split.ragged("event_list").texts()), strict=True))


def _predicted(outputs: Outputs, split: Split) -> dict[str, Events]:
    return dict(zip(split.ragged("id").texts(), outputs["events"], strict=True))
