"""Cross-entropy of exclusive classes, with label smoothing."""

from typing import Any

from keras import ops


def cross_entropy(logits: Any, labels: Any, smoothing: float = 0.0) -> Any:
    """Returns -sum_k t_k log p_k for each row, where t is 1 - smoothing at the label plus smoothing / classes anywhere.

    Args: logits: (batch, classes) float; labels: (batch,) int; smoothing: float in [0, 1).
    Returns: (batch,) float32.
    Reference: label smoothing: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, section 7
    """
    classes = logits.shape[-1]
    targets = ops.one_hot(labels, classes, dtype="float32")
    targets = targets * (1.0 - smoothing) + smoothing / classes
    return -ops.sum(targets * ops.log_softmax(ops.cast(logits, "float32")), axis=-1)
