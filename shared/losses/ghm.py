"""Gradient harmonized loss: rows whose gradient is of a common size share what a rare size has for itself."""

from typing import Any

from keras import ops

from shared.losses.cross_entropy import cross_entropy


def ghm(logits: Any, labels: Any, weight: Any, bins: int) -> Any:
    """Returns N / (bins * R) * cross-entropy for each row, where R rows have a gradient norm in the same bin as it.

    The gradient norm is g = 1 - p, p the probability of the label, and the bins divide [0, 1] evenly. So every bin
    with rows in it adds the mean of its rows / bins to the mean over all: the many easy rows, and outliers that stay
    wrong together, count no more than the few between them.

    R counts the rows at hand, and no gradient passes through it. Rows are coupled so: the loss of a batch is not the
    sum of the losses of its parts, and must be computed in one piece. (The paper's moving average of R over steps,
    which it uses with small batches, would be a state of the training and is left out.)

    Args: logits: (batch, classes) float; labels: (batch,) int; weight: (batch,) float32, 0 for rows that do not count,
        which get into neither R nor N; bins: int, 1 or more.
    Returns: (batch,) float32.
    Reference: Li, Liu and Wang 2018, https://arxiv.org/abs/1811.05181, GHM-C, equation 8
    """
    losses = cross_entropy(logits, labels)
    norms = ops.stop_gradient(1.0 - ops.exp(-losses))  # (batch,)
    bin_of = ops.minimum(ops.cast(norms * bins, "int32"), bins - 1)
    member = ops.one_hot(bin_of, bins, dtype="float32")  # (batch, bins)
    counts = ops.sum(member * weight[:, None], axis=0)  # (bins,)
    mine = ops.maximum(ops.sum(member * counts, axis=-1), 1.0)  # (batch,)
    return losses * (ops.sum(weight) / (bins * mine))
