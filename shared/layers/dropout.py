"""Dropout whose draws follow the step and the row, not the device, the micro-batch or how often it was called."""

import zlib

import keras
from keras import ops

from shared.layers.draws import Draws, current, random_bits, step_key


@keras.saving.register_keras_serializable("baseline_kit")
class Dropout(keras.layers.Layer):
    """Sets a share of the numbers to zero in training and scales up the others.

    Under `shared.layers.draws.drawing`, as in the kit's own training steps, the draws are a function of the key in
    force, this layer's seed and the row's place in the whole batch. Elsewhere, as in Keras' own `fit`, every call draws
    anew. The rate is kept to within 1 / 65536.

    Args: rate: float in [0, 1). seed: int or None. Layers with equal seeds draw equal numbers.
    Call arguments: inputs: (batch, ..., dim) float, dim static. training: bool or None.
    Returns: the same shape, compute dtype. The mask of `inputs` passes through.
    Raises: ValueError if the rate is not in [0, 1).
    Reference: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"rate must be in [0, 1), got {rate}.")
        self.rate, self.seed = rate, seed
        self.supports_masking = True
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, inputs_shape):
        pass

    def call(self, inputs, training=None):
        multiplier = self.multiplier((*ops.shape(inputs)[:-1], inputs.shape[-1]), inputs.dtype, training)
        return inputs if multiplier is None else inputs * multiplier

    def multiplier(self, shape, dtype, training):
        """Returns what inputs of this shape and dtype are multiplied by, 0 or 1 / (1 - rate); None: by nothing."""
        threshold = min(round(self.rate * 65536), 65535)
        if not training or not threshold:
            return None
        draws = current()
        if draws is None:
            state = self.seed_generator.next()
            draws = Draws(step_key(state[0], state[1]))
        salt = zlib.crc32((self.path or self.name).encode()) if self.seed is None else self.seed
        zero, scale = (ops.cast(value, dtype) for value in (0.0, 65536 / (65536 - threshold)))
        return ops.where(random_bits(draws, salt, shape) < ops.cast(threshold, "uint16"), zero, scale)

    def compute_output_shape(self, inputs_shape):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
