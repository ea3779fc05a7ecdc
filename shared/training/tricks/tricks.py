"""Which tricks a run uses, checked against its network and loss before the first step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from shared.errors import UserError
from shared.settings_errors import did_you_mean
from shared.training.loss import Loss
from shared.training.tricks.fgm import fgm
from shared.training.tricks.gradient_penalty import gradient_penalty
from shared.training.tricks.pgd import pgd
from shared.training.tricks.r_drop import r_drop
from shared.training.tricks.rows import Objective, plain
from shared.training.tricks.settings import TricksSettings
from shared.training.tricks.virtual_adversarial import virtual_adversarial
from shared.training.tricks.whole_batch import Gradients, WholeBatch

Adversary = Callable[[WholeBatch, Objective], tuple[Any, Gradients]]


@dataclass(frozen=True)
class Tricks:
    """What is done to a batch in a step. Without arguments: nothing but the gradient of the loss.

    objective: what is made small. adversary: (batch, objective) -> loss and gradient, or None: those of the objective.
    table_name, table: name of the embedding table that the adversary moves, and its number among the trained
        weights; without an adversary they say nothing.
    """

    objective: Objective = plain
    adversary: Adversary | None = None
    table_name: str = ""
    table: int = -1

    def step(self, compute: Callable[..., tuple[Any, Gradients]], key: Any) -> tuple[Any, Gradients]:
        """Returns the loss to report and the gradient to take the step by. Args: as of WholeBatch."""
        batch = WholeBatch(compute, key, self.table)
        return batch.gradient(self.objective) if self.adversary is None else self.adversary(batch, self.objective)


def tricks_of(settings: TricksSettings, network: keras.Model, loss: Loss, recompute: bool = False) -> Tricks:
    """Returns the tricks of a run. Args: recompute: whether blocks are computed again for the gradient.

    Raises: UserError if the network has no such embedding table, the loss no divergence where a trick needs it, or the
        backend no second derivatives with `recompute`.
    """
    name = settings.adversary
    for needs, key in ((settings.r_drop > 0, "r_drop"), (name == "virtual", "adversary: virtual")):
        if needs and loss.divergence is None:
            raise UserError(
                f"train.tricks.{key}: compares two outputs of the network, but the loss of this competition, with "
                "these settings, does not say how far two are apart (Loss.divergence). Switch it off."
            )
    objective = r_drop(settings.r_drop) if settings.r_drop else plain
    if name == "none":
        return Tricks(objective)
    if name == "gradient_penalty" and recompute and keras.config.backend() == "tensorflow":
        raise UserError(
            "train.tricks.adversary: gradient_penalty needs second derivatives, which TensorFlow does not have with "
            "hardware.recompute. Set that to false (and accumulate in smaller batches), or use JAX."
        )
    table = _table(settings.adversary_on, network)
    adversary = _adversary(settings, network.trainable_variables[table].shape)
    return Tricks(objective, adversary, settings.adversary_on, table)


def _adversary(settings: TricksSettings, shape: tuple[int, int]) -> Adversary:
    epsilon = settings.adversary_epsilon
    if settings.adversary == "fgm":
        return partial(fgm, epsilon=epsilon)
    if settings.adversary == "pgd":
        return partial(pgd, epsilon=epsilon, steps=settings.pgd_steps, rate=settings.pgd_rate)
    if settings.adversary == "gradient_penalty":
        return partial(gradient_penalty, epsilon=epsilon)
    weight, start = settings.virtual_weight, settings.virtual_start
    return partial(virtual_adversarial, epsilon=epsilon, weight=weight, start=start, shape=shape)


def _table(name: str, network: keras.Model) -> int:
    """Returns the number of the table among the trained weights. Raises: UserError if there is not just one."""
    place = {id(variable): number for number, variable in enumerate(network.trainable_variables)}
    there: dict[str, list[int]] = {}
    for layer in network._flatten_layers():
        for table, variable in getattr(layer, "tables", {}).items():
            if id(variable) in place:
                there.setdefault(table, []).append(place[id(variable)])
    found = there.get(name, [])
    if len(found) == 1:
        return found[0]
    names = ", ".join(there) or "none"
    if found:
        raise UserError(f"train.tricks.adversary_on: the network has {len(found)} tables '{name}'. Choose of {names}.")
    raise UserError(
        f"train.tricks.adversary_on: the network trains no embedding table '{name}'.{did_you_mean(name, there)} Tables "
        f"there are: {names}."
    )
