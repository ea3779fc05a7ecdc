"""Rows of a competition with meaningless tokens, but as long and as densely labelled as real ones.

What is labelled is told by tokens of its own (`MARKS`), so that `benchmarks.marks` can give untrained weights heads
that find it: prediction then has as much to decode as with a trained model.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.lengths import Lengths, load
from competitions.lic2020_ee import schema as event_schema
from competitions.lic2020_re import schema as relation_schema
from shared.arrays import Field, Ragged, Split
from shared.task import Prepared
from shared.text.pairs import pack_pairs
from shared.text.vocabulary import CLS, SEP, SPECIAL_TOKENS, Vocabulary

MARKS = range(len(SPECIAL_TOKENS), 64)  # token ids that stand only where something is labelled
SUBJECT, OBJECT = MARKS[0], MARKS[2]  # the first token of such a span; its last one is the next id
EVENT_TYPES = 8  # labelled ones; type t has the mark MARKS[2 t] at first tokens and the next id at further ones


def make(name: str, settings: Any, rows: int, vocabulary_size: int, seed: int) -> Prepared:
    """Returns the split `train` of so many rows, a vocabulary of this size and a schema with the real number of labels.

    Equal arguments give equal rows. Raises: UserError if the competition has no table of lengths.
    """
    table, rng = load(name), np.random.default_rng([seed, rows])
    vocabulary = Vocabulary([*SPECIAL_TOKENS, *(f"token{number}" for number in range(5, vocabulary_size))])
    split, labels = _MAKERS[name](table, settings, rows, vocabulary, rng)
    return Prepared({"train": split}, vocabulary, labels)


def token_ids(count: int, vocabulary_size: int, rng: np.random.Generator) -> np.ndarray:
    """Returns unmarked token ids, (count,) int32; the n-th is about as frequent as 1 / n, as in real texts."""
    first = MARKS.stop
    return (first * (vocabulary_size / first) ** rng.random(count)).astype(np.int32)


def places(lengths: np.ndarray, room: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Returns starts and ends, half-open, of disjoint spans at random places of a text of `room` tokens, rising.

    Args: lengths: (spans,) int; the last ones are left out as far as they do not fit.
    """
    lengths = lengths[np.cumsum(lengths) <= room]
    gaps = np.sort(rng.integers(0, room - lengths.sum() + 1, len(lengths)))
    ends = gaps + np.cumsum(lengths)
    return ends - lengths, ends


def _counts(table: Lengths, quantity: str, rows: int, rng: np.random.Generator) -> np.ndarray:
    return np.rint(table.draw(quantity, rows, rng)).astype(np.int64)


def _texts(ids: list[np.ndarray]) -> Ragged:
    """Returns texts that have one character for each token."""
    return Ragged.of_texts(["".join(map(chr, 0x4E00 + row % 20000)) for row in ids])


def _sentences(bodies: list[np.ndarray], spans: list[np.ndarray], vocabulary: Vocabulary) -> dict[str, Any]:
    """Returns the fields that relations and events have in common: [CLS] body [SEP] and the places of its tokens."""
    cls_id, sep_id = vocabulary.ids[CLS], vocabulary.ids[SEP]
    return {
        "token_ids": Ragged.of([np.concatenate([[cls_id], body, [sep_id]]) for body in bodies], np.int32),
        "char_starts": Ragged.of([np.pad(np.arange(len(body)), 1) for body in bodies], np.int32),
        "char_ends": Ragged.of([np.pad(np.arange(len(body)) + 1, 1) for body in bodies], np.int32),
        "text": _texts(bodies),
        "spans": Ragged.of(spans, np.int32),
    }


def _pairs(table: Lengths, settings: Any, rows: int, vocabulary: Vocabulary, rng: np.random.Generator) -> Any:
    totals = np.maximum(_counts(table, "tokens", rows, rng), 5) - 3
    second = np.clip(np.rint(totals * table.draw("second_share", rows, rng)).astype(int), 1, totals - 1)
    sources, targets = (
        [token_ids(count, len(vocabulary), rng) for count in lengths] for lengths in (totals - second, second)
    )
    ids, segments = pack_pairs(sources, targets, vocabulary.ids[CLS], vocabulary.ids[SEP], settings.data.max_length)
    fields: dict[str, Field] = {
        "token_ids": Ragged.of(ids, np.int32),
        "segment_ids": Ragged.of(segments, np.uint8),
        "variant": rng.integers(0, 6, rows).astype(np.int32),
        "label": rng.integers(0, 2, rows).astype(np.int32),
    }
    return Split(fields), {"labels": ["0", "1"]}


