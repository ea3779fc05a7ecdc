"""Probabilities that are the n-th power of a sigmoid, see `shared.losses.sigmoid_power`; NumPy alone."""

import numpy as np


def probability(logits: np.ndarray, power: int) -> np.ndarray:
    """Returns sigmoid(logits) ** power, float32, the same shape; no logit overflows.

    Raises: ValueError if power is below 1.
    """
    check_power(power)
    exponent = np.clip(-np.asarray(logits, np.float32), -80.0, 80.0)  # exp(88.8) is the last in float32
    return (1.0 / (1.0 + np.exp(exponent))) ** np.float32(power)


def logit(p: float, power: int) -> float:
    """Returns x with sigmoid(x) ** power = p, for p above 0 and below 1.

    To compare logits with that of a threshold saves the exponentials of all those below. Raises: ValueError as above.
    """
    check_power(power)
    sigmoid = p ** (1.0 / power)
    return float(np.log(sigmoid) - np.log1p(-sigmoid))


def check_power(power: int) -> None:
    """Raises: ValueError if power is below 1."""
    if power < 1:
        raise ValueError(f"power must be 1 or more, got {power}.")
