"""Logits of the two heads to triples: what prediction and the label ceiling have in common."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from competitions.lic2020_re import combine
from competitions.lic2020_re.combine import Value
from competitions.lic2020_re.data import Triple, official
from competitions.lic2020_re.schema import Schema
from competitions.lic2020_re.settings import PredictSettings, Settings
from shared.arrays import Split
from shared.decoding.gplinker import PairScores, decode
from shared.decoding.pointers import Spans, pair_alternating
from shared.decoding.sigmoid_power import logit, probability

# (row, subjects) of all pairs, (pairs,) and (pairs, 2) half-open, -> some of the pairs' numbers at a time, with their
# object logits (these pairs, length, 2 * relations)
ObjectLogits = Callable[[np.ndarray, np.ndarray], Iterable[tuple[np.ndarray, np.ndarray]]]


class Found(NamedTuple):
    """Values found in a batch as columns of equal length: integers, tokens half-open, and a float confidence."""

    row: np.ndarray
    subject_start: np.ndarray
    subject_end: np.ndarray
    relation: np.ndarray
    start: np.ndarray
    end: np.ndarray
    confidence: np.ndarray


def find(subject_logits: np.ndarray, object_logits: ObjectLogits, inside: np.ndarray, settings: Settings) -> Found:
    """Decodes both steps of a batch; a span is one of `pair_alternating` on the marks above the thresholds.

    The confidence of a value is the least of the probabilities that it rests on: start and end of subject and object.

    Args: subject_logits: (batch, length, 2) float; object_logits: asked for all subjects found at once; inside: (batch,
        length) bool, tokens of the text: no span begins or ends at others. settings: for thresholds and powers.
    """
    of_subjects = Marks(settings.predict.subject_threshold, settings.model.subject_power)
    of_objects = Marks(settings.predict.object_threshold, settings.model.object_power)
    subjects, sure = of_subjects.spans(subject_logits, inside)
    ends = np.column_stack([subjects.start, subjects.end])
    parts = [np.zeros((7, 0))]
    for pairs, logits in object_logits(subjects.row, ends):
        objects, confidence = of_objects.spans(logits, inside[subjects.row[pairs]])
        pair = pairs[objects.row]
        confidence = np.minimum(confidence, sure[pair])
        columns = (subjects.row[pair], *ends[pair].T, objects.label, objects.start, objects.end, confidence)
        parts.append(np.stack(columns))
    *integers, confidence = np.concatenate(parts, axis=1)
    return Found._make([*(column.astype(np.int64) for column in integers), confidence])


def find_links(
    entities: np.ndarray, heads: PairScores, tails: PairScores, inside: np.ndarray, settings: PredictSettings
) -> Found:
    """Decodes the scores of GPLinker; the confidence of a value is the sigmoid of the least of its four scores.

    Args: as `shared.decoding.gplinker.decode`; inside: as in `find`.
    """
    thresholds = (settings.span_threshold, settings.link_threshold)
    *integers, score = decode(entities, heads, tails, inside, *thresholds, settings.most_spans)
    return Found._make([*integers, 1.0 / (1.0 + np.exp(np.clip(-score, -80.0, 80.0)))])


class Marks(NamedTuple):
    """A head whose marks have the probability sigmoid(logit) ** power and count above a threshold on it."""

    threshold: float
    power: int

    def spans(self, logits: np.ndarray, inside: np.ndarray) -> tuple[Spans, np.ndarray]:
        """Returns the spans of (rows, length, 2 * labels) logits and the lesser probability of each, (spans,)."""
        spans = pair_alternating((logits > logit(self.threshold, self.power)) & inside[..., None])
        first = logits[spans.row, spans.start, 2 * spans.label]
        last = logits[spans.row, spans.end - 1, 2 * spans.label + 1]
        return spans, probability(np.minimum(first, last), self.power)


# (subject, predicate) -> (slot, start, end) -> confidence
Slots = dict[tuple[str, str], dict[tuple[str, int, int], float]]


@dataclass(frozen=True)
class Answer:
    """The triples of a row in the official form, no two of them equal, and how sure each is."""

    triples: list[dict[str, Any]]
    confidence: list[float]


class Writer:
    """Turns what was found into triples of the text itself: values are slices of it, never joined tokens.

    Args: split: of the rows. labels: as made by `encode`. rule: a name in `combine.RULES`.
    """

    def __init__(self, split: Split, labels: Mapping[str, Any], rule: str):
        self.char_starts, self.char_ends = split.ragged("char_starts"), split.ragged("char_ends")
        self.texts = split.ragged("text").texts()
        self.schema, self.combine = Schema.from_json(labels["schema"]), combine.RULES[rule]
        self.relations = [tuple(relation) for relation in labels["relations"]]

    def slice(self, row: int, start: int, end: int) -> str:
        """Returns the part of the row's text that tokens cover."""
        return self.texts[row][self.char_starts[row][start] : self.char_ends[row][end - 1]]

    def slots(self, units: np.ndarray, found: Found) -> Iterator[tuple[int, Slots]]:
        """Yields each row number with what was found in the row. units: (batch,) row numbers that `found` counts by."""
        rows: list[Slots] = [{} for _ in units]
        for place, subject_start, subject_end, relation, start, end, confidence in zip(
            *(column.tolist() for column in found), strict=True
        ):
            predicate, slot = self.relations[relation]
            subject = self.slice(units[place], subject_start, subject_end)
            values = rows[place].setdefault((subject, predicate), {})
            values[slot, start, end] = max(confidence, values.get((slot, start, end), 0.0))
        return zip(units.tolist(), rows, strict=True)

    def answer(self, row: int, slots: Slots) -> Answer:
        """Returns the triples that the rule makes of the row's values."""
        best: dict[Triple, float] = {}
        for (subject, predicate), values in slots.items():
            order = list(self.schema.predicates[predicate].object_types)
            for parts in self.combine(Value(*place, sure) for place, sure in values.items()):
                ordered = sorted(parts, key=lambda part: order.index(part.slot))
                texts = tuple((part.slot, self.slice(row, part.start, part.end)) for part in ordered)
                triple = Triple(subject, predicate, texts)
                best[triple] = max(best.get(triple, 0.0), min(part.confidence for part in parts))
        return Answer([official(triple, self.schema) for triple in best], list(best.values()))
