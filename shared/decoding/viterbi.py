"""The best label sequences of a linear-chain CRF, for a batch of rows and one or more label sets."""

import numpy as np


def viterbi(
    logits: np.ndarray, transitions: np.ndarray, mask: np.ndarray, start_label: int | None = None
) -> np.ndarray:
    """Returns the label sequences with the largest sum of logits and transitions; exact, the lower label on a tie.

    With hundreds of labels nearly all of the labels x labels comparisons of a step are wasted, so two kinds of them are
    left out that provably change nothing. Rows in which no sequence can beat label 0 throughout, such as those of an
    event type that a sentence does not mention, are recognised by an upper bound that only tells label 0 from the
    others. In the rest, a label is followed only while it may lead to the best sequence: label i cannot if it lags
    behind the leading label k by more than max_j (T[i, j] - T[k, j]), the most that it can catch up by its next step.

    Args:
        logits: (batch, length, labels) float; for several label sets (batch, sets, length, labels), where labels that a
            set lacks are at -1e9. transitions: (labels, labels) or (sets, labels, labels) float, from the former label
            to the latter. mask: (batch, length) bool, True at real tokens; padding stands at the end. start_label:
            of the first token, whatever its logits, e.g. outside at [CLS]; None: any.
    Returns: (batch, length) or (batch, sets, length) int32; 0 at padding.
    Reference: Viterbi 1967, https://doi.org/10.1109/TIT.1967.1054010
    """
    logits = np.asarray(logits, np.float32)
    *outer, length, labels = logits.shape
    transitions = np.asarray(transitions, np.float32).reshape(-1, labels, labels)
    sets = len(transitions)
    logits, mask = logits.reshape(-1, length, labels), np.repeat(np.asarray(mask, bool), sets, axis=0)
    set_of = np.tile(np.arange(sets), len(logits) // sets)
    result = np.zeros((len(logits), length), np.int32)
    rows = np.arange(len(logits))
    if start_label in (None, 0):
        rows = np.flatnonzero(~_all_zero(logits, transitions, mask, set_of, start_label is None))
    if len(rows):
        result[rows] = _search(logits[rows], transitions, mask[rows], set_of[rows], start_label)
    return result.reshape(*outer, length)


def _all_zero(
    logits: np.ndarray, transitions: np.ndarray, mask: np.ndarray, set_of: np.ndarray, free_start: bool
) -> np.ndarray:
    """Returns for each row whether label 0 throughout is surely best: (rows,) bool.

    A stretch of other labels is worth at most the best of them at each token and the best of the transitions into, in
    and out of it, less what label 0 has there. If the stretch that is worth most is worth nothing, so are all.
    """
    if logits.shape[-1] == 1:
        return np.ones(len(logits), bool)
    gain = logits[..., 1:].max(axis=-1) - logits[..., 0]  # (rows, length)
    stay = transitions[:, 0, 0]
    into = (transitions[:, 0, 1:].max(axis=-1) - stay)[set_of]
    out_of = (transitions[:, 1:, 0].max(axis=-1) - stay)[set_of]
    within = (transitions[:, 1:, 1:].max(axis=(-1, -2)) - stay)[set_of]
    stretch = gain[:, 0] if free_start else np.full(len(logits), -np.inf, np.float32)  # best that ends at this token
    most = np.full(len(logits), -np.inf, np.float32)
    for token in range(mask.shape[1]):
        if token:
            stretch = gain[:, token] + np.maximum(stretch + within, into)
        last = ~mask[:, token + 1] if token + 1 < mask.shape[1] else True
        value = stretch + np.where(last, 0, out_of)
        most = np.where(mask[:, token], np.maximum(most, value), most)
    return most <= 0


def _search(
    logits: np.ndarray, transitions: np.ndarray, mask: np.ndarray, set_of: np.ndarray, start_label: int | None
) -> np.ndarray:
    """Returns the best label sequences, (rows, length) int32; arguments as in `viterbi`, the sets' rows laid out."""
    rows, length, labels = logits.shape
    catch_up, every = _CatchUp(transitions), np.arange(rows)
    alphas = np.empty((length, rows, labels), np.float32)  # the best score of a beginning, by its last label
    alphas[0] = logits[:, 0]
    if start_label is not None:
        alphas[0][:, np.arange(labels) != start_label] = -np.inf
    for token in range(1, length):
        alpha = alphas[token - 1]
        leader = alpha.argmax(axis=1)
        row, former = np.nonzero(alpha + catch_up(set_of, leader) >= alpha[every, leader][:, None])
        scores = alpha[row, former][:, None] + transitions[set_of[row], former]  # (alive, labels)
        best = np.maximum.reduceat(scores, np.searchsorted(row, every), axis=0)  # each row's leader is alive
        alphas[token] = np.where(mask[:, token, None], best + logits[:, token], alpha)
    result = np.zeros((rows, length), np.int32)
    result[:, -1] = alphas[-1].argmax(axis=1)
    for token in range(length - 1, 0, -1):
        to_here = alphas[token - 1] + transitions[set_of, :, result[:, token]]
        result[:, token - 1] = np.where(mask[:, token], to_here.argmax(axis=1), result[:, token])
    return np.where(mask, result, 0)


class _CatchUp:
    """max_j (T[i, j] - T[k, j]) for each label i, worked out for the leading labels k that come up."""

    def __init__(self, transitions: np.ndarray):
        self.transitions = transitions
        self.known = np.zeros(transitions.shape[:2], bool)  # (sets, leaders)
        self.most = np.zeros(transitions.shape, np.float32)  # (sets, leaders, labels)

    def __call__(self, set_of: np.ndarray, leader: np.ndarray) -> np.ndarray:
        """Returns (rows, labels) float32."""
        new = ~self.known[set_of, leader]
        for one, k in set(zip(set_of[new].tolist(), leader[new].tolist(), strict=True)):
            self.most[one, k] = (self.transitions[one] - self.transitions[one, k]).max(axis=1)
            self.known[one, k] = True
        return self.most[set_of, leader]
