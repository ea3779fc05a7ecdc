"""The optimizer of a run, made from its params."""

from collections.abc import Callable
from typing import Any

import keras

from shared.errors import UserError
from shared.optim.adamw import AdamW, exclude_from_decay
from shared.optim.ema import Ema
from shared.optim.layer_adaptation import LayerAdaptation
from shared.optim.layer_decay import LayerDecay
from shared.optim.lazy import Lazy
from shared.optim.lookahead import Lookahead
from shared.optim.piecewise import Piecewise, factor
from shared.optim.radam import RAdam
from shared.optim.rates import Rates
from shared.optim.schedule import WarmupLinearDecay
from shared.optim.swa import Swa
from shared.optim.weight_decay import WeightDecay
from shared.optim.wrapper import Optimizer
from shared.training.settings import TrainSettings

_OTHERS = {
    "radam": RAdam,
    "sgd": keras.optimizers.SGD,
    "lion": keras.optimizers.Lion,
    "rmsprop": keras.optimizers.RMSprop,
    "adafactor": keras.optimizers.Adafactor,
}
# Where row and column of a gradient are 0, Adafactor divides by the root of epsilon_1 squared: with the usual 1e-30
# that is 0 in float32, and the weight is lost.
_EPSILON_1 = 1e-18


def build_optimizer(train: TrainSettings, schedule: WarmupLinearDecay, variables: list) -> Optimizer:
    """Returns the optimizer for these weights, built: the kind, around it what `wrap` names, outermost the average.

    Raises: UserError if an option names weights that are not there, or leaves swa nothing to average.
    """
    settings = train.optimizer
    wrapped = "weight_decay" in settings.wrap
    inside = not settings.wrap and settings.kind in ("adamw", "adam")  # AdamW averages in the same pass
    decay = 0.0 if wrapped else train.weight_decay
    innermost = _innermost(train, schedule, decay, train.ema_momentum if inside else 0.0)
    if decay:
        innermost.exclude_from_weight_decay(var_list=exclude_from_decay(variables))
    optimizer: Any = innermost
    for name in settings.wrap:
        optimizer = _wrapper(name, train, schedule.total_steps)(optimizer)
    if train.ema_momentum and not inside:
        optimizer = Ema(optimizer, train.ema_momentum)
    optimizer.build(variables)
    return optimizer


def learning_rate(train: TrainSettings, schedule: WarmupLinearDecay, step: int) -> float:
    """Returns the learning rate of the step with this number, from 0, with the factor of `piecewise`."""
    rate = float(keras.ops.convert_to_numpy(schedule(step)))
    if "piecewise" not in train.optimizer.wrap:
        return rate
    return rate * float(keras.ops.convert_to_numpy(factor(train.optimizer.piecewise_points, step + 1)))


def _innermost(train: TrainSettings, schedule: WarmupLinearDecay, decay: float, momentum: float) -> Any:
    kind = train.optimizer.kind
    if kind in ("adamw", "adam"):
        return AdamW(
            schedule, weight_decay=decay, use_ema=momentum > 0, ema_momentum=momentum or 0.99, epsilon=1e-6
        )  # fmt: skip
    options = {
        "radam": {"epsilon": 1e-6},
        "sgd": {"momentum": train.optimizer.sgd_momentum},
        "adafactor": {"epsilon_1": _EPSILON_1},
    }
    return _OTHERS[kind](schedule, weight_decay=decay or None, **options.get(kind, {}))


def _wrapper(name: str, train: TrainSettings, total_steps: int) -> Callable[[Any], Any]:
    settings = train.optimizer
    if name == "swa":
        start = max(round(settings.swa_start * total_steps), 1)
        if start + settings.swa_every > total_steps and settings.swa_every > 1:
            raise UserError(
                f"train.optimizer.swa_every is {settings.swa_every}, but only {total_steps - start} steps come after "
                f"the first weights averaged. Lower it, or swa_start."
            )
        return lambda inner: Swa(inner, start, settings.swa_every)
    made: dict[str, Callable[[Any], Any]] = {
        "weight_decay": lambda inner: WeightDecay(inner, train.weight_decay),
        "layer_adaptation": LayerAdaptation,
        "piecewise": lambda inner: Piecewise(inner, settings.piecewise_points),
        "lookahead": lambda inner: Lookahead(inner, settings.lookahead_steps, settings.lookahead_share),
        "lazy": lambda inner: Lazy(inner, settings.lazy_names),
        "layer_decay": lambda inner: LayerDecay(inner, settings.layer_decay_rate),
        "rates": lambda inner: Rates(inner, settings.rate_factors),
    }
    return made[name]
