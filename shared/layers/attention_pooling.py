"""A weighted mean over the real tokens of a sequence; which tokens count is learned."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("baseline_kit")
class AttentionPooling(keras.layers.Layer):
    """sum_i a_i x_i with a = softmax over real tokens of <q, x_i> / sqrt(dim), q a learned query.

    The query starts at zero: then it is the mean over the real tokens.

    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length) bool, True at real tokens.
    Returns: (batch, dim), compute dtype, computed in float32; zeros for a row without any real token.
    Reference: Yang et al. 2016, https://aclanthology.org/N16-1174, whose tokens pass a tanh layer before the query
    """

    def build(self, inputs_shape, padding_mask_shape=None):
        self.query = self.add_weight(name="query", shape=(inputs_shape[-1],), initializer="zeros", autocast=False)

    def call(self, inputs, padding_mask):
        x = ops.cast(inputs, "float32")
        mask = ops.cast(padding_mask, "float32")  # (batch, length)
        query = ops.cast(self.query, "float32")[:, None] * x.shape[-1] ** -0.5  # (dim, 1)
        scores = ops.squeeze(ops.matmul(x, query), -1) - 1e9 * (1.0 - mask)
        weights = ops.softmax(scores) * mask  # (batch, length); the product empties rows without real tokens
        return ops.cast(ops.squeeze(ops.matmul(weights[:, None], x), 1), self.compute_dtype)

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None):
        return (inputs_shape[0], inputs_shape[-1])
