"""Focal loss: rows that are right already count little."""

from typing import Any

from keras import ops

from shared.losses.cross_entropy import cross_entropy


def focal(logits: Any, labels: Any, gamma: float) -> Any:
    """Returns -(1 - p) ** gamma * log p for each row, where p is the probability of its label.

    1 - p is taken as the sum of the other classes' probabilities, so that nothing cancels where p is near 1.

    Args: logits: (batch, classes) float; labels: (batch,) int; gamma: float, 1 or more (below, the gradient of the
        power is infinite at p = 1).
    Returns: (batch,) float32.
    Raises: ValueError if gamma is below 1.
    Reference: Lin et al. 2017, https://arxiv.org/abs/1708.02002, whose best gamma is 2; without its class weights
    """
    if gamma < 1.0:
        raise ValueError(f"gamma must be 1 or more, got {gamma}.")
    others = 1.0 - ops.one_hot(labels, logits.shape[-1], dtype="float32")
    missing = ops.sum(others * ops.softmax(ops.cast(logits, "float32")), axis=-1)  # (batch,): 1 - p
    return missing**gamma * cross_entropy(logits, labels)
