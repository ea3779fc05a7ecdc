"""The params of an encoder, and the encoder made from them."""

from typing import Literal

from pydantic import Field

from shared.backbones.presets import PRESETS
from shared.settings import Section


class BackboneSettings(Section):
    """Which encoder, how large, and how it is regularised."""

    kind: Literal["bert", "roformer"] = Field(description="bert: absolute positions; roformer: rotary positions")
    preset: Literal["tiny", "small", "base"] = Field(description="layers x hidden: 2 x 128, 4 x 312, 12 x 768")
    max_positions: int = Field(512, ge=8, description="rows of the position table of bert, in tokens")
    dropout: float = Field(0.1, ge=0, lt=1, description="on the embeddings and residual branches, while training")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="on the attention probabilities, while training")


def build_backbone(settings: BackboneSettings, vocabulary_size: int, seed: int):
    """Returns the `Backbone` that the settings describe, initialised from scratch.

    Reference: BERT https://arxiv.org/abs/1810.04805 ; RoFormer https://arxiv.org/abs/2104.09864
    """
    from shared.backbones.backbone import Backbone  # importing Keras takes seconds; settings are read without it

    return Backbone(
        vocabulary_size,
        **PRESETS[settings.preset],
        rotary=settings.kind == "roformer",
        max_positions=settings.max_positions,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
        seed=seed,
        name="backbone",
    )
