"""Adam whose first steps wait for the variance to be known."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("baseline_kit")
class RAdam(keras.optimizers.Adam):
    """Adam with a rectified rate: an own warm-up.

    With r_inf = 2 / (1 - b_2) - 1 and r_t = r_inf - 2 t b_2^t / (1 - b_2^t), the length of the average of squares, a
    step is Adam's times sqrt((r_t - 4) (r_t - 2) r_inf / ((r_inf - 4) (r_inf - 2) r_t)) from r_t > 4 on. Before, which
    with b_2 = 0.999 are the first four steps, it is that of momentum alone: rate * m / (1 - b_1^t).

    Args: as keras.optimizers.Adam, without amsgrad.
    Reference: Liu et al. 2019, https://arxiv.org/abs/1908.03265, algorithm 2
    """

    def update_step(self, gradient, variable, learning_rate):
        """Moves one variable."""
        dtype = variable.dtype
        step = ops.cast(self.iterations + 1, dtype)
        powers = [ops.power(ops.convert_to_tensor(beta, dtype), step) for beta in (self.beta_1, self.beta_2)]
        final = 2.0 / (1.0 - self.beta_2) - 1.0
        length = final - 2.0 * step * powers[1] / (1.0 - powers[1])
        known = length > 4.0
        safe = ops.where(known, length, final)
        share = (safe - 4.0) * (safe - 2.0) * final / ((final - 4.0) * (final - 2.0) * safe)

        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * (1.0 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1.0 - self.beta_2))
        adaptive = ops.sqrt(share * (1.0 - powers[1])) / (ops.sqrt(v) + self.epsilon)
        rate = ops.cast(learning_rate, dtype) / (1.0 - powers[0])
        self.assign_sub(variable, rate * m * ops.where(known, adaptive, ops.cast(1.0, dtype)))
