"""The label ceiling: gold arguments to labels and back through the very decoding of predictions, scored as those."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from competitions.lic2020_ee.data import Example, RawData
from competitions.lic2020_ee.extraction import Answer, Extractor
from competitions.lic2020_ee.feed import SpanFeed, feed
from competitions.lic2020_ee.scoring import score
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Prepared
from shared.training.feed import Arrays
from shared.training.prediction_batches import prediction_batches

ROWS_AT_ONCE = 64  # at 256 tokens and 435 labels 28 MB of scores
SPAN_ROWS_AT_ONCE = 8  # at 256 tokens and 282 heads 148 MB, of a byte each
SURE = 20.0  # logit of a gold label, against -20 for all others
VERY_SURE = 100  # the same of a span or a link: beyond what any threshold asks for
REASONS = ("cut", "boundary", "overlap", "dictionary")
Argument = tuple[str, str, str]  # event type, role, text


def ceiling(raw: RawData, prepared: Prepared, settings: Settings) -> dict[str, Any]:
    """Returns for train and valid the figures of a perfect model, and how many gold arguments it loses.

    `lost` counts each argument under the first reason that holds: `cut`: it reaches behind data.max_length;
    `boundary`: it begins or ends inside a token or with a blank; `overlap`: the label scheme holds another argument in
    its place; `dictionary`: it was found, but predict.arguments or predict.require_trigger leaves it out. Equal
    arguments of a role count once, and one that is found at another of its mentions is not lost.
    """
    return {
        name: _ceiling(getattr(raw, name), prepared.splits[name], prepared.labels, settings)
        for name in ("train", "valid")
    }


def _ceiling(examples: Sequence[Example], split: Split, labels: Labels, settings: Settings) -> dict[str, Any]:
    extractor = Extractor(split, settings, labels)
    answers: list[Any] = [[] for _ in examples]
    lost: Counter[str] = Counter()
    for units, scores in perfect_scores(split, settings, labels):
        for row, found in extractor.arguments(scores, units):
            answer = extractor.answer(found)
            answers[row] = answer.events
            roles = labels["roles"]
            names = {(*roles[one.role], one.text) for one in found if one.role < len(roles)}
            lost += _lost(examples[row], names, answer, extractor.char_starts[row], extractor.char_ends[row])
    ids = split.ragged("id").texts()
    gold = dict(zip(ids, map(json.loads, split.ragged("event_list").texts()), strict=True))
    figures = score(gold, dict(zip(ids, answers, strict=True)))
    return {name: figures[name] for name in ("f1", "precision", "recall")} | {
        "lost": {reason: lost[reason] for reason in REASONS}
    }


def perfect_scores(split: Split, settings: Settings, labels: Labels) -> Iterator[tuple[np.ndarray, Arrays]]:
    """Yields row numbers with the rows' own labels in the form of scores."""
    source, rng = feed(split, settings, labels), np.random.default_rng(0)  # nothing is drawn
    rows = SPAN_ROWS_AT_ONCE if isinstance(source, SpanFeed) else ROWS_AT_ONCE
    for units, width in prediction_batches(source.lengths, rows, settings.train.bucket_lengths):
        _, targets = source.batch(units, width, rng)
        if isinstance(source, SpanFeed):
            yield units, perfect_logits(targets, width)
        elif "labels" in targets:
            most = 1 + (max(source.roles.num_labels) if labels["scheme"] == "bio_per_type" else 2 * len(source.roles))
            gold = targets["labels"][..., None] == np.arange(most)
            yield units, {"logits": np.where(gold, np.float32(SURE), np.float32(-SURE))}
        else:
            yield units, {name: targets[name].astype(np.float32) for name in ("starts", "ends")}


def perfect_logits(targets: Arrays, width: int) -> Arrays:
    """Returns the targets of a `SpanFeed` as logits: int8, which makes a quarter of the bytes."""
    result = {}
    for name in ("span", "start_link", "end_link"):
        if f"{name}_positives" in targets:
            positives, is_positive = targets[f"{name}_positives"], targets[f"{name}_is_positive"]
            row, head, place = np.nonzero(is_positive)
            logits = np.full((*positives.shape[:2], width * width), -VERY_SURE, np.int8)
            logits[row, head, positives[row, head, place]] = VERY_SURE
            result[f"{name}_logits"] = logits.reshape(*positives.shape[:2], width, width)
    return result


def _lost(
    example: Example, names: set[Argument], answer: Answer, char_starts: np.ndarray, char_ends: np.ndarray
) -> Counter[str]:
    """Returns how many of the row's gold arguments are not in its answer, by reason. names: what was decoded."""
    answered = {
        (event["event_type"], one["role"], one["argument"]) for event in answer.events for one in event["arguments"]
    }
    starts, ends = set(char_starts[1:-1].tolist()), set(char_ends[1:-1].tolist())
    reasons: dict[Argument, set[str]] = {}
    for event in example.events:
        for one in event.arguments:
            name, end = (event.type, one.role, one.text), one.start + len(one.text)
            if name in answered:
                continue
            if name in names:
                reason = "dictionary"
            elif example.text[max(ends, default=0) : end].strip():
                reason = "cut"
            else:
                reason = "overlap" if one.start in starts and end in ends else "boundary"
            reasons.setdefault(name, set()).add(reason)
    return Counter(next(reason for reason in REASONS if reason in found) for found in reasons.values())
