"""The params of an encoder, and the encoder made from them."""

from typing import Any, Literal

from pydantic import Field, model_validator

from shared.backbones.architecture import KINDS, Architecture, Kind
from shared.backbones.presets import PRESETS
from shared.settings import Section

FROM_SCRATCH: Kind = "roformer"  # what `kind: auto` means without pretrained weights


class BackboneSettings(Section):
    """Which encoder, how large, and how it is regularised."""

    pretrained: str | None = Field(None, description="folder of a published checkpoint; empty: weights from scratch")
    kind: Literal["auto", Kind] = Field(
        "auto", description="family; auto: what the checkpoint is, roformer from scratch. A wrong name is an error"
    )
    preset: Literal["tiny", "small", "base"] = Field(
        "tiny", description="layers x hidden: 2 x 128, 4 x 312, 12 x 768; of no effect with pretrained"
    )
    architecture: Architecture | None = Field(
        None, description="sizes of your own instead of kind and preset; with pretrained it is read from the checkpoint"
    )
    ignore_tensors: tuple[str, ...] = Field(
        (), description="tensors of the checkpoint that may be left out, as patterns: 'classifier.*'"
    )
    max_positions: int = Field(512, ge=8, description="rows of a new position table, in tokens")
    hierarchical_alpha: float = Field(
        0.0, ge=0, lt=1, description="absolute positions beyond the table, to its square: 0.4 is usual; 0: off"
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="on the embeddings and residual branches, while training")
    attention_dropout: float = Field(0.0, ge=0, lt=1, description="on the attention probabilities, while training")

    @model_validator(mode="after")
    def _alpha_tells_levels_apart(self) -> "BackboneSettings":
        if self.hierarchical_alpha == 0.5:
            raise ValueError("hierarchical_alpha=0.5 gives place i * n + j what j * n + i has; take 0.4")
        return self

    @property
    def sizes(self) -> Architecture | None:
        """The architecture, or None as long as a checkpoint has still to be asked."""
        if self.architecture or self.pretrained:
            return self.architecture
        kind = FROM_SCRATCH if self.kind == "auto" else self.kind
        sizes = {"kind": kind, "max_positions": self.max_positions, **PRESETS[self.preset], **KINDS[kind]}
        return Architecture.model_validate(sizes)

    @property
    def max_length(self) -> int | None:
        """Tokens that the encoder can take; None: any number, or a checkpoint has still to be asked."""
        sizes = self.sizes
        if sizes is None or sizes.position != "absolute":
            return None
        return sizes.max_positions**2 if self.hierarchical_alpha else sizes.max_positions

    def require_layers(self, count: int, key: str) -> None:
        """Raises: ValueError if there are fewer layers; `key` names the setting that asks for them."""
        if self.sizes is not None and count > self.sizes.num_layers:
            raise ValueError(
                f"{key}, but the backbone has {self.sizes.num_layers} layers; take at most {self.sizes.num_layers}"
            )

    def require_length(self, length: int, key: str) -> None:
        """Raises: ValueError if sequences of so many tokens do not fit; `key` names the setting that asks for them."""
        if self.max_length is not None and length > self.max_length:
            raise ValueError(
                f"{key} needs {length} positions, the backbone has {self.max_length}; shorten it, set "
                "model.backbone.hierarchical_alpha: 0.4, or take rotary positions (kind: roformer)"
            )


def last_layers_field() -> Any:
    """Returns the field `last_layers` of a competition's section `model`."""
    return Field(1, ge=1, description="the head reads the mean of what so many last layers give")


def build_backbone(settings: BackboneSettings, vocabulary_size: int, seed: int, last_layers: int = 1):
    """Returns the `Backbone` that the settings describe, initialised from scratch.

    Args: last_layers: of so many the mean comes out.
    Raises: ValueError if they name a checkpoint whose architecture nobody has read; see `shared.pretrained.settings`.
    """
    from shared.backbones.backbone import Backbone  # importing Keras takes seconds; settings are read without it

    if settings.sizes is None:
        raise ValueError(f"the architecture of {settings.pretrained} is not known yet.")
    return Backbone(
        settings.sizes,
        vocabulary_size,
        dropout=settings.dropout,
        attention_dropout=settings.attention_dropout,
        hierarchical_alpha=settings.hierarchical_alpha,
        seed=seed,
        last_layers=last_layers,
        name="backbone",
    )
