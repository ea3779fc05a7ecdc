"""The params of what is done to the loss and its gradient in each step."""

from typing import Literal

from pydantic import Field

from shared.backbones.settings import BackboneSettings
from shared.settings import Section


class TricksSettings(Section):
    """Tricks of training, all off. An adversary and r_drop go together: the adversary then works on the loss of r_drop.

    docs/tricks.md tells what they are, what they gained and what they cost.
    """

    adversary: Literal["none", "fgm", "pgd", "gradient_penalty", "virtual"] = Field(
        "none", description="what makes an embedding table robust, see shared/training/tricks/"
    )
    adversary_epsilon: float = Field(
        1.0, gt=0, description="length of the offset of the whole table; factor of the penalty with gradient_penalty"
    )
    adversary_on: str = Field(
        "token_embedding", description="table: token_embedding, segment_embedding or position_embedding"
    )
    pgd_steps: int = Field(3, ge=1, le=20, description="steps up the loss, each a pass through the network")
    pgd_rate: float = Field(0.3, gt=0, description="length of such a step; adversary_epsilon bounds their sum")
    virtual_start: float = Field(
        0.1, gt=0, description="length of each row of the random offset from which the worst direction is found"
    )
    virtual_weight: float = Field(1.0, gt=0, description="of the divergence, beside the loss")
    r_drop: float = Field(
        0.0, ge=0, description="weight of the divergence of two passes with different dropout; 0: off, one pass"
    )

    def require_dropout(self, backbone: BackboneSettings) -> None:
        """Raises: ValueError if r_drop compares passes that nothing makes different."""
        if self.r_drop and not backbone.dropout and not backbone.attention_dropout:
            raise ValueError(
                f"train.tricks.r_drop={self.r_drop:g} compares two passes with different dropout, but there is none; "
                "raise model.backbone.dropout above 0, or set r_drop: 0"
            )
