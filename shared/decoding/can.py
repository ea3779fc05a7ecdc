"""Classification with alternating normalization: uncertain answers follow what is known of the classes' shares."""

import numpy as np

NUMBERS_AT_ONCE = 1 << 22  # of the matrices that are alternately normalized: 32 MB


def alternating_normalization(
    probabilities: np.ndarray,
    prior: np.ndarray,
    threshold: float = 0.9,
    iterations: int = 1,
    alpha: float = 1.0,
    top_k: int = 3,
) -> np.ndarray:
    """Returns probabilities in which uncertain rows are corrected by the prior.

    Each uncertain row is put below the matrix of the certain ones. `iterations` times, its numbers are raised to
    `alpha`, then each column is made to have the prior's share of the mass, then each row to sum to 1. What the last
    row has become is the answer. Certain rows stay as they are; without any of them, or without uncertain ones, nothing
    changes.

    Args: probabilities: (rows, classes), non-negative, rows sum to 1. prior: (classes,), positive shares of the classes
        among all rows. threshold: rows of a higher `top_k_entropy` are uncertain. iterations: int, 0 or more. alpha:
        float above 0.
    Returns: (rows, classes) float64, rows sum to 1.
    Raises: ValueError if shapes, or a prior or alpha that is not above 0, do not fit.
    Reference: Jia et al. 2021, https://arxiv.org/abs/2109.13449; with top-k entropy: Su Jianlin,
        https://kexue.fm/archives/8728
    """
    probabilities, prior = np.asarray(probabilities, np.float64), np.asarray(prior, np.float64)
    if probabilities.ndim != 2 or prior.shape != probabilities.shape[1:] or (prior <= 0).any() or alpha <= 0:
        raise ValueError(
            f"expected (rows, classes) and as many priors, prior and alpha above 0; got {probabilities.shape}, "
            f"{prior.tolist()}, {alpha}."
        )
    uncertain = top_k_entropy(probabilities, top_k) > threshold
    certain = probabilities[~uncertain]  # (certain, classes)
    result = probabilities.copy()
    if not len(certain) or not iterations:
        return result
    rows = np.flatnonzero(uncertain)
    portion = max(1, NUMBERS_AT_ONCE // certain.size)
    for start in range(0, len(rows), portion):
        here = rows[start : start + portion]
        result[here] = _normalized(certain, probabilities[here], prior, iterations, alpha)
    return result


def top_k_entropy(probabilities: np.ndarray, k: int) -> np.ndarray:
    """Returns the entropy of each row's k largest numbers, scaled to sum to 1, over log k: (rows,), from 0 to 1."""
    top = np.sort(probabilities, axis=-1)[:, -min(k, probabilities.shape[-1]) :]
    top = top / np.maximum(top.sum(axis=-1, keepdims=True), 1e-300)
    logs = np.log(top, where=top > 0, out=np.zeros_like(top))
    return -(top * logs).sum(axis=-1) / np.log(max(top.shape[-1], 2))


def _normalized(
    certain: np.ndarray, uncertain: np.ndarray, prior: np.ndarray, iterations: int, alpha: float
) -> np.ndarray:
    """Returns the last rows of the matrices [certain; uncertain row]: (uncertain rows, classes)."""
    copies = np.broadcast_to(certain, (len(uncertain), *certain.shape))
    matrices = np.concatenate([copies, uncertain[:, None]], axis=1)  # (uncertain, certain + 1, classes)
    for _ in range(iterations):
        matrices = matrices**alpha
        matrices *= prior / np.maximum(matrices.sum(axis=1, keepdims=True), 1e-300)
        matrices /= np.maximum(matrices.sum(axis=2, keepdims=True), 1e-300)
    return matrices[:, -1]
