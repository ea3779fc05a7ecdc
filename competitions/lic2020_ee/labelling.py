"""The three label schemes: arguments as labels of tokens, and scores of labels as arguments.

- `bio`: one label sequence over all (event type, role). Of arguments that overlap it holds the longest; that is what
  was published.
- `bio_per_type`: one label sequence for each event type, over its roles. It holds one span in roles of two types, but
  of overlapping arguments of one type the longest only.
- `pointer`: start and end marks for each (event type, role). It holds all overlaps of different roles; of one role, it
  mixes up nested spans and those that share their first token (one in 2,600 arguments of DuEE).

Spans are `Spans` whose label is the index of an (event type, role).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.decoding.bio import OUTSIDE, labels_of, num_labels, spans_of
from shared.decoding.marginals import marginals, softmax
from shared.decoding.pointers import Spans, pair_spans
from shared.decoding.viterbi import viterbi
from shared.training.feed import Arrays

Found = tuple[Spans, np.ndarray]  # spans, and how sure each is: (spans,) float32


@dataclass(frozen=True)
class Roles:
    """The roles of all event types and where they stand in the label set of their type.

    type_of, place: (roles,) int, the role's type and its place among the roles of the type. index: (types, most) int,
    the role at a place; 0 where the type has fewer. counts: roles of each type that has any.
    """

    type_of: np.ndarray
    place: np.ndarray
    index: np.ndarray
    counts: tuple[int, ...]

    @classmethod
    def of(cls, roles: Sequence[Sequence[str]]) -> "Roles":
        """Args: roles: (event type, role) each, types in order."""
        types = list(dict.fromkeys(event_type for event_type, _ in roles))
        type_of = np.array([types.index(event_type) for event_type, _ in roles], np.int64)
        counts = np.bincount(type_of, minlength=len(types))
        place = np.array([sum(type_of[:role] == type_of[role]) for role in range(len(roles))], np.int64)
        index = np.zeros((len(types), counts.max(initial=0)), np.int64)
        index[type_of, place] = np.arange(len(roles))
        return cls(type_of, place, index, tuple(counts.tolist()))

    def __len__(self) -> int:
        return len(self.type_of)

    @property
    def num_labels(self) -> list[int]:
        """BIO labels of each event type."""
        return [num_labels(count) for count in self.counts]


def without_overlaps(spans: Spans, group: np.ndarray) -> Spans:
    """Returns spans of which no two of a row and group overlap: the longest first, of equal ones the first.

    Args: group: (spans,) int. Equal spans with equal labels come out once.
    """
    order = np.lexsort((spans.label, spans.start, spans.start - spans.end))
    taken: dict[tuple[int, int], list[tuple[int, int]]] = {}
    kept = []
    for one in order.tolist():
        others = taken.setdefault((int(spans.row[one]), int(group[one])), [])
        start, end = int(spans.start[one]), int(spans.end[one])
        if all(end <= other_start or other_end <= start for other_start, other_end in others):
            others.append((start, end))
            kept.append(one)
    chosen = np.sort(np.array(kept, np.int64))
    return Spans(*(column[chosen] for column in spans))


def bio_labels(spans: Spans, rows: int, length: int, roles: Roles) -> Arrays:
    """Returns labels: (rows, length) int32."""
    return {"labels": labels_of(without_overlaps(spans, np.zeros_like(spans.row)), rows, length)}


def bio_per_type_labels(spans: Spans, rows: int, length: int, roles: Roles) -> Arrays:
    """Returns labels: (rows, types, length) int32."""
    types = len(roles.counts)
    kept = without_overlaps(spans, roles.type_of[spans.label])
    in_type = kept._replace(row=kept.row * types + roles.type_of[kept.label], label=roles.place[kept.label])
    return {"labels": labels_of(in_type, rows * types, length).reshape(rows, types, length)}


def pointer_labels(spans: Spans, rows: int, length: int, roles: Roles) -> Arrays:
    """Returns starts, ends: (rows, length, roles) uint8; an end stands on the last token."""
    starts, ends = np.zeros((2, rows, length, len(roles)), np.uint8)
    starts[spans.row, spans.start, spans.label] = 1
    ends[spans.row, spans.end - 1, spans.label] = 1
    return {"starts": starts, "ends": ends}


def bio_spans(scores: Arrays, inside: np.ndarray, threshold: float, roles: Roles) -> Found:
    """Args: scores: logits (rows, length, labels) and, of a CRF, transitions (labels, labels)."""
    logits, transitions = scores["logits"][:, None], scores.get("transitions")
    spans, confidence = _decode(logits, None if transitions is None else transitions[None], inside)
    return _at_least(threshold, spans, confidence)


def bio_per_type_spans(scores: Arrays, inside: np.ndarray, threshold: float, roles: Roles) -> Found:
    """Args: scores: logits (rows, types, length, labels) and, of a CRF, transitions (types, labels, labels)."""
    spans, confidence = _decode(scores["logits"], scores.get("transitions"), inside)
    row, event_type = np.divmod(spans.row, len(roles.counts))
    spans = spans._replace(row=row, label=roles.index[event_type, spans.label])
    return _at_least(threshold, spans, confidence)


def pointer_spans(scores: Arrays, inside: np.ndarray, threshold: float, roles: Roles) -> Found:
    """Args: scores: starts, ends: probabilities, (rows, length, roles) float; of a span the smaller one counts."""
    starts, ends = scores["starts"], scores["ends"]
    marks = [(probability >= threshold) & inside[..., None] for probability in (starts, ends)]
    spans = pair_spans(*marks)
    first, last = starts[spans.row, spans.start, spans.label], ends[spans.row, spans.end - 1, spans.label]
    return spans, np.minimum(first, last)


def _decode(logits: np.ndarray, transitions: np.ndarray | None, inside: np.ndarray) -> Found:
    """Returns the spans of the best label sequences; row numbers count rows x sequences, labels are as in BIO.

    A span is as sure as its least sure label: the smallest of their probabilities, with a CRF the marginal ones.

    Args: logits: (rows, sequences, length, labels) float. transitions: (sequences, labels, labels) float; None: labels
        are independent. inside: (rows, length) bool, tokens of the text; [CLS] stands before them and [SEP] behind.
    """
    sequences, length = logits.shape[1:3]
    mask = np.arange(length) < inside.sum(axis=1, keepdims=True) + 2
    best = logits.argmax(axis=-1) if transitions is None else viterbi(logits, transitions, mask, OUTSIDE)
    best = np.where(inside[:, None], best, OUTSIDE).reshape(-1, length)
    spans = spans_of(best)
    found, place = np.unique(spans.row, return_inverse=True)  # rows x sequences that have a span
    row, sequence = np.divmod(found, sequences)
    scores = logits[row, sequence]
    if transitions is None:
        probability = softmax(scores)
    else:
        probability = marginals(scores, transitions, sequence, mask[row], OUTSIDE)
    of_best = np.take_along_axis(probability, best[found][..., None], axis=-1)
    bounds = (np.column_stack([spans.start, spans.end]) + place[:, None] * length).ravel()
    return spans, np.minimum.reduceat(np.append(of_best, np.float32(1.0)), bounds)[::2]


def _at_least(threshold: float, spans: Spans, confidence: np.ndarray) -> Found:
    kept = confidence >= threshold
    return Spans(*(column[kept] for column in spans)), confidence[kept]


@dataclass(frozen=True)
class Scheme:
    """One way to write arguments on tokens, there and back.

    labels(spans, rows, length, roles) -> the targets of a batch by name.
    spans(scores, inside, threshold, roles) -> the arguments found, those of at least the threshold's confidence.
        scores: of a batch, by name; inside: (rows, length) bool, tokens of the text, where alone arguments stand.
    """

    labels: Callable[[Spans, int, int, Roles], Arrays]
    spans: Callable[[Arrays, np.ndarray, float, Roles], Found]


SCHEMES: Mapping[str, Scheme] = {
    "bio": Scheme(bio_labels, bio_spans),
    "bio_per_type": Scheme(bio_per_type_labels, bio_per_type_spans),
    "pointer": Scheme(pointer_labels, pointer_spans),
}
