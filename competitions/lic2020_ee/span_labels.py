"""Spans and links of the schemes `global_pointer` and `gplinker` as the numbers of the classes that are right.

- `global_pointer`: each (event type, role) is a head that scores every span of tokens, so that all overlaps are held.
- `gplinker`: the triggers too, one head for each event type behind those of the roles; and two heads more, over pairs
  of tokens i <= j, that hold for the first tokens of two arguments of one event, and for their last tokens. The trigger
  is one of the arguments there.

Dense labels would be (heads, length, length) a row; these are a few numbers. See shared.losses.multilabel_softmax.
Reference: Su Jianlin, https://kexue.fm/archives/8373 and https://kexue.fm/archives/8926
"""

from typing import NamedTuple

import numpy as np

from competitions.lic2020_ee.encoding import SPAN_FIELDS
from competitions.lic2020_ee.labelling import Roles
from shared.arrays import Split
from shared.decoding.pointers import Spans
from shared.training.feed import Arrays

GLOBAL_POINTER, GPLINKER = "global_pointer", "gplinker"
SPAN_SCHEMES = (GLOBAL_POINTER, GPLINKER)


class Gold(NamedTuple):
    """Arguments of rows, and the number of the event in its row that each belongs to: (spans,) int64."""

    spans: Spans
    event: np.ndarray


class Most(NamedTuple):
    """How many positive classes a row has at most: of one head of spans, of the pairs of first and of last tokens."""

    spans: int
    links: int


def num_heads(scheme: str, roles: Roles) -> int:
    """Returns how many heads score spans."""
    return len(roles) + (len(roles.counts) if scheme == GPLINKER else 0)


def gold_of(split: Split, units: np.ndarray, roles: Roles, triggers: bool) -> Gold:
    """Returns the arguments of rows, with the place of each row among `units`, which may hold a row twice.

    Args: units: (batch,) int, row numbers. triggers: also return them; that of type t has the label len(roles) + t.
    """
    row, columns = _table(split, "spans", units)
    if triggers:
        more, of_triggers = _table(split, "triggers", units)
        of_triggers[2] += len(roles)
        row, columns = np.concatenate([row, more]), np.concatenate([columns, of_triggers], axis=1)
    start, end, label, event = columns
    return Gold(Spans(row, label, start, end), event)


def _table(split: Split, field: str, units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the place among units, (spans,), and the columns, (fields, spans): int64."""
    ragged = split.ragged(field)
    counts = ragged.lengths[units] // SPAN_FIELDS
    row = np.repeat(np.arange(len(units)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = ragged.offsets[units] // SPAN_FIELDS
    table = ragged.values.reshape(-1, SPAN_FIELDS).astype(np.int64)
    return row, table[first[row] + within].T.copy()


def span_labels(spans: Spans, rows: int, length: int, heads: int, most: int) -> Arrays:
    """Returns span_positives: (rows, heads, most) int32, numbers first * length + last of the classes that are right,
    and span_is_positive: uint8, the same shape, 0 where it is only filled up."""
    return sparse("span", spans.row * heads + spans.label, spans.start * length + spans.end - 1, (rows, heads), most)


def link_labels(gold: Gold, rows: int, length: int, most: int) -> Arrays:
    """Returns start_link_positives and end_link_positives, (rows, 1, most) int32, and is_positive as for spans."""
    row, one, other = pairs(gold)
    spans = gold.spans
    result: Arrays = {}
    for name, place in (("start_link", spans.start), ("end_link", spans.end - 1)):
        first, second = np.minimum(place[one], place[other]), np.maximum(place[one], place[other])
        result |= sparse(name, row, first * length + second, (rows, 1), most)
    return result


def most_of(gold: Gold, length: int, heads: int) -> Most:
    """Returns what the arrays of these rows need; at least 1 each. Args: length: of the longest row."""
    spans = gold.spans
    row, one, other = pairs(gold)
    classes = [(spans.row * heads + spans.label, spans.start * length + spans.end)]
    for place in (spans.start, spans.end):
        classes.append((row, np.minimum(place[one], place[other]) * length + np.maximum(place[one], place[other])))
    counts = [_counts(*one_class).max(initial=1) for one_class in classes]
    return Most(int(counts[0]), int(max(counts[1:])))


def pairs(gold: Gold) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the row and the numbers of both spans for each two different spans of one event: int64, equal lengths.

    One span in two roles of an event makes a pair with itself; one that an event names twice in a role does not.
    """
    columns = np.column_stack([gold.spans.row, gold.event, gold.spans.label, gold.spans.start, gold.spans.end])
    _, numbers = np.unique(columns, axis=0, return_index=True)  # by row, then event
    bounds = np.flatnonzero(np.diff(columns[numbers, :2], axis=0).any(axis=1)) + 1
    found = [np.zeros((2, 0), np.int64)]
    for members in np.split(numbers, bounds):
        found.append(members[np.stack(np.triu_indices(len(members), 1))])
    one, other = np.concatenate(found, axis=1)
    return gold.spans.row[one], one, other


def sparse(name: str, group: np.ndarray, number: np.ndarray, shape: tuple[int, int], most: int) -> Arrays:
    """Returns the different numbers of each group, rising, as `<name>_positives` and `<name>_is_positive`.

    Args: group, number: (spans,) int. shape: rows, heads; groups count row * heads + head. most: see `Most`.
    """
    unique = np.unique(np.column_stack([group, number]), axis=0)
    counts = np.bincount(unique[:, 0], minlength=shape[0] * shape[1])
    place = np.arange(len(unique)) - np.repeat(np.cumsum(counts) - counts, counts)
    positives, is_positive = np.zeros((*shape, most), np.int32), np.zeros((*shape, most), np.uint8)
    row, head = np.divmod(unique[:, 0], shape[1])
    positives[row, head, place], is_positive[row, head, place] = unique[:, 1], 1
    return {f"{name}_positives": positives, f"{name}_is_positive": is_positive}


def _counts(group: np.ndarray, number: np.ndarray) -> np.ndarray:
    return np.bincount(np.unique(np.column_stack([group, number]), axis=0)[:, 0])
