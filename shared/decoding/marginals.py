"""How sure a linear-chain CRF is of each label at each token."""

import numpy as np

_FLOOR = np.float32(1e-37)  # near the smallest normal float32


def marginals(
    logits: np.ndarray, transitions: np.ndarray, set_of: np.ndarray, mask: np.ndarray, start_label: int | None = None
) -> np.ndarray:
    """Returns the probability of each label at each token, by the forward-backward algorithm.

    Args:
        logits: (rows, length, labels) float. transitions: (sets, labels, labels) float, from the former label to the
            latter. set_of: (rows,) int, which of them holds for the row. mask: (rows, length) bool, True at real
            tokens; padding stands at the end. start_label: what the first token is known to be; None: nothing is known.
    Returns: (rows, length, labels) float32, 0 at padding; exact to float32 if no two transitions differ by 70.
    Reference: Rabiner 1989, section III.A, https://doi.org/10.1109/5.18626
    """
    logits, transitions = np.asarray(logits, np.float32), np.asarray(transitions, np.float32)
    rows, length, labels = logits.shape
    forth, back = _Step(transitions, set_of), _Step(transitions.swapaxes(1, 2), set_of)
    alpha, beta = np.zeros((2, rows, length, labels), np.float32)  # logs of the summed scores before and behind
    alpha[:, 0] = logits[:, 0]
    if start_label is not None:
        alpha[:, 0, np.arange(labels) != start_label] = -np.inf
    for token in range(1, length):
        step = forth(alpha[:, token - 1]) + logits[:, token]
        alpha[:, token] = np.where(mask[:, token, None], step, alpha[:, token - 1])
    for token in range(length - 1, 0, -1):
        step = back(beta[:, token] + logits[:, token])
        beta[:, token - 1] = np.where(mask[:, token, None], step, beta[:, token])
    return np.where(mask[..., None], softmax(alpha + beta), np.float32(0.0))


def softmax(scores: np.ndarray) -> np.ndarray:
    """Returns the probabilities of independent labels, over the last axis; the shape of `scores`, float."""
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


class _Step:
    """log(exp(scores) exp(transitions)), in a form that does not overflow."""

    def __init__(self, transitions: np.ndarray, set_of: np.ndarray):
        top = transitions.max(axis=1)  # (sets, labels), by the label led to
        factors = np.exp(transitions - top[:, None])
        self.single = len(transitions) == 1  # one matrix product for all rows
        self.top, self.factors = (top, factors[0]) if self.single else (top[set_of], factors[set_of])

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Args: scores: (rows, labels). Returns: the same shape."""
        most = scores.max(axis=1, keepdims=True)
        shares = np.exp(scores - most)
        sums = shares @ self.factors if self.single else np.einsum("ri,rij->rj", shares, self.factors)
        return most + self.top + np.log(np.maximum(sums, _FLOOR))
