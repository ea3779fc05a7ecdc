import math

import keras
import numpy as np
import pytest

from shared.losses.multilabel_softmax import cross_entropy, cross_entropy_over_tokens, sparse_cross_entropy
from tests.conftest import to_numpy
from tests.shared.layers.differentiate import differences, differentiate

POSITIVES = np.array([[[4, 0, 0], [2, 6, 0]], [[0, 0, 0], [1, 3, 5]]], "int32")
IS_POSITIVE = np.array([[[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 1]]], "uint8")
TARGETS = np.array([[[0, 0, 0, 0, 1, 0, 0], [0, 0, 1, 0, 0, 0, 1]], [[0] * 7, [0, 1, 0, 1, 0, 1, 0]]], "uint8")
SHAPE = TARGETS.shape  # (2, 2, 7)


def reference(targets, logits):
    """In float64, row by row."""
    result = np.empty(targets.shape[:-1])
    for place in np.ndindex(result.shape):
        row, positive = np.float64(logits[place]), targets[place].astype(bool)
        result[place] = np.logaddexp.reduce([0.0, *row[~positive]]) + np.logaddexp.reduce([0.0, *-row[positive]])
    return result


def both(logits):
    dense = cross_entropy(keras.ops.convert_to_tensor(TARGETS), logits)
    return dense, sparse_cross_entropy(POSITIVES, IS_POSITIVE, logits)


@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0, 1e4])
def test_both_forms_equal_the_definition(rng, scale):
    logits = rng.normal(scale=scale, size=SHAPE).astype("float32")
    for got in both(keras.ops.convert_to_tensor(logits)):
        assert keras.backend.standardize_dtype(got.dtype) == "float32"
        np.testing.assert_allclose(to_numpy(got), reference(TARGETS, logits), rtol=1e-5, atol=1e-6)


def test_worked_out_by_hand():
    # Two negatives and one positive at 0: log 3 + log 2.
    got = to_numpy(cross_entropy(np.array([0, 1, 0]), keras.ops.zeros((3,))))
    assert float(got) == pytest.approx(math.log(3) + math.log(2), rel=1e-6)


def test_the_sparse_form_still_sees_the_negatives_where_positives_lead_by_far():
    logits = np.where(TARGETS, 30.0, -2.0).astype("float32")  # exp(30) is lost beside no negative; exp(-2) beside it is
    want = np.log1p((TARGETS == 0).sum(axis=-1) * math.exp(-2.0))
    np.testing.assert_allclose(to_numpy(both(keras.ops.convert_to_tensor(logits))[1]), want, rtol=1e-5)


def test_hidden_classes_cost_nothing():
    logits = np.full((2, 4), -1e9, "float32")
    logits[0, 1] = 0.5
    want = [math.log1p(math.exp(-0.5)), 0.0]
    got = to_numpy(cross_entropy(np.array([[0, 1, 0, 0], [0] * 4]), keras.ops.convert_to_tensor(logits)))
    np.testing.assert_allclose(got, want, rtol=1e-6)
    got = to_numpy(
        sparse_cross_entropy(np.array([[1], [0]]), np.array([[1], [0]]), keras.ops.convert_to_tensor(logits))
    )
    np.testing.assert_allclose(got, want, rtol=1e-6)


@pytest.mark.parametrize("form", [0, 1])
def test_the_gradient_is_that_of_differences(rng, form):
    logits, upstream = rng.normal(size=SHAPE).astype("float32"), rng.normal(size=SHAPE[:-1]).astype("float32")
    want = differences(lambda x: reference(TARGETS, x), [logits], upstream)[0]
    got = differentiate(lambda x: both(x)[form], [logits], upstream)[1][0]
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize("form", [0, 1])
def test_the_gradient_is_finite_for_every_logit(form):
    logits = np.linspace(-1e4, 1e4, 28).reshape(SHAPE).astype("float32")
    got = differentiate(lambda x: both(x)[form], [logits], np.ones(SHAPE[:-1], "float32"))[1][0]
    assert np.isfinite(got).all()


def test_the_sparse_form_takes_logits_of_bfloat16():
    logits = keras.ops.cast(np.linspace(-3, 3, 28).reshape(SHAPE).astype("float32"), "bfloat16")
    np.testing.assert_allclose(
        to_numpy(both(logits)[1]), reference(TARGETS, to_numpy(keras.ops.cast(logits, "float32"))), rtol=1e-5
    )


def test_over_tokens_each_mark_has_the_tokens_of_its_sentence_as_classes(rng):
    logits, targets = rng.normal(size=(2, 3, 5, 4)), rng.integers(0, 2, size=(2, 3, 5, 4))
    present = np.ones((2, 1, 5, 1))
    present[1, 0, 3:] = 0
    targets = targets * present.astype(int)
    tensors = (keras.ops.convert_to_tensor(np.float32(x)) for x in (targets, logits, present))
    got = to_numpy(cross_entropy_over_tokens(*tensors))
    assert got.shape == (2, 3, 4)
    for row, length in ((0, 5), (1, 3)):
        for mark in range(4):
            x, yes = logits[row, 0, :length, mark], targets[row, 0, :length, mark] == 1
            want = np.log1p(np.exp(x[~yes]).sum()) + np.log1p(np.exp(-x[yes]).sum())
            assert got[row, 0, mark] == pytest.approx(want, rel=1e-5)
