"""Scores of spans and links to arguments and events: the decoding of the schemes `global_pointer` and `gplinker`."""

import math
from collections.abc import Callable

import numpy as np

from competitions.lic2020_ee.labelling import Found, Roles
from shared.decoding.cliques import maximal_cliques
from shared.decoding.pointers import Spans
from shared.training.feed import Arrays

MOST_SPANS = (
    128  # of a row: the largest of DuEE has 28 arguments; a network in its first steps finds a hundred thousand
)
MOST_STEPS = 5000  # of the search for cliques among the arguments of a row and type; 14 usually do
HIDDEN = np.float32(-1e9)  # of what is no span
ROUNDING = 1e-3  # of sums of scores, at most

# Row, tokens of its text, lowest score -> the spans of at least that score as columns: head, first and last token of
# the text, (spans,) int64, rising in this order, and their scores, float32
Above = Callable[[int, int, float], tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]


def dense(logits: np.ndarray) -> Above:
    """Returns the search in whole matrices. Args: logits: (rows, heads, length, length), any number type."""

    def above(row: int, tokens: int, lowest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        of_text = logits[row, :, 1 : tokens + 1, 1 : tokens + 1]
        whole = np.issubdtype(logits.dtype, np.integer)  # int8 beside a float would all be made float64
        head, first, last = np.nonzero(of_text >= (max(math.ceil(lowest), -99) if whole else lowest))
        right = first <= last
        head, first, last = head[right], first[right], last[right]
        return head, first, last, of_text[head, first, last].astype(np.float32)

    return above


def factored(factors: np.ndarray) -> Above:
    """Returns the search in the factors of `GlobalPointer`.

    A span's score is product + start + end. Only those (head, first token) are looked at whose start, with the largest
    product of that token and the largest end of the head, is high enough: of a trained network few are.

    Args: factors: (rows, length + 2 * heads, length) float32, as the layer returns them with `factored`.
    """
    products, (start, end) = factors[:, : factors.shape[2]], np.split(factors[:, factors.shape[2] :], 2, axis=1)

    def above(row: int, tokens: int, lowest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        ordered = np.where(np.tri(tokens, k=-1, dtype=bool), HIDDEN, products[row, 1 : tokens + 1, 1 : tokens + 1])
        first, last = start[row, :, 1 : tokens + 1], end[row, :, 1 : tokens + 1]
        highest = first + ordered.max(axis=1, initial=HIDDEN) + last.max(axis=1, initial=HIDDEN)[:, None]
        head, token = np.nonzero(highest >= lowest - ROUNDING)
        scores = ordered[token] + first[head, token, None] + last[head]  # (pairs, tokens)
        pair, end_token = np.nonzero(scores >= lowest)
        return head[pair], token[pair], end_token, scores[pair, end_token]

    return above


def spans_above(above: Above, inside: np.ndarray, threshold: float) -> Found:
    """Returns the spans whose sigmoid of the score is at least the threshold, of a row the best MOST_SPANS.

    Args:
        above: `dense` or `factored`. threshold: above 0, below 1; 0.5 is a score of 0.
        inside: (rows, length) bool, tokens of the text; [CLS] stands before them and [SEP] behind.
    Returns: by rising row, label, start and end; the confidence is the sigmoid, float32.
    """
    columns = [np.zeros((5, 0))]
    for row, tokens in enumerate(inside.sum(axis=1).tolist()):
        head, first, last, values = above(row, tokens, _logit(threshold))
        best = np.sort(np.argsort(-values, kind="stable")[:MOST_SPANS])
        columns.append(np.stack([np.full(len(best), row), head[best], first[best] + 1, last[best] + 2, values[best]]))
    table = np.concatenate(columns, axis=1)
    return Spans(*table[:4].astype(np.int64)), _sigmoid(table[4])


def linked_events(scores: Arrays, found: Found, roles: Roles, threshold: float) -> tuple[Found, np.ndarray]:
    """Groups arguments to events: of each row and event type the maximal cliques of arguments that are linked.

    Two arguments are linked if both their first and their last tokens are. An argument may stand in several events.
    Where the search takes more than MOST_STEPS, all arguments of the type make one event, as in the other schemes.

    Args: scores: start_link_logits, end_link_logits: (rows, 1, length, length), of tokens i <= j. found: arguments and
        triggers, which have labels from len(roles) on. threshold: of the sigmoid of a link's score.
    Returns: the arguments and triggers, each once for every event that holds it, and the numbers of these events, which
        rise with row and event type: (spans,) int64.
    """
    spans, confidence = found
    lowest = _logit(threshold)
    type_of = np.concatenate([roles.type_of, np.arange(len(roles.counts))])[spans.label]
    order = np.lexsort((type_of, spans.row))
    bounds = np.flatnonzero(np.diff(spans.row[order]) | np.diff(type_of[order])) + 1
    members: list[np.ndarray] = []
    for nodes in np.split(order, bounds) if len(order) else []:
        row, first, last = int(spans.row[nodes[0]]), spans.start[nodes], spans.end[nodes] - 1
        linked = np.logical_and(
            *(
                scores[f"{name}_link_logits"][row, 0][
                    np.minimum(place[:, None], place), np.maximum(place[:, None], place)
                ]
                >= lowest
                for name, place in (("start", first), ("end", last))
            )
        )
        cliques = maximal_cliques(linked, MOST_STEPS)
        members += [nodes] if cliques is None else [nodes[list(clique)] for clique in cliques]
    chosen = np.concatenate([np.zeros(0, np.int64), *members])
    event = np.repeat(np.arange(len(members)), [len(one) for one in members])
    return (Spans(*(column[chosen] for column in spans)), confidence[chosen]), event


def _logit(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return (1.0 / (1.0 + np.exp(-np.clip(x, -80.0, 80.0)))).astype(np.float32)
