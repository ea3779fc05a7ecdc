"""How far two predictions for the same thing are apart: the symmetrical Kullback-Leibler divergence.

(KL(p || q) + KL(q || p)) / 2 = sum over outcomes of (p - q) (log p - log q) / 2: 0 for equal predictions, else above 0,
and for near ones the same as KL(p || q) to second order.
"""

from typing import Any

from keras import ops

from shared.losses.sigmoid_power import log_losses


def categorical(logits: Any, other: Any, axis: int = -1) -> Any:
    """Returns the divergence of two softmax distributions over `axis`.

    Args: logits, other: of one shape, float; finite, also where masked (-1e9 counts nothing).
    Returns: float32, the shape without `axis`.
    """
    p, q = (ops.log_softmax(ops.cast(x, "float32"), axis=axis) for x in (logits, other))
    return 0.5 * ops.sum((ops.exp(p) - ops.exp(q)) * (p - q), axis=axis)


def bernoulli(logits: Any, other: Any, power: int = 1) -> Any:
    """Returns the divergence of two answers yes or no, yes with p = sigmoid(x) ** power, per element.

    Args: logits, other: of one shape, float. power: int, 1 or more; see `shared.losses.sigmoid_power`.
    Returns: float32, the same shape.
    Raises: ValueError if power is below 1.
    """
    (p, p_odds), (q, q_odds) = (_yes(x, power) for x in (logits, other))
    return 0.5 * (p - q) * (p_odds - q_odds)


def _yes(logits: Any, power: int) -> tuple[Any, Any]:
    """Returns p and log(p / (1 - p))."""
    present, absent = log_losses(logits, power)
    return ops.exp(-present), absent - present
