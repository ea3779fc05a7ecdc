"""The label ceiling: gold triples to labels and back through the very decoding of predictions, scored officially."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from competitions.lic2020_re.data import Example, RawData, Triple, official, values
from competitions.lic2020_re.encoding import LENGTH_FIELD, Places
from competitions.lic2020_re.evaluation import normalized
from competitions.lic2020_re.extraction import Found, Slots, Writer, find, find_links
from competitions.lic2020_re.feed import object_labels, subject_labels
from competitions.lic2020_re.gplinker_feed import perfect_scores
from competitions.lic2020_re.scoring import score
from competitions.lic2020_re.settings import Settings
from competitions.lic2020_re.spans import spans_of
from shared.arrays import Split
from shared.task import Labels, Prepared
from shared.training.prediction_batches import prediction_batches

ROWS_AT_ONCE = 64  # at 256 tokens and 55 relations 2 MB of labels
REASONS = ("cut", "boundary", "not in text", "pairing", "combine")


def ceiling(raw: RawData, prepared: Prepared, settings: Settings) -> dict[str, Any]:
    """Returns for train and valid the official figures of a perfect model, and the gold triples it loses.

    `lost` counts each triple under the first reason that holds: `cut`: a value stands behind data.max_length only;
    `boundary`: at places that begin or end inside a token only; `not in text`: nowhere; `pairing`: start and end of a
    value were paired with another's, e.g. with those of a subject inside the subject; `combine`: all its values were
    found and put together otherwise. Of links, `pairing` has only what is beyond predict.most_spans.
    """
    return {
        name: _ceiling(getattr(raw, name), prepared.splits[name], prepared.labels, settings)
        for name in ("train", "valid")
    }


def _ceiling(examples: Sequence[Example], split: Split, labels: Labels, settings: Settings) -> dict[str, Any]:
    writer = Writer(split, labels, settings.predict.combine)
    answers: list[list[dict[str, Any]]] = [[] for _ in examples]
    lost: list[Counter[str]] = [Counter() for _ in examples]
    for row, slots in perfect_slots(split, writer, settings):
        answers[row] = writer.answer(row, slots).triples
        lost[row] = _lost(examples[row], answers[row], row, slots, writer)
    last = {example.text: row for row, example in enumerate(examples)}  # of equal texts the score counts the last
    gold = {text: [official(triple, writer.schema) for triple in examples[row].triples] for text, row in last.items()}
    figures = score(gold, {text: answers[row] for text, row in last.items()})
    total = sum((lost[row] for row in last.values()), Counter())
    return {name: figures[name] for name in ("f1", "precision", "recall")} | {
        "lost": {reason: total[reason] for reason in REASONS}
    }


def perfect_slots(split: Split, writer: Writer, settings: Settings) -> Iterator[tuple[int, Slots]]:
    """Yields each row number with what is decoded from the row's own labels in the place of a network's outputs."""
    lengths = split.ragged(LENGTH_FIELD).lengths
    perfect = _links if settings.model.head == "gplinker" else _pointers
    for units, width in prediction_batches(lengths, ROWS_AT_ONCE, settings.train.bucket_lengths):
        inside = writer.char_ends.padded(units, width) > 0
        yield from writer.slots(units, perfect(split, units, inside, len(writer.relations), settings))


def _links(split: Split, units: np.ndarray, inside: np.ndarray, num_relations: int, settings: Settings) -> Found:
    spans, row = spans_of(split, units)
    entities, heads, tails = perfect_scores(spans, row, inside.shape, num_relations)
    return find_links(entities, heads, tails, inside, settings.predict)


def _pointers(split: Split, units: np.ndarray, inside: np.ndarray, num_relations: int, settings: Settings) -> Found:
    spans, row = spans_of(split, units)
    objects = partial(_perfect_objects, split, units, (inside.shape[1], num_relations))
    subjects = _logits(subject_labels(spans, row, len(units), inside.shape[1]))
    return find(subjects, objects, inside, settings)


def _perfect_objects(
    split: Split, units: np.ndarray, shape: tuple[int, int], row: np.ndarray, subjects: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields pairs' numbers and logits that say the labels of these pairs, as `extraction.ObjectLogits`."""
    for first in range(0, len(row), ROWS_AT_ONCE):
        pairs = np.arange(first, min(first + ROWS_AT_ONCE, len(row)))
        spans, pair = spans_of(split, units[row[pairs]])
        yield pairs, _logits(object_labels(spans, pair, subjects[pairs][:, None], *shape)[:, 0])


def _logits(labels: np.ndarray) -> np.ndarray:
    """Returns logits that leave no doubt, of labels 0 and 1."""
    return np.where(labels > 0, np.float32(np.inf), np.float32(-np.inf))


def _lost(
    example: Example, answers: Sequence[Mapping[str, Any]], row: int, slots: Slots, writer: Writer
) -> Counter[str]:
    """Returns how many of the row's gold triples are not among the answers, by reason."""
    right = {normalized(one) for one in answers}
    gold = {normalized(official(one, writer.schema)): one for one in example.triples}
    names = {
        (subject, predicate, slot, writer.slice(row, start, end))
        for (subject, predicate), found in slots.items()
        for slot, start, end in found
    }
    places = Places(example.text, writer.char_starts[row], writer.char_ends[row])

    def reason(triple: Triple) -> str:
        reasons = {_unlabelled(value, row, places, writer) for value in values(triple)}
        if reasons != {None}:
            return next(one for one in REASONS if one in reasons)
        all_found = all((triple.subject, triple.predicate, slot, value) in names for slot, value in triple.object)
        return "combine" if all_found else "pairing"

    return Counter(reason(triple) for key, triple in gold.items() if key not in right)


def _unlabelled(value: str, row: int, places: Places, writer: Writer) -> str | None:
    """Returns why no label says exactly this value, or None."""
    found = places.of(value)
    if not found:
        return "cut" if value in places.text else "not in text"
    return None if value in {writer.slice(row, *span) for span in found} else "boundary"
