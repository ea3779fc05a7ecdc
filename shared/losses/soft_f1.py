"""F1 of probabilities in the place of answers, as a loss."""

from typing import Any

from keras import ops


def soft_f1(logits: Any, labels: Any, weight: Any) -> Any:
    """Returns 1 - 2 sum p y / (sum p + sum y), p the probability of label 1: F1 with tp, fp and fn counted in shares.

    Rows are coupled: sums of p stand above and below the line, so the loss of a batch is not the sum of the losses of
    its parts, and must be computed in one piece. Without any row of label 1 and any p it is 0 / 0 and taken as 0.

    Args: logits: (batch, 2) float; labels: (batch,) int, 0 or 1; weight: (batch,) float32, 0 for rows that do not
        count.
    Returns: () float32, from 0 to 1.
    Reference: Su Jianlin, https://kexue.fm/archives/9098, on smoothed measures
    """
    positive = ops.softmax(ops.cast(logits, "float32"))[:, 1] * weight  # (batch,)
    gold = ops.cast(labels, "float32")
    both, either = ops.sum(positive * gold), ops.sum(positive) + ops.sum(gold * weight)
    return ops.where(either > 0.0, 1.0 - 2.0 * both / ops.maximum(either, 1e-12), 0.0)