def _relations(table: Lengths, settings: Any, rows: int, vocabulary: Vocabulary, rng: np.random.Generator) -> Any:
    predicates = {
        f"predicate {number}": relation_schema.Predicate(
            "type", {relation_schema.VALUE if not slot else f"slot {slot}": "type" for slot in range(slots)}
        )
        for number, slots in enumerate(table.labels)
    }
    schema = relation_schema.Schema(predicates)
    bodies, spans = [], []
    lengths = np.clip(_counts(table, "tokens", rows, rng), 8, settings.data.max_length) - 2
    subjects, objects = _counts(table, "subjects", rows, rng), _counts(table, "objects", rows, rng)
    for length, num_subjects, num_objects in zip(lengths, subjects, objects, strict=True):
        body = token_ids(length, len(vocabulary), rng)
        sizes = np.maximum(_counts(table, "subject_tokens", num_subjects + num_objects, rng), 2)
        starts, ends = places(sizes, length, rng)
        kinds = rng.permutation(np.arange(len(starts)) < min(num_subjects, max(1, len(starts) - 1)))  # True: subject
        for is_subject, mark in ((True, SUBJECT), (False, OBJECT)):
            body[starts[kinds == is_subject]], body[ends[kinds == is_subject] - 1] = mark, mark + 1
        found = np.column_stack([starts, ends]) + 1  # [CLS] is token 0
        of_subjects, of_objects = found[kinds], found[~kinds]
        theirs = of_subjects[np.arange(len(of_objects)) % max(len(of_subjects), 1)]  # objects in turn
        spans.append(np.column_stack([theirs, of_objects, np.zeros(len(of_objects), int)]).ravel())
        bodies.append(body)
    fields = _sentences(bodies, spans, vocabulary) | {"spo_list": Ragged.of_texts(["[]"] * rows)}
    return Split(fields), {"schema": schema.to_json(), "relations": [list(one) for one in schema.relations]}


def _events(table: Lengths, settings: Any, rows: int, vocabulary: Vocabulary, rng: np.random.Generator) -> Any:
    types = {
        f"class-type {number}": event_schema.EventType("class", tuple(f"role {place}" for place in range(roles)))
        for number, roles in enumerate(table.labels)
    }
    schema, first_roles = event_schema.Schema(types), np.cumsum([0, *table.labels])
    bodies, spans = [], []
    lengths = np.clip(_counts(table, "tokens", rows, rng), 8, settings.data.max_length) - 2
    arguments = _counts(table, "arguments", rows, rng)
    for length, number in zip(lengths, arguments, strict=True):
        body, event_type = token_ids(length, len(vocabulary), rng), int(rng.integers(EVENT_TYPES))
        starts, ends = places(_counts(table, "argument_tokens", number, rng), length, rng)
        for start, end in zip(starts, ends, strict=True):
            body[start:end] = MARKS[2 * event_type + 1]
            body[start] = MARKS[2 * event_type]
        role, event = np.full(len(starts), first_roles[event_type]), np.zeros(len(starts), int)
        spans.append(np.column_stack([starts + 1, ends + 1, role, event]).ravel())
        bodies.append(body)
    fields = _sentences(bodies, spans, vocabulary) | {
        "id": Ragged.of_texts([str(row) for row in range(rows)]),
        "event_list": Ragged.of_texts(["[]"] * rows),
    }
    labels = {"schema": schema.to_json(), "roles": [list(role) for role in schema.roles]}
    return Split(fields), labels | {"scheme": settings.data.scheme}


def _questions(table: Lengths, settings: Any, rows: int, vocabulary: Vocabulary, rng: np.random.Generator) -> Any:
    data = settings.data
    questions = [
        token_ids(count, len(vocabulary), rng)
        for count in np.clip(_counts(table, "question_tokens", rows, rng), 1, data.max_question_length)
    ]
    passages = [token_ids(count, len(vocabulary), rng) for count in np.maximum(_counts(table, "tokens", rows, rng), 8)]
    room = data.window - data.max_question_length - 3  # passage tokens that are surely in the first window
    sizes = _counts(table, "answer_tokens", rows, rng)
    spans = [
        np.concatenate(places(np.minimum([size], min(len(passage), room)), min(len(passage), room), rng))
        for size, passage in zip(sizes, passages, strict=True)
    ]
    fields = {
        "question_ids": Ragged.of(questions, np.int32),
        "passage_ids": Ragged.of(passages, np.int32),
        "char_starts": Ragged.of([np.arange(len(passage)) for passage in passages], np.int32),
        "char_ends": Ragged.of([np.arange(len(passage)) + 1 for passage in passages], np.int32),
        "id": Ragged.of_texts([str(row) for row in range(rows)]),
        "question": _texts(questions),
        "context": _texts(passages),
        "answers": Ragged.of_texts(["[]"] * rows),
        "spans": Ragged.of(spans, np.int32),
    }
    labels = {name: getattr(data, name) for name in ("window", "stride", "max_question_length")}
    return Split(fields), labels | {"cls_id": vocabulary.ids[CLS], "sep_id": vocabulary.ids[SEP]}


_MAKERS: dict[str, Callable[..., Any]] = {
    "sohu2021": _pairs,
    "lic2020_re": _relations,
    "lic2020_ee": _events,
    "lic2020_mrc": _questions,
}
