"""Cross-entropy of the n-th power of a sigmoid: a head that starts out, and stays, close to "absent"."""

from typing import Any

from keras import ops

from shared.decoding.sigmoid_power import check_power


def binary_cross_entropy(targets: Any, logits: Any, power: int) -> Any:
    """Returns -log p where the target is 1 and -log(1 - p) where it is 0, for p = sigmoid(x) ** power, per element.

    Of the labels of a tagger few are 1. The power moves p at x = 0 from 1/2 to 2 ** -power, weighs the log-loss of the
    ones by `power` and leaves the zeros that are already low nearly alone; power 1 is the usual loss. It is stable for
    every logit: with s = sigmoid(x), log p = -power softplus(-x), and from 1 - s ** n = (1 - s) (1 + s + ... + s ** (n
    - 1)) follows log(1 - p) = -softplus(x) + log(1 + s + ... + s ** (n - 1)).

    Args: targets: any shape, 0 or 1 (or between), any dtype; logits: the same shape, float; power: int, 1 or more.
    Returns: float32, the same shape.
    Raises: ValueError if power is below 1.
    Reference: Su Jianlin, https://kexue.fm/archives/7161, on class imbalance in pointer labels
    """
    present, absent = log_losses(logits, power)
    targets = ops.cast(targets, "float32")
    return targets * present + (1.0 - targets) * absent


def log_losses(logits: Any, power: int) -> tuple[Any, Any]:
    """Returns -log p and -log(1 - p), per element: float32. Args, Raises: as above."""
    check_power(power)
    x = ops.cast(logits, "float32")
    present = power * ops.softplus(-x)
    absent = ops.softplus(x)
    if power > 1:
        s = ops.sigmoid(x)
        higher = s  # s + s ** 2 + ... + s ** (power - 1), by Horner's rule
        for _ in range(power - 2):
            higher = s * (1.0 + higher)
        absent = absent - ops.log1p(higher)
    return present, absent
