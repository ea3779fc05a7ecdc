"""How a release names its tensors: as data, so that one list of our weights serves every release."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class BlockNames:
    """Names inside a block, without kernel, bias, gamma or beta. layer: with {} for the block's number, or without."""

    layer: str
    query: str
    key: str
    value: str
    attention_output: str
    attention_norm: str
    ffn_expand: str
    ffn_reduce: str
    ffn_norm: str


@dataclass(frozen=True)
class Naming:
    """Names of a release.

    format: hugging_face stores matrices as (out, in), tensorflow as (in, out). embeddings: before the tables' names.
    before: projections that widen token embeddings before all else have no suffix. pooler, head: names of the parts;
    head_dense and so on are empty where the release can have no such part. table, kernel, gamma, beta: suffixes.
    tied: copies of the token table, and of the output bias, that a file may hold as well.
    """

    format: Literal["hugging_face", "tensorflow"]
    embeddings: str
    block: BlockNames
    projection: str
    pooler: str
    head_dense: str
    head_norm: str
    head_bias: str
    table: str
    kernel: str
    bias: str
    gamma: str
    beta: str
    tied_table: str = ""
    tied_bias: str = ""

    @property
    def transpose(self) -> bool:
        """Whether matrices are stored as (out, in)."""
        return self.format == "hugging_face"

    @property
    def tokens(self) -> str:
        """Name of the table of token embeddings."""
        return f"{self.embeddings}word_embeddings{self.table}"

    @property
    def segments(self) -> str:
        """Name of the table of segment embeddings."""
        return f"{self.embeddings}token_type_embeddings{self.table}"

    @property
    def positions(self) -> str:
        """Name of the table of position embeddings."""
        return f"{self.embeddings}position_embeddings{self.table}"

    @property
    def projection_before(self) -> str:
        """Name of the matrix that widens token embeddings before anything is added to them (albert_zh)."""
        return f"{self.embeddings}word_embeddings_2"

    def others(self, name: str) -> tuple[str, ...]:
        """Returns the names that may stand for `name`: that of a tied copy, or the one of the oldest files."""
        tied = {self.tokens: self.tied_table, self.head_bias: self.tied_bias}.get(name)
        if self.format == "hugging_face" and "norm." in name.lower():
            body, _, last = name.rpartition(".")
            return (f"{body}.{'gamma' if last == 'weight' else 'beta'}",)
        return (tied,) if tied else ()

    def block_kernel(self, part: str, index: int) -> str:
        """Returns the name of a block's matrix. part: a field of BlockNames."""
        return self.block.layer.format(index) + getattr(self.block, part) + self.kernel
