"""One post-norm transformer encoder block, every normalization of it conditional on demand."""

import keras
from keras import ops

from shared.layers.conditional_layer_normalization import ConditionalLayerNormalization
from shared.layers.dense import dense
from shared.layers.dropout import Dropout
from shared.layers.fused import dense_gelu, fuses
from shared.layers.gelu import gelu
from shared.layers.self_attention import SelfAttention


@keras.saving.register_keras_serializable("baseline_kit")
class TransformerBlock(keras.layers.Layer):
    """x = norm(x + attention(x)); x = norm(x + ffn(x)), as in BERT.

    Args:
        num_heads: int. ffn_dim: int, width of the feed-forward layer.
        position, relative_range, bias: as in SelfAttention; bias also of the feed-forward layers.
        rms: bool, of the normalizations, see ConditionalLayerNormalization.
        activation: str, of the feed-forward layer: gelu (the exact one, erf) | gelu_tanh | relu | silu.
        dropout: float in [0, 1), on both residual branches. attention_dropout: the same, on attention probabilities.
        epsilon: float, of the normalizations. initializer_range: float, standard deviation of the start.
        seed: int or None, of dropout and start.
    Call arguments: inputs: (batch, length, dim) float; padding_mask: (batch, length) bool or None; condition:
        (batch, condition_dim) float or None, given to both normalizations; return_sum: bool.
    Returns: (batch, length, dim), compute dtype; with return_sum also, of the same shape, the sum x + ffn(x) before the
        last normalization. The mask of `inputs` passes through.
    Reference: Devlin et al. 2018, https://arxiv.org/abs/1810.04805
    """

    def __init__(
        self,
        num_heads,
        ffn_dim,
        position="absolute",
        relative_range=64,
        bias=True,
        rms=False,
        activation="gelu",
        dropout=0.1,
        attention_dropout=0.1,
        epsilon=1e-12,
        initializer_range=0.02,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_heads, self.ffn_dim, self.position, self.relative_range = num_heads, ffn_dim, position, relative_range
        self.bias, self.rms, self.activation = bias, rms, activation
        self.dropout, self.attention_dropout, self.epsilon = dropout, attention_dropout, epsilon
        self.initializer_range, self.seed = initializer_range, seed
        self.supports_masking = True
        policy = self.dtype_policy
        self.attention = SelfAttention(
            num_heads,
            position,
            relative_range,
            bias,
            attention_dropout,
            initializer_range,
            self._seed(0),
            name="attention",
            dtype=policy,
        )
        self.attention_drop = Dropout(dropout, seed=self._seed(1), name="attention_dropout", dtype=policy)
        self.attention_norm = ConditionalLayerNormalization(epsilon, rms, name="attention_norm", dtype=policy)
        self.expand = keras.layers.Dense(
            ffn_dim, use_bias=bias, kernel_initializer=self._start(2), name="ffn_expand", dtype=policy
        )
        self.activate = activation_function(activation)
        self.ffn_drop = Dropout(dropout, seed=self._seed(3), name="ffn_dropout", dtype=policy)
        self.ffn_norm = ConditionalLayerNormalization(epsilon, rms, name="ffn_norm", dtype=policy)

    def build(self, inputs_shape, padding_mask_shape=None, condition_shape=None):
        self.attention.build(inputs_shape)
        self.attention_norm.build(inputs_shape, condition_shape)
        self.expand.build(inputs_shape)
        self.reduce = keras.layers.Dense(
            inputs_shape[-1],
            use_bias=self.bias,
            kernel_initializer=self._start(4),
            name="ffn_reduce",
            dtype=self.dtype_policy,
        )
        self.reduce.build((*inputs_shape[:-1], self.ffn_dim))
        self.ffn_norm.build(inputs_shape, condition_shape)

    def call(self, inputs, padding_mask=None, condition=None, return_sum=False, training=None):
        x = self.attention_drop(self.attention(inputs, padding_mask, training=training), training=training)
        x = self.attention_norm(inputs + x, condition)
        y = self.ffn_drop(dense(self._expanded(x, training), self.reduce.kernel, self.reduce.bias), training=training)
        total = x + y
        normalized = self.ffn_norm(total, condition)
        return (normalized, total) if return_sum else normalized

    def _expanded(self, x, training):
        """Returns activation(x W + b), (batch, length, ffn_dim)."""
        kernel, bias = self.expand.kernel, self.expand.bias
        if self.activation == "gelu" and self.bias and fuses(training):
            return dense_gelu(x, kernel, bias)
        return self.activate(dense(x, kernel, bias))

    def compute_output_shape(self, inputs_shape, padding_mask_shape=None, condition_shape=None):
        return inputs_shape

    def get_config(self):
        own = (
            "num_heads",
            "ffn_dim",
            "position",
            "relative_range",
            "bias",
            "rms",
            "activation",
            "dropout",
            "attention_dropout",
            "epsilon",
            "initializer_range",
            "seed",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _seed(self, index):
        return None if self.seed is None else self.seed + index

    def _start(self, index):
        return keras.initializers.TruncatedNormal(stddev=self.initializer_range, seed=self._seed(index))


def activation_function(name):
    """Returns an activation, computed in float32; gelu_tanh is gelu's tanh approximation, in checkpoints gelu_new."""
    if name == "gelu":
        return gelu
    function = keras.activations.get("gelu" if name == "gelu_tanh" else name)
    options = {"approximate": True} if name == "gelu_tanh" else {}
    return lambda x: ops.cast(function(ops.cast(x, "float32"), **options), x.dtype)
