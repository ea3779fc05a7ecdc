"""Scores of spans and of links between their ends into (subject, relation, object): the decoding of GPLinker."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

PAIRS_AT_ONCE = 1 << 14  # pairs of spans; with 50 relations 3 MB of scores

# Rows and two tokens each, (pairs,) int -> the scores of every relation between them, (pairs, relations)
PairScores = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


class Links(NamedTuple):
    """What was found in a batch as columns of equal length: integers, tokens half-open, and the least score, float."""

    row: np.ndarray
    subject_start: np.ndarray
    subject_end: np.ndarray
    relation: np.ndarray
    start: np.ndarray
    end: np.ndarray
    score: np.ndarray


class Entities(NamedTuple):
    """Spans as columns of equal length, by rising row and falling score; last: the last token, not the one behind."""

    row: np.ndarray
    first: np.ndarray
    last: np.ndarray
    score: np.ndarray


def dense(scores: np.ndarray) -> PairScores:
    """Returns the scores of pairs out of whole matrices. scores: (rows, relations, length, length)."""
    return lambda row, first, second: scores[row, :, first, second]


def factored(factors: np.ndarray) -> PairScores:
    """Returns the scores of pairs out of the factors of `GlobalPointer`, without making the matrices.

    Args: factors: (rows, length + 2 * relations, length): products, starts, ends.
    """
    length = factors.shape[2]
    products, (start, end) = factors[:, :length], np.split(factors[:, length:], 2, axis=1)
    return lambda row, first, second: products[row, first, second, None] + start[row, :, first] + end[row, :, second]


def decode(
    spans: np.ndarray,
    heads: PairScores,
    tails: PairScores,
    inside: np.ndarray,
    span_threshold: float = 0.0,
    link_threshold: float = 0.0,
    most_spans: int = 64,
) -> Links:
    """Returns every triple whose four scores are above their thresholds.

    The span of the subject, that of the object, the link of their first tokens and that of their last tokens under the
    relation. Spans may overlap, nest and be subject and object at once.

    Args:
        spans: (rows, 2, length, length) float: of i to j inclusive being a subject (0) or an object (1); j < i are
            never looked at.
        heads, tails: scores of links from subject to object, of first and of last tokens; see `dense`, `factored`.
        inside: (rows, length) bool: no span begins or ends at other tokens.
        span_threshold, link_threshold: in scores; 0 is a probability of 1/2.
        most_spans: int. Of each row's subjects, and of its objects, only so many of the highest scores are paired; a
            network that knows little yet puts half of all spans above 0, whose pairs would not end.
    Returns: Links by rising row; the score is the least of the four.
    Reference: Su Jianlin, https://kexue.fm/archives/8888
    """
    subjects, objects = (_entities(spans[:, which], inside, span_threshold, most_spans) for which in (0, 1))
    subject, object_ = _pairs(subjects.row, objects.row)
    parts = [np.zeros((3, 0))]
    for at in range(0, len(subject), PAIRS_AT_ONCE):
        ones, others = subject[at : at + PAIRS_AT_ONCE], object_[at : at + PAIRS_AT_ONCE]
        by_head = heads(subjects.row[ones], subjects.first[ones], objects.first[others])
        linked = np.flatnonzero((by_head > link_threshold).any(axis=1))
        ones, others = ones[linked], others[linked]
        by_tail = tails(subjects.row[ones], subjects.last[ones], objects.last[others])
        links = np.minimum(by_head[linked], by_tail)
        pair, relation = np.nonzero(links > link_threshold)
        parts.append(np.stack([at + linked[pair], relation, links[pair, relation]]))
    columns = np.concatenate(parts, axis=1)
    found, relation = columns[:2].astype(np.int64)
    ones, others = subject[found], object_[found]
    score = np.minimum(columns[2], np.minimum(subjects.score[ones], objects.score[others]))
    starts, ends = (subjects.first[ones], objects.first[others]), (subjects.last[ones] + 1, objects.last[others] + 1)
    return Links(subjects.row[ones], starts[0], ends[0], relation, starts[1], ends[1], score)


def _entities(scores: np.ndarray, inside: np.ndarray, threshold: float, most: int) -> Entities:
    """Returns the spans of (rows, length, length) scores above the threshold, of each row the `most` highest."""
    row, first, last = np.nonzero(scores > threshold)
    possible = (first <= last) & inside[row, first] & inside[row, last]
    row, first, last = row[possible], first[possible], last[possible]
    score = scores[row, first, last]
    order = np.lexsort((-score, row))  # stable: of equal scores the earlier span comes first
    rank = np.arange(len(row)) - np.searchsorted(row, row)  # rows keep their places in the new order
    kept = order[rank < most]
    return Entities(row[kept], first[kept], last[kept], score[kept])


def _pairs(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns all pairs of places with equal numbers in two rising arrays: (pairs,) places in each."""
    first, behind = np.searchsorted(right, left, "left"), np.searchsorted(right, left, "right")
    counts = behind - first
    one = np.repeat(np.arange(len(left)), counts)
    within = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    return one, first[one] + within
