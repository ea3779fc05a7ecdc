"""Mean over the real tokens of a sequence."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("baseline_kit")
class MaskedMeanPooling(keras.layers.Layer):
    """Averages the vectors at real tokens; padding does not count.

    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length) bool, True at real tokens.
    Returns: (batch, dim), compute dtype, summed in float32; zeros for a row without any real token.
    """

    def call(self, inputs, padding_mask):
        weights = ops.expand_dims(ops.cast(padding_mask, "float32"), 1)  # (batch, 1, length)
        total = ops.squeeze(ops.matmul(weights, ops.cast(inputs, "float32")), 1)  # (batch, dim)
        return ops.cast(total / ops.maximum(ops.sum(weights, axis=-1), 1.0), self.compute_dtype)

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return (inputs_shape[0], inputs_shape[-1])
