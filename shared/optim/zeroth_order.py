"""Gradients and maxima of functions that have no derivative: scores as functions of thresholds, biases or weights.

For few parameters only: the noise of the gradient grows with their number.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

Function = Callable[[np.ndarray], float]


class Maximum(NamedTuple):
    """The best point seen, its value, and how often the function was called."""

    point: np.ndarray
    value: float
    calls: int


def gradient(
    function: Function,
    point: np.ndarray,
    rng: np.random.Generator,
    *,
    scale: float = 0.1,
    samples: int = 64,
    baseline: Literal["antithetic", "value"] = "antithetic",
) -> np.ndarray:
    """Returns the gradient of E_u f(point + scale u), u normal: the mean of (f(point + scale u) - b) / scale * u.

    Args:
        function: of an array like `point`. scale: of the normal steps, in units of the point. samples: steps drawn.
        baseline: b, which lessens the noise: value: b = f(point), samples + 1 calls. antithetic: each step is taken
            both ways, (f(point + scale u) - f(point - scale u)) / (2 scale) * u, 2 * samples calls.
    Returns: float64, of the shape of `point`.
    Reference: Salimans et al. 2017, https://arxiv.org/abs/1703.03864; Su Jianlin, https://kexue.fm/archives/7737
    """
    point = np.asarray(point, np.float64)
    steps = rng.standard_normal((samples, *point.shape))
    ahead = np.array([function(point + scale * step) for step in steps])
    if baseline == "antithetic":
        behind = np.array([function(point - scale * step) for step in steps])
        slopes = (ahead - behind) / (2 * scale)
    else:
        slopes = (ahead - function(point)) / scale
    return np.tensordot(slopes, steps, axes=1) / samples


def maximize(
    function: Function,
    start: np.ndarray,
    rng: np.random.Generator,
    *,
    scale: float = 0.1,
    samples: int = 8,
    rounds: int = 50,
    project: Callable[[np.ndarray], np.ndarray] = lambda point: point,
) -> Maximum:
    """Climbs along zeroth-order gradients and returns the best point of all that were tried, `start` among them.

    A round draws a gradient and goes `scale` along its direction. What raises the best value is kept and the scale of
    step and draws grows by a half; otherwise it halves, at most a thousandfold in all. So scores that are flat in
    places and jump in others, as F1 over thresholds, are searched coarsely first. On a plateau no direction is known
    and the best of the points drawn counts.

    Args: scale: of the first steps, in units of the point. samples, rounds: 2 * samples + 1 calls a round.
        project: brings a point back to where the function is defined, e.g. shares that sum to 1.
    """
    best = project(np.asarray(start, np.float64))
    best_value, calls, least = float(function(best)), 1, scale / 1000

    def tried(point: np.ndarray) -> float:
        nonlocal best, best_value, calls
        point = project(point)
        value, calls = float(function(point)), calls + 1
        if value > best_value:
            best, best_value = point, value
        return value

    for _ in range(rounds):
        center, before = best, best_value
        slope = gradient(tried, center, rng, scale=scale, samples=samples)
        length = np.linalg.norm(slope)
        if length > 0:
            tried(center + scale * slope / length)
        scale = scale * 1.5 if best_value > before else max(scale / 2, least)
    return Maximum(best, best_value, calls)
