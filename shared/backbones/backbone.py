"""The encoder that all competitions share: embeddings and a stack of transformer blocks."""

import keras
from keras import ops

from shared.backbones.architecture import Architecture
from shared.layers.draws import current, drawing, drawing_part
from shared.layers.text_embedding import TextEmbedding
from shared.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable("baseline_kit")
class Backbone(keras.layers.Layer):
    """A transformer encoder of any published architecture.

    Args:
        architecture: Architecture, or the same as a dict. vocabulary_size: int.
        dropout, attention_dropout: as in TransformerBlock. hierarchical_alpha: as in TextEmbedding.
        seed: int or None, of the first weights and of dropout. last_layers: int; what comes out is the mean of what so
        many last layers give.
    Attribute recompute: bool, False at first. Whether training keeps only the input of each block and computes the rest
        a second time for the gradient (gradient checkpointing, Chen et al. 2016, https://arxiv.org/abs/1604.06174).
    Call arguments: token_ids, segment_ids: (batch, length) int; padding_mask: (batch, length) bool, True at real
        tokens; condition: (batch, condition_dim) float, given to every normalization, or None; extra: (batch, length,
        embedding_width) float, added to the embeddings, or None; return_sum: bool, for heads with a normalization of
        their own, such as one that follows a condition.
    Returns: (batch, length, hidden_dim), compute dtype; with return_sum also, of the same shape, the sum that the last
        normalization of the last layer was applied to.
    """

    def __init__(
        self,
        architecture,
        vocabulary_size,
        dropout=0.1,
        attention_dropout=0.1,
        hierarchical_alpha=0.0,
        seed=None,
        last_layers=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        this = self.architecture = Architecture.model_validate(architecture)
        self.vocabulary_size, self.dropout, self.attention_dropout = vocabulary_size, dropout, attention_dropout
        self.hierarchical_alpha, self.seed, self.last_layers = hierarchical_alpha, seed, last_layers
        self.recompute = False
        self.embedding = TextEmbedding(
            vocabulary_size,
            this.hidden_dim,
            this.segment_count,
            max_positions=this.max_positions if this.position == "absolute" else 0,
            dropout=dropout,
            epsilon=this.epsilon,
            initializer_range=this.initializer_range,
            seed=seed,
            embedding_dim=this.embedding_dim,
            projection=this.projection,
            rms=this.norm == "rms",
            hierarchical_alpha=hierarchical_alpha,
            name="embedding",
            dtype=self.dtype_policy,
        )
        self.blocks = [
            TransformerBlock(
                this.num_heads,
                this.ffn_dim,
                this.position,
                this.relative_range,
                this.bias,
                this.norm == "rms",
                this.activation,
                dropout,
                attention_dropout,
                this.epsilon,
                this.initializer_range,
                seed=None if seed is None else seed + 10 * (index + 1),
                name=f"block_{index}",
                dtype=self.dtype_policy,
            )
            for index in range(this.num_groups or this.num_layers)
        ]

    @property
    def hidden_dim(self):
        """Width of the vectors that come out."""
        return self.architecture.hidden_dim

    @property
    def embedding_width(self):
        """Width of `extra`."""
        return self.embedding.width

    @property
    def block_order(self):
        """The blocks in the order in which a token passes them; shared ones stand there several times."""
        repeats = self.architecture.num_layers // len(self.blocks)
        return [block for block in self.blocks for _ in range(repeats)]

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
        *lower, top = enumerate(self.block_order)
        layers = []
        for part, block in lower:
            x = self._apply(part, block, x, padding_mask, condition, False, training)
            layers.append(x)
        result = self._apply(*top, x, padding_mask, condition, return_sum, training)
        if self.last_layers == 1:
            return result
        x, *total = result if return_sum else [result]
        mean = self._mean([*layers, x][-self.last_layers :])
        return (mean, *total) if return_sum else mean

    @staticmethod
    def _mean(layers):
        mean = sum(ops.cast(one, "float32") for one in layers) / len(layers)
        return ops.cast(mean, layers[0].dtype)

    def _apply(self, part, block, x, padding_mask, condition, return_sum, training):
        """Returns block(x); with `recompute`, what it holds is computed again when the gradient needs it."""

        draws = current()  # when the gradient asks for the block once more, nothing may be in force any more

        def apply(x, *rest):
            with drawing(draws), drawing_part(part):
                return block(x, padding_mask, *rest, return_sum=return_sum, training=training)

        rest = () if condition is None else (condition,)  # an argument: recomputation has no gradient by a closure
        return keras.remat(apply)(x, *rest) if self.recompute and training else apply(x, *rest)

    def compute_output_spec(self, token_ids, *args, return_sum=False, **kwargs):
        output = keras.KerasTensor((*token_ids.shape, self.hidden_dim), self.compute_dtype)
        return (output, keras.KerasTensor(output.shape, output.dtype)) if return_sum else output

    def get_config(self):
        own = ("vocabulary_size", "dropout", "attention_dropout", "hierarchical_alpha", "seed", "last_layers")
        architecture = {"architecture": self.architecture.model_dump(mode="json")}
        return {**super().get_config(), **architecture, **{name: getattr(self, name) for name in own}}
