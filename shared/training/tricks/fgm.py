"""The fast gradient method: every batch also as its table is moved to where the loss rises fastest."""

from typing import Any

from shared.training.tricks.rows import Objective
from shared.training.tricks.whole_batch import Gradients, WholeBatch, added, direction


def fgm(batch: WholeBatch, objective: Objective, epsilon: float) -> tuple[Any, Gradients]:
    """Returns the loss, and gradient(0) + gradient(r), r = epsilon g / ||g||.

    gradient(r) is that of the objective with r added to the embedding table, r held constant; g that by the table, of
    the whole batch. Where the papers perturb each text on its own, this moves the table's rows, all texts at once.
    Two passes.

    Args: epsilon: length of r, > 0; 1 is usual.
    Reference: Miyato et al. 2016, https://arxiv.org/abs/1605.07725 ; on the table: https://kexue.fm/archives/7234
    """
    loss, clean = batch.gradient(objective)
    _, moved = batch.gradient(objective, epsilon * direction(clean[batch.table]))
    return loss, added(clean, moved)
