"""The params of the text side: vocabulary and tokens."""

from typing import Literal

from pydantic import Field

from shared.settings import Section


class TextSettings(Section):
    """Where the vocabulary comes from and how text becomes tokens."""

    vocabulary: str | None = Field(description="a vocab.txt, one token a line; empty: learned from the training texts")
    min_count: int = Field(2, ge=1, description="a learned vocabulary keeps characters seen at least this often")
    max_size: int = Field(21128, ge=100, description="a learned vocabulary has at most this many tokens")
    lowercase: bool = Field(True, description="lower-case and strip accents before the look-up, as uncased models do")
    units: Literal["auto", "char", "word"] = Field(
        "auto",
        description="char: a Chinese character is a token | word: so is a word of the vocabulary, as in RoFormer and "
        "WoBERT | auto: word if the vocabulary holds many",
    )
