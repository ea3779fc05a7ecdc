"""Projected gradient descent: like FGM, with the worst offset looked for in several steps."""

from typing import Any

from keras import ops

from shared.training.tricks.rows import Objective
from shared.training.tricks.whole_batch import Gradients, WholeBatch, added, direction


def pgd(batch: WholeBatch, objective: Objective, epsilon: float, steps: int, rate: float) -> tuple[Any, Gradients]:
    """Returns the loss, and gradient(0) + gradient(r_K), K = steps.

    r_0 = 0; r_k+1 = P(r_k + rate g_k / ||g_k||), g_k the gradient by the embedding table with r_k added to it, of the
    whole batch; P shortens what is longer than epsilon to epsilon. One step of rate epsilon is FGM. K + 1 passes; all
    but the first and last need the table's gradient only.

    Args: epsilon, rate: > 0; 1 and 0.3 are usual, with 3 steps.
    Reference: Madry et al. 2017, https://arxiv.org/abs/1706.06083 , here in the ball of the Euclidean norm
    """
    loss, clean = batch.gradient(objective)
    offset = within(rate * direction(clean[batch.table]), epsilon)
    for _ in range(steps - 1):
        offset = within(offset + rate * direction(batch.table_gradient(objective, offset)), epsilon)
    _, moved = batch.gradient(objective, offset)
    return loss, added(clean, moved)


def within(offset: Any, epsilon: float) -> Any:
    """Returns the nearest point of the ball of radius epsilon."""
    norm = ops.sqrt(ops.sum(ops.square(offset)))
    return offset * ops.minimum(1.0, epsilon / ops.maximum(norm, 1e-30))
