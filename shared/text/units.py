"""Whether characters or words are the tokens: what the settings and the vocabulary say."""

import re
from collections.abc import Sequence
from typing import Literal

from shared.text.settings import TextSettings
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import Vocabulary
from shared.text.word_units import WordTokenizer

# Vocabularies of characters have hardly one word among them (Google's 21128 tokens), those of words at least a third.
WORD_SHARE = 0.01
CHINESE_WORD = re.compile("[\u3400-\u9fff]{2,}")


def tokenizer_for(vocabulary: Vocabulary, settings: TextSettings) -> Tokenizer:
    """Returns the tokenizer that the settings, section `text` of a competition, name for the vocabulary."""
    kind = WordTokenizer if units_of(vocabulary, settings) == "word" else Tokenizer
    return kind(vocabulary, settings.lowercase)


def units_of(vocabulary: Vocabulary, settings: TextSettings) -> Literal["char", "word"]:
    """Returns the units in force: for `auto` words if more than one token in a hundred is a Chinese word."""
    if settings.units != "auto":
        return settings.units
    return "word" if has_words(vocabulary.tokens) else "char"


def has_words(tokens: Sequence[str]) -> bool:
    """Returns whether a vocabulary is one of words: more than one token in a hundred is a Chinese word.

    Google's has none among 21,128; those of WoBERT and RoFormer have 20,000 or more.
    """
    return _words(tokens) > WORD_SHARE * len(tokens)


def units_warning(settings: TextSettings, vocabulary: Vocabulary, task_has_spans: bool) -> str | None:
    """Returns what a user should know about the units in force before training, one line; None if all is well.

    Args: task_has_spans: whether answers are pieces of the texts.
    """
    units, words = units_of(vocabulary, settings), _words(vocabulary.tokens)
    if units == "char" and has_words(vocabulary.tokens):
        return (
            f"text.units is char, but {words} of the vocabulary's {len(vocabulary)} tokens are Chinese words, so its "
            "model has learned from words: use units: auto."
        )
    if units == "word" and not words:
        return (
            "text.units is word, but the vocabulary holds no word of several Chinese characters, so tokens are "
            "characters: use units: auto, or name the vocabulary of a word model."
        )
    if units == "word" and task_has_spans:
        why = "as text.units says" if settings.units == "word" else "as its vocabulary is of words"
        return (
            f"tokens are words ({why}): an answer that begins or ends inside a word cannot be found exactly. See the "
            "label ceiling, and prefer a checkpoint over characters for this task."
        )
    return None


def _words(tokens: Sequence[str]) -> int:
    return sum(CHINESE_WORD.fullmatch(token) is not None for token in tokens)
