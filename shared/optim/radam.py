"""Adam whose first steps wait for the variance to be known."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable("baseline_kit")
class RAdam(keras.optimizers.Adam):
    """Adam with a rectified rate: a warm-up of its own.

    With rho_inf = 2 / (1 - b_2) - 1 and rho_t = rho_inf - 2 t b_2^t / (1 - b_2^t), the length of the average of
    squares, a step is Adam's times sqrt((rho_t - 4) (rho_t - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho_t)) where
    rho_t > 4. Before, which with b_2 = 0.999 are the first four steps, it is that of momentum alone: rate * m / (1 -
    b_1^t).

    Args: as keras.optimizers.Adam. Raises: ValueError if amsgrad is asked for, for which this is not defined.
    Reference: Liu et al. 2019, https://arxiv.org/abs/1908.03265, algorithm 2
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError("RAdam has no amsgrad.")

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        # 1 - b^t by expm1 of exact logarithms: rho_t is a small difference of large numbers
        corrections = [-ops.expm1(step * ops.convert_to_tensor(math.log(b), dtype)) for b in (self.beta_1, self.beta_2)]
        rho_inf = 2.0 / (1.0 - self.beta_2) - 1.0
        rho_t = rho_inf - 2.0 * step * (1.0 / corrections[1] - 1.0)
        rectified = rho_t > 4.0
        rho_t = ops.where(rectified, rho_t, ops.cast(rho_inf, dtype))
        rectification = (rho_t - 4.0) * (rho_t - 2.0) * rho_inf / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho_t)

        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        adaptive = ops.sqrt(rectification * corrections[1]) / (ops.sqrt(v) + self.epsilon)
        rate = ops.cast(learning_rate, dtype) / corrections[0]
        self.assign_sub(variable, rate * m * ops.where(rectified, adaptive, ops.cast(1.0, dtype)))
