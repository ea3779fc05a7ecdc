"""Class weights by the effective number of examples."""

import numpy as np


def class_weights(counts: np.ndarray, beta: float) -> np.ndarray:
    """Returns weights in proportion to 1 / E, E = (1 - beta ** n) / (1 - beta), for classes of n examples.

    Beta 0 weighs all classes alike, beta to 1 by 1 / n. They add up to the number of classes that have examples; a
    class without any gets 0.

    Args: counts: (classes,) int, examples of each class; beta: float in [0, 1).
    Returns: (classes,) float32.
    Raises: ValueError if beta is not in [0, 1) or a count is below 0.
    Reference: Cui et al. 2019, https://arxiv.org/abs/1901.05555; beta .9, .99, .999 or .9999
    """
    counts = np.asarray(counts, np.float64)
    if not 0.0 <= beta < 1.0 or (counts < 0).any():
        raise ValueError(f"beta must be in [0, 1) and counts 0 or more, got {beta} and {counts.tolist()}.")
    there = counts > 0
    if not there.any():
        return np.zeros(len(counts), np.float32)
    log_beta = np.log(beta) if beta else -np.inf
    with np.errstate(invalid="ignore"):  # 0 * -inf, where a class has no example
        effective = -np.expm1(np.where(there, counts * log_beta, -1.0)) / (1.0 - beta)
    weights = np.where(there, 1.0 / effective, 0.0)
    return (weights * there.sum() / weights.sum()).astype(np.float32)
