import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.viterbi import viterbi

WHOLE = {"seed": st.integers(0, 2**32), "length": st.integers(1, 5), "labels": st.integers(1, 4)}


def problem(seed, batch, length, labels, sets=None, spread=3):
    """Small whole numbers, so that scores are exact and ties are common; and a mask."""
    rng = np.random.default_rng(seed)
    axis = () if sets is None else (sets,)
    logits = rng.integers(-spread, spread + 1, size=(batch, *axis, length, labels)).astype("float32")
    transitions = rng.integers(-spread, spread + 1, size=(*axis, labels, labels)).astype("float32")
    return logits, transitions, np.arange(length) < rng.integers(1, length + 1, size=batch)[:, None]


def brute_force(logits, transitions, mask, start_label=None):
    """The best of all paths; of equal ones that with the lower labels, compared from the last token on."""
    result = np.zeros(mask.shape, int)
    for row, real in enumerate(mask):
        paths = itertools.product(range(logits.shape[-1]), repeat=int(real.sum()))
        if start_label is not None:
            paths = (path for path in paths if path[0] == start_label)
        best = min(paths, key=lambda path: (-score(logits[row], transitions, path), path[::-1]))
        result[row, : len(best)] = best
    return result


def score(logits, transitions, path):
    steps = sum(transitions[one, other] for one, other in itertools.pairwise(path))
    return sum(logits[token, label] for token, label in enumerate(path)) + steps


@given(**WHOLE, spread=st.integers(0, 30))
def test_equals_the_best_of_all_paths(seed, length, labels, spread):
    logits, transitions, mask = problem(seed, 3, length, labels, spread=spread)
    np.testing.assert_array_equal(viterbi(logits, transitions, mask), brute_force(logits, transitions, mask))


@given(**WHOLE, bonus=st.integers(0, 6))
def test_rows_that_are_outside_throughout_are_told_from_those_that_are_not(seed, length, labels, bonus):
    """The bonus of label 0 makes such rows common."""
    logits, transitions, mask = problem(seed, 6, length, labels)
    logits[..., 0] += bonus
    np.testing.assert_array_equal(viterbi(logits, transitions, mask), brute_force(logits, transitions, mask))


@given(**WHOLE, start=st.integers(0, 3))
def test_the_first_token_can_be_forced(seed, length, labels, start):
    logits, transitions, mask = problem(seed, 3, length, labels)
    start %= labels
    got = viterbi(logits, transitions, mask, start_label=start)
    np.testing.assert_array_equal(got, brute_force(logits, transitions, mask, start))


@given(**WHOLE)
def test_a_masked_tail_changes_nothing(seed, length, labels):
    logits, transitions, mask = problem(seed, 3, length, labels)
    noise = np.random.default_rng(seed).normal(scale=50, size=(3, length + 4, labels)).astype("float32")
    noise[:, :length] = np.where(mask[..., None], logits, noise[:, :length])
    got = viterbi(noise, transitions, np.pad(mask, ((0, 0), (0, 4))))
    np.testing.assert_array_equal(got[:, :length], viterbi(logits, transitions, mask))
    assert not got[:, length:].any()


@given(**WHOLE)
def test_label_sets_side_by_side_are_independent(seed, length, labels):
    logits, transitions, mask = problem(seed, 2, length, labels, sets=3)
    got = viterbi(logits, transitions, mask, start_label=0)
    assert got.shape == (2, 3, length)
    for one in range(3):
        np.testing.assert_array_equal(got[:, one], viterbi(logits[:, one], transitions[one], mask, start_label=0))


def test_labels_that_a_set_lacks_are_never_chosen():
    logits, transitions, mask = problem(1, 4, 6, 5, sets=2)
    logits[:, 0, :, 3:] = -1e9
    got = viterbi(logits, transitions, mask)
    np.testing.assert_array_equal(got[:, 0], viterbi(logits[:, 0, :, :3], transitions[0, :3, :3], mask))


@pytest.mark.parametrize("bonus", [0.0, 4.0, 8.0])
def test_equals_the_plain_recursion_with_hundreds_of_labels(rng, bonus):
    """Transitions and logits as a trained BIO tagger has them, so that most labels are left out on the way."""
    rows, length, kinds = 4, 20, 60
    labels = 2 * kinds + 1
    transitions = rng.normal(size=(labels, labels)).astype("float32")
    begins, inside = np.arange(1, labels, 2), np.arange(2, labels, 2)
    transitions[:, inside] -= 4
    transitions[begins, inside] += 8
    logits = rng.normal(scale=2, size=(rows, length, labels)).astype("float32")
    logits[..., 0] += bonus
    mask = np.arange(length) < np.array([20, 1, 7, 13])[:, None]
    alpha, came_from = logits[:, 0], []
    for token in range(1, length):
        scores = alpha[:, :, None] + transitions
        came_from.append(scores.argmax(axis=1))
        alpha = np.where(mask[:, token, None], scores.max(axis=1) + logits[:, token], alpha)
    for row, real in enumerate(mask.sum(axis=1)):
        path = [int(alpha[row].argmax())]
        for token in range(real - 1, 0, -1):
            path.append(int(came_from[token - 1][row, path[-1]]))
        assert viterbi(logits, transitions, mask)[row, :real].tolist() == path[::-1]


def test_no_rows_have_no_labels():
    assert viterbi(np.zeros((0, 3, 2)), np.zeros((2, 2)), np.zeros((0, 3), bool)).shape == (0, 3)
