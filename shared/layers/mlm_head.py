"""The output layer of masked language models: hidden vectors into scores over the vocabulary."""

from typing import Any

import keras
from keras import ops

from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from shared.layers.transformer_block import activation_function


@keras.saving.register_keras_serializable("baseline_kit")
class MlmHead(keras.layers.Layer):
    """logits = norm(activation(x W + b)) T' + c, where T is the table of token embeddings that the encoder reads with.

    T belongs to the encoder and is given with each call, so that there is one of it, in memory and in gradients. With
    plain=True, as RoFormerV2 was published, logits = x T' and the layer has no weights.

    Args:
        vocabulary_size: int, rows of T. width: int, columns of W: those of T, or of its projection.
        activation: str, as in TransformerBlock. plain: bool. epsilon: float, of the normalization.
        initializer_range: float, standard deviation of the first weights. seed: int or None, of the same.
    Call arguments: inputs: (batch, length, dim) float; table: T, (vocabulary_size, embedding_dim) float; projection:
        (embedding_dim, width) float, or None. With a projection P the scores are those of the table T P, as in
        brightmart's albert_zh: (y P') T', which never makes the product.
    Returns: (batch, length, vocabulary_size), compute dtype. The mask of `inputs` passes through.
    Reference: Devlin et al. 2018, https://arxiv.org/abs/1810.04805 ; the tied table: Press and Wolf 2016,
        https://arxiv.org/abs/1608.05859
    """

    def __init__(
        self,
        vocabulary_size,
        width,
        activation="gelu",
        plain=False,
        epsilon=1e-12,
        initializer_range=0.02,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size, self.width, self.activation, self.plain = vocabulary_size, width, activation, plain
        self.epsilon, self.initializer_range, self.seed = epsilon, initializer_range, seed
        self.supports_masking = True
        self.activate = activation_function(activation)
        self.dense: Any = None
        self.norm: Any = None
        self.bias: Any = None
        if not plain:
            start = keras.initializers.TruncatedNormal(stddev=initializer_range, seed=seed)
            self.dense = keras.layers.Dense(width, kernel_initializer=start, name="dense", dtype=self.dtype_policy)
            self.norm = ConditionalLayerNormalization(epsilon, name="norm", dtype=self.dtype_policy)

    def build(self, inputs_shape, table_shape=None, projection_shape=None):
        if self.plain:
            return
        self.dense.build(inputs_shape)
        self.norm.build((*inputs_shape[:-1], self.width))
        self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer="zeros")

    def call(self, inputs, table, projection=None):
        x = inputs
        if not self.plain:
            # In float32 for the reason that TransformerBlock gives.
            x = ops.cast(self.activate(ops.cast(self.dense(x), "float32")), self.compute_dtype)
            x = self.norm(x)  # (batch, length, width)
        if projection is not None:
            x = ops.matmul(x, ops.transpose(ops.cast(projection, x.dtype)))  # (batch, length, embedding_dim)
        logits = ops.matmul(x, ops.transpose(ops.cast(table, x.dtype)))
        return logits if self.plain else logits + self.bias

    def compute_output_shape(self, inputs_shape, table_shape=None, projection_shape=None):
        return (*inputs_shape[:-1], self.vocabulary_size)

    def get_config(self):
        own = ("vocabulary_size", "width", "activation", "plain", "epsilon", "initializer_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
