"""The gradient penalty: the loss should change little when the embedding table does."""

from typing import Any

from shared.training.tricks.rows import Objective
from shared.training.tricks.whole_batch import Gradients, WholeBatch, added


def gradient_penalty(batch: WholeBatch, objective: Objective, epsilon: float) -> tuple[Any, Gradients]:
    """Returns the loss L, and the exact gradient of L + epsilon / 2 ||g||^2, g the gradient of L by the table.

    With g held constant, the gradient of the penalty is epsilon times that of <g(theta), g>, the slope of L along g. It
    is linear in L, so that parts of the batch add up, where a sum of their own penalties would be another penalty. To
    first order it is FGM with an offset of epsilon g. Two passes, the second with second derivatives.

    g is summed over all places of a token. Su's code squares the gradient at each place before it adds them up.

    Args: epsilon: > 0; 1 is usual.
    Reference: Su Jianlin, https://kexue.fm/archives/7234
    """
    loss, clean = batch.gradient(objective)
    return loss, added(clean, batch.gradient_of_slope(objective, clean[batch.table]), epsilon)
