"""The encoder that all competitions share: embeddings and a stack of transformer blocks."""

import keras

from shared.layers.text_embedding import TextEmbedding
from shared.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("baseline_kit")
class Backbone(keras.layers.Layer):
    """A transformer encoder; BERT and RoFormer differ in `rotary` and `max_positions` alone.

    Args:
        vocabulary_size, hidden_dim, num_layers, num_heads, ffn_dim, segment_count: int.
        rotary: bool. True: rotary positions, any length. False: a table of max_positions absolute positions.
        max_positions: int, ignored with rotary.
        activation, dropout, attention_dropout, epsilon, initializer_range, seed: as in TransformerBlock.
    Call arguments: token_ids, segment_ids: (batch, length) int; padding_mask: (batch, length) bool, True at real
        tokens; condition: (batch, condition_dim) float, given to every normalization, or None; extra: (batch, length,
        hidden_dim) float, added to the embeddings, or None; return_sum: bool, for heads with a normalization of their
        own, such as one that follows a condition.
    Returns: (batch, length, hidden_dim), compute dtype; with return_sum also, of the same shape, the sum that the last
        normalization was applied to.
    """

    def __init__(
        self,
        vocabulary_size,
        hidden_dim,
        num_layers,
        num_heads,
        ffn_dim,
        rotary=False,
        max_positions=512,
        segment_count=2,
        activation="gelu",
        dropout=0.1,
        attention_dropout=0.1,
        epsilon=1e-12,
        initializer_range=0.02,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size, self.hidden_dim, self.num_layers = vocabulary_size, hidden_dim, num_layers
        self.num_heads, self.ffn_dim, self.rotary, self.max_positions = num_heads, ffn_dim, rotary, max_positions
        self.segment_count, self.activation, self.dropout = segment_count, activation, dropout
        self.attention_dropout, self.epsilon = attention_dropout, epsilon
        self.initializer_range, self.seed = initializer_range, seed
        self.embedding = TextEmbedding(
            vocabulary_size,
            hidden_dim,
            segment_count,
            max_positions=0 if rotary else max_positions,
            dropout=dropout,
            epsilon=epsilon,
            initializer_range=initializer_range,
            seed=seed,
            name="embedding",
            dtype=self.dtype_policy,
        )
        self.blocks = [
            TransformerBlock(
                num_heads,
                ffn_dim,
                rotary,
                activation,
                dropout,
                attention_dropout,
                epsilon,
                initializer_range,
                seed=None if seed is None else seed + 10 * (index + 1),
                name=f"block_{index}",
                dtype=self.dtype_policy,
            )
            for index in range(num_layers)
        ]

    def build(
        self, token_ids_shape, segment_ids_shape=None, padding_mask_shape=None, condition_shape=None, extra_shape=None
    ):
        self.embedding.build(token_ids_shape, segment_ids_shape, extra_shape, condition_shape)
        for block in self.blocks:
            block.build((*token_ids_shape, self.hidden_dim), padding_mask_shape, condition_shape)

    def call(
        self,
        token_ids,
        segment_ids,
        padding_mask=None,
        condition=None,
        extra=None,
        return_sum=False,
        training=None,
    ):
        x = self.embedding(token_ids, segment_ids, extra, condition, training=training)
        for block in self.blocks[:-1]:
            x = block(x, padding_mask, condition, training=training)
        return self.blocks[-1](x, padding_mask, condition, return_sum=return_sum, training=training)

    def compute_output_spec(self, token_ids, *args, return_sum=False, **kwargs):
        output = keras.KerasTensor((*token_ids.shape, self.hidden_dim), self.compute_dtype)
        return (output, keras.KerasTensor(output.shape, output.dtype)) if return_sum else output

    def get_config(self):
        own = (
            "vocabulary_size",
            "hidden_dim",
            "num_layers",
            "num_heads",
            "ffn_dim",
            "rotary",
            "max_positions",
            "segment_count",
            "activation",
            "dropout",
            "attention_dropout",
            "epsilon",
            "initializer_range",
            "seed",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
