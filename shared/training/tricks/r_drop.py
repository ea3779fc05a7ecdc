"""R-Drop: two passes with different dropout should give the same answer."""

from typing import Any

from shared.training.tricks.rows import Objective, Rows


def r_drop(alpha: float) -> Objective:
    """Returns the objective (L_1 + L_2 + alpha D) / 2.

    L_1, L_2 are the losses of two forward computations that drop different numbers, D the divergence of their outputs,
    as the task defines it: symmetrical Kullback-Leibler divergences (KL(1 || 2) + KL(2 || 1)) / 2 with the weights of
    the loss. The gradient goes through both. It is half of the paper's objective, so that alpha 0 leaves the scale of
    the gradient as it is without R-Drop, and published values of alpha mean the same here. L_1 is reported.

    Args: alpha: > 0; 4 is usual, with a dropout of 0.3. Without any dropout D is 0 and the second pass is for nothing.
    Reference: Liang et al. 2021, https://arxiv.org/abs/2106.14448
    """

    def objective(rows: Rows, offset: Any = None) -> tuple[Any, Any]:
        first, second = rows.outputs(offset), rows.outputs(offset, second=True)
        loss = rows.loss(first)
        return (loss + rows.loss(second) + alpha * rows.divergence(first, second)) / 2.0, loss

    return objective
