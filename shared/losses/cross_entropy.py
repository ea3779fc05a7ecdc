"""Cross-entropy of exclusive classes, with label smoothing."""

from typing import Any

from keras import ops

_HIDDEN = -1e8  # logits below hide a class


def cross_entropy(logits: Any, labels: Any, smoothing: float = 0.0) -> Any:
    """Returns -sum_k t_k log p_k, where t is 1 - smoothing at the label plus smoothing / classes anywhere.

    Args: logits: (..., classes) float; -1e9 hides a class, which then gets no share of the smoothing. labels: (...)
        int. smoothing: float in [0, 1).
    Returns: (...) float32.
    Reference: label smoothing: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, section 7
    """
    logits = ops.cast(logits, "float32")
    targets = ops.one_hot(labels, ops.shape(logits)[-1], dtype="float32")
    if smoothing:
        there = ops.cast(logits > _HIDDEN, "float32")
        targets = targets * (1.0 - smoothing) + there * (smoothing / ops.sum(there, axis=-1, keepdims=True))
    return -ops.sum(targets * ops.log_softmax(logits), axis=-1)
