"""Virtual adversarial training: the answer should stay as it is when the embedding table moves, right or wrong."""

from typing import Any

from keras import ops, tree

from shared.layers.draws import Draws, random_bits
from shared.training.tricks.rows import Objective, Rows
from shared.training.tricks.whole_batch import Gradients, WholeBatch, direction

_SALT = 0x7A7  # tells the noise from dropout


def virtual_adversarial(
    batch: WholeBatch, objective: Objective, epsilon: float, weight: float, start: float, shape: tuple[int, int]
) -> tuple[Any, Gradients]:
    """Returns the loss, and the gradient of objective + weight D(r).

    D(r) is the divergence, as the task defines it, of the clean outputs and those with r added to the embedding table;
    neither the clean outputs nor r pass a gradient on. r = epsilon d / ||d||, d the gradient of D by the table at a
    random offset: one step of the power iteration for the direction in which D grows fastest. Two passes of two
    forward computations each, with the same dropout in all of them.

    D is the symmetrical Kullback-Leibler divergence, where the paper has KL(clean || moved); for small r they agree to
    second order. r moves the table's rows, all texts at once, where the paper perturbs each input on its own.

    Args: epsilon: length of r; start: mean length of a row of the random offset; > 0. shape: of the table.
    Reference: Miyato et al. 2017, https://arxiv.org/abs/1704.03976 ; on the table: https://kexue.fm/archives/7466
    """

    def divergence(rows: Rows, offset: Any) -> tuple[Any, Any]:
        clean = tree.map_structure(ops.stop_gradient, rows.outputs())
        value = rows.divergence(clean, rows.outputs(offset))
        return value, value

    def both(rows: Rows, offset: Any) -> tuple[Any, Any]:
        value, loss = objective(rows, None)
        return value + weight * divergence(rows, offset)[0], loss

    noise = start * _noise(batch.key, shape)
    return batch.gradient(both, epsilon * direction(batch.table_gradient(divergence, noise)))


def _noise(key: Any, shape: tuple[int, int]) -> Any:
    """Returns evenly distributed random numbers around 0; the mean square of a row's length is 1. float32."""
    bits = ops.cast(random_bits(Draws(key), _SALT, shape), "float32")
    return (bits / 32767.5 - 1.0) * (3.0 / shape[1]) ** 0.5
