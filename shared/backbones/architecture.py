"""What distinguishes one encoder from another, as data: one block serves every published architecture."""

from typing import Literal

from pydantic import Field, model_validator

from shared.settings import Section

Kind = Literal["bert", "wobert", "electra", "albert", "nezha", "roformer", "roformer_v2"]


class Architecture(Section):
    """Sizes and variants of an encoder. Two kinds with equal fields compute the same.

    Reference: BERT https://arxiv.org/abs/1810.04805 ; ELECTRA https://arxiv.org/abs/2003.10555 ; ALBERT
    https://arxiv.org/abs/1909.11942 ; NEZHA https://arxiv.org/abs/1909.00204 ; RoFormer
    https://arxiv.org/abs/2104.09864 ; RoFormerV2 https://kexue.fm/archives/8998 ; WoBERT
    https://kexue.fm/archives/7758
    """

    kind: Kind = Field(description="family; names the published tensors")
    num_layers: int = Field(ge=1, description="blocks that a token passes")
    hidden_dim: int = Field(ge=2, description="width of a token's vector")
    num_heads: int = Field(ge=1, description="attention heads; divide hidden_dim")
    ffn_dim: int = Field(ge=1, description="width inside the feed-forward layers")
    embedding_dim: int | None = Field(
        None, ge=1, description="width of the embeddings; empty: hidden_dim, no projection"
    )
    projection: Literal["after", "before"] = Field(
        "after",
        description="embeddings are widened to hidden_dim after, with bias, or before positions and norm, without",
    )
    position: Literal["absolute", "rotary", "relative"] = Field("absolute", description="how order is told")
    max_positions: int = Field(512, ge=1, description="rows of the table of absolute positions")
    relative_range: int = Field(64, ge=1, description="relative: distances are clipped to -range .. range")
    norm: Literal["layer", "rms"] = Field("layer", description="rms: without mean, gain and shift")
    bias: bool = Field(True, description="whether projections have biases")
    num_groups: int | None = Field(None, ge=1, description="blocks with weights of their own; empty: every one")
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = Field("gelu", description="of the feed-forward layers")
    segment_count: int = Field(2, ge=1, description="rows of the segment table")
    epsilon: float = Field(1e-12, gt=0, description="added to the variance in normalizations")
    initializer_range: float = Field(0.02, gt=0, description="standard deviation of the first weights")

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Architecture":
        if self.hidden_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} does not divide hidden_dim={self.hidden_dim}")
        if self.position == "rotary" and self.hidden_dim // self.num_heads % 2:
            raise ValueError(f"rotary positions need an even head size, got {self.hidden_dim // self.num_heads}")
        if self.num_groups and self.num_layers % self.num_groups:
            raise ValueError(f"num_groups={self.num_groups} does not divide num_layers={self.num_layers}")
        return self


KINDS: dict[str, dict] = {  # what sets each kind apart from a plain BERT
    "bert": {},
    "wobert": {},
    "electra": {},
    "albert": {"embedding_dim": 128, "num_groups": 1, "activation": "gelu_tanh"},
    "nezha": {"position": "relative"},
    "roformer": {"position": "rotary"},
    "roformer_v2": {"position": "rotary", "norm": "rms", "bias": False, "activation": "relu"},
}
