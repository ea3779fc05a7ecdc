"""The learning rate over a run."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("baseline_kit")
class WarmupLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to `peak` over warmup_steps, then falls linearly to `floor` * peak at total_steps.

    Args: peak: float. warmup_steps, total_steps: int, in optimizer steps. floor: float, share of the peak at the end;
        1 keeps the rate flat after the warm-up.
    Call arguments: step: int, number of steps done. The first step (0) with a warm-up of n uses peak / n, never 0.
    Returns: float32 scalar.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int, floor: float = 0.0):
        self.peak, self.warmup_steps, self.total_steps, self.floor = peak, warmup_steps, total_steps, floor

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rising = (step + 1.0) / max(self.warmup_steps, 1)
        decay_steps = max(self.total_steps - self.warmup_steps, 1)
        done = ops.clip((step - self.warmup_steps) / decay_steps, 0.0, 1.0)
        return self.peak * ops.minimum(rising, 1.0) * (1.0 - (1.0 - self.floor) * done)

    def get_config(self):
        return {
            "peak": self.peak,
            "warmup_steps": self.warmup_steps,
            "total_steps": self.total_steps,
            "floor": self.floor,
        }
