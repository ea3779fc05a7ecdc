"""Softmax cross-entropy for any number of right classes: every positive score above 0 and above every negative one."""

from typing import Any

import numpy as np
from keras import ops

_HIDDEN = -1e9  # finite; exp of it is 0


def cross_entropy(targets: Any, logits: Any) -> Any:
    """Returns log(1 + sum over negatives of exp(x)) + log(1 + sum over positives of exp(-x)).

    Its gradient goes to the few scores that are wrong most, so that a handful of positives among ten thousands of
    classes need no weights. 0 is the threshold: a class is predicted where its score is above it.

    Args: targets: (..., classes) 0 or 1, any dtype; logits: (..., classes) float; -1e9 hides a class with target 0.
    Returns: (...,) float32.
    Reference: Su Jianlin, https://kexue.fm/archives/7359 ; Su et al. 2022, https://arxiv.org/abs/2208.02955
    """
    logits, positive = ops.cast(logits, "float32"), ops.cast(targets, "bool")
    return _log_one_plus_sum_exp(logits, ops.logical_not(positive)) + _log_one_plus_sum_exp(-logits, positive)


def cross_entropy_over_tokens(targets: Any, logits: Any, present: Any) -> Any:
    """Returns `cross_entropy` for marks on tokens, whose classes are the tokens of a sentence.

    Args: targets, logits: (..., length, marks); present: 1 at real tokens, 0 at padding, (..., length, 1) or what
        broadcasts to it.
    Returns: (..., marks) float32.
    """
    logits = ops.cast(logits, "float32") + (1.0 - ops.cast(present, "float32")) * _HIDDEN
    return cross_entropy(ops.swapaxes(targets, -1, -2), ops.swapaxes(logits, -1, -2))


def sparse_cross_entropy(positives: Any, is_positive: Any, logits: Any) -> Any:
    """Returns `cross_entropy` for targets that are given by the numbers of the positive classes.

    The published form takes the positives' exponentials off the sum of all, which loses the negatives in rounding where
    a positive leads by 16; its clip then pushes the positive down. Here the positives are marked, as in the dense form:
    what is saved is the transfer of the targets, and a sum over the positives only.

    Args: positives: (..., P) int, different from each other where is_positive: (..., P) is 1, else anything from 0 to
        classes - 1. logits: (..., classes) float.
    Returns: (...,) float32.
    Reference: as above; the published form: https://kexue.fm/archives/7359, by bert4keras
    """
    positives, real = ops.cast(positives, "int32"), ops.cast(is_positive, "bool")
    count, classes = ops.shape(positives)[-1], ops.shape(logits)[-1]
    shape = tuple(ops.shape(logits)[axis] for axis in range(len(logits.shape) - 1))
    logits = ops.reshape(ops.cast(logits, "float32"), (-1, classes))
    positives, real = ops.reshape(positives, (-1, count)), ops.reshape(real, (-1, count))
    at_positives = ops.take_along_axis(logits, positives, axis=1)
    negative = ops.logical_not(_marked(positives, real, ops.shape(logits)))
    losses = _log_one_plus_sum_exp(logits, negative) + _log_one_plus_sum_exp(-at_positives, real)
    return ops.reshape(losses, shape)


def _marked(positives: Any, real: Any, shape: tuple) -> Any:
    """Returns where the classes are that are real: `shape` (rows, classes) bool. positives, real: (rows, P)."""
    rows = ops.broadcast_to(ops.arange(shape[0], dtype="int32")[:, None], ops.shape(positives))
    indices = ops.reshape(ops.stack([rows, positives], axis=-1), (-1, 2))
    return ops.scatter(indices, ops.reshape(ops.cast(real, "float32"), (-1,)), shape) > 0  # it adds up at one place


def _log_one_plus_sum_exp(x: Any, counts: Any) -> Any:
    """Returns log(1 + sum of exp(x)) over the last axis, of those that count; 0 for none. counts: as x, bool."""
    x = ops.where(counts, x, np.float32(_HIDDEN))
    top = ops.stop_gradient(ops.maximum(ops.max(x, axis=-1), 0.0))
    return top + ops.log(ops.exp(-top) + ops.sum(ops.exp(x - top[..., None]), axis=-1))
