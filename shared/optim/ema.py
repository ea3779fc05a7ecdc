"""The bias-corrected exponential moving average of the weights, around any optimizer."""

import math
from typing import Any

from keras import ops

from shared.optim.wrapper import AverageWrapper


class Ema(AverageWrapper):
    """After step t the average is sum_i (1 - a) a^(t-i) theta_i / (1 - a^t), i = 1..t.

    Keras' own `use_ema` starts at theta_1 with full weight and corrects nothing, see `AdamW`.

    Args: momentum: float, a.
    Reference: Kingma & Ba 2014, https://arxiv.org/abs/1412.6980, section 3 (bias correction)
    """

    def __init__(self, inner: Any, momentum: float):
        super().__init__(inner)
        self.momentum = momentum

    def share(self, step: Any) -> Any:
        return ema_share(self.momentum, step)


def ema_share(momentum: float, step: Any) -> Any:
    """Returns (1 - a) / (1 - a^t), () float32, exact for a near 1. Args: momentum: a. step: t, from 1."""
    return (momentum - 1.0) / ops.expm1(ops.cast(step, "float32") * math.log(momentum))
