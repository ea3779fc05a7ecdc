"""Layer normalization whose scale and shift may follow a condition vector."""

import keras
from keras import ops

from shared.layers.fused import fuses, standardized


@keras.saving.register_keras_serializable("baseline_kit")
class ConditionalLayerNormalization(keras.layers.Layer):
    """Layer normalization whose scale and shift follow a condition vector.

    y = (gamma + c W_g) * (x - mean(x)) / sqrt(var(x) + epsilon) + (beta + c W_b), over the last axis of x.
    W_g and W_b start at zero, so a pretrained encoder is unchanged before the first update. Without a condition this is
    plain layer normalization and has no W_g, W_b.

    Args:
        epsilon: float. Added to the variance; 1e-12 matches BERT checkpoints.
        rms: bool. True: x / sqrt(mean(x^2) + epsilon), without mean, gamma and beta, as in RoFormerV2; a condition
            then gives (1 + c W_g) and c W_b.
    Call arguments: inputs: (batch, length, dim) float; condition: (batch, condition_dim) float, or None. Statistics are
        computed in float32.
    Returns: (batch, length, dim), compute dtype. The mask of `inputs` passes through.
    Raises: ValueError if `condition` is not of rank 2, or absent where the layer was built with one, or vice versa.
    Reference: Su Jianlin, https://kexue.fm/archives/7124 ; rms: Zhang and Sennrich 2019,
        https://arxiv.org/abs/1910.07467 , without gain: https://kexue.fm/archives/8998
    """

    def __init__(self, epsilon: float = 1e-12, rms: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon, self.rms = epsilon, rms
        self.supports_masking = True
        self.gamma = self.beta = self.gamma_kernel = self.beta_kernel = None

    def build(self, inputs_shape, condition_shape=None):
        dim = inputs_shape[-1]
        if not self.rms:
            self.gamma = self._weight("gamma", (dim,), "ones")
            self.beta = self._weight("beta", (dim,), "zeros")
        if condition_shape is not None:
            _require_rank_2(condition_shape)
            self.gamma_kernel = self._weight("gamma_kernel", (condition_shape[-1], dim), "zeros")
            self.beta_kernel = self._weight("beta_kernel", (condition_shape[-1], dim), "zeros")

    def _weight(self, name, shape, start):
        """Adds a weight that mixed precision does not round before it meets the float32 statistics."""
        return self.add_weight(name=name, shape=shape, initializer=start, autocast=False)

    def call(self, inputs, condition=None, training=None):
        if (condition is None) != (self.gamma_kernel is None):
            built = "without" if self.gamma_kernel is None else "with"
            raise ValueError(f"{self.name} was built {built} a condition; call it the same way.")
        if condition is None and not self.rms and fuses(training):
            gamma, beta = (ops.cast(w, self.compute_dtype) for w in (self.gamma, self.beta))
            return standardized(ops.cast(inputs, self.compute_dtype), self.epsilon, gamma, beta)
        gamma, beta = (1.0, 0.0) if self.rms else (ops.cast(w, "float32") for w in (self.gamma, self.beta))  # (dim,)
        if condition is not None:
            _require_rank_2(condition.shape)
            condition = ops.expand_dims(ops.cast(condition, "float32"), 1)  # (batch, 1, condition_dim)
            gamma = gamma + ops.matmul(condition, ops.cast(self.gamma_kernel, "float32"))  # (batch, 1, dim)
            beta = beta + ops.matmul(condition, ops.cast(self.beta_kernel, "float32"))
        if not self.rms and fuses(training):
            x = standardized(ops.cast(inputs, self.compute_dtype), self.epsilon)
            return x * ops.cast(gamma, x.dtype) + ops.cast(beta, x.dtype)
        x = ops.cast(inputs, "float32")
        if not self.rms:
            x = x - ops.mean(x, axis=-1, keepdims=True)
        variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
        return ops.cast(x * (ops.rsqrt(variance + self.epsilon) * gamma) + beta, self.compute_dtype)

    def compute_output_shape(self, inputs_shape, condition_shape=None):
        return inputs_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "rms": self.rms}


def _require_rank_2(shape) -> None:
    if len(shape) != 2:
        raise ValueError(f"condition must have shape (batch, condition_dim), got {tuple(shape)}.")
