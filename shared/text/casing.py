"""Whether the texts are lower-cased as the vocabulary expects."""

import re

from shared.text.settings import TextSettings
from shared.text.vocabulary import Vocabulary

CASED_SHARE = 0.01  # of tokens with capitals; the capitals of special tokens, in brackets, do not count
CAPITAL = re.compile("(?:##)?[a-zA-Z]*[A-Z][a-zA-Z]*")


def casing_warning(settings: TextSettings, vocabulary: Vocabulary) -> str | None:
    """Returns what a user should know about `text.lowercase`, one line; None if it fits the vocabulary."""
    cased = sum(CAPITAL.fullmatch(token) is not None for token in vocabulary.tokens)
    if settings.lowercase and cased > CASED_SHARE * len(vocabulary):
        return (
            f"text.lowercase is true, but {cased} of the vocabulary's {len(vocabulary)} tokens have capital letters "
            "that no lower-cased text has: set it to false for a cased model."
        )
    if not settings.lowercase and not cased:
        return (
            "text.lowercase is false, but no token of the vocabulary has a capital letter, so capitals become [UNK]: "
            "set it to true for an uncased model."
        )
    return None
