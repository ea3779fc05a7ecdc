"""Vocabularies: a list of tokens whose place is their id."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers.normalizers import BertNormalizer

from shared.errors import UserError
from shared.files import read_text, write_text
from shared.text.settings import TextSettings

PAD, UNK, CLS, SEP, MASK = SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Vocabulary:
    """Tokens with their ids. [PAD] must have id 0, since 0 fills up short rows.

    Blank tokens may stand more than once: published files have some (U+2028 in Google's, empty lines where an editor
    took it for a line end), and no text is ever cut into a blank. They keep their places, so that ids fit the weights.

    Args: tokens: in the order of their ids. where: named in error messages.
    Raises: UserError if a special token is missing, [PAD] is not first, or a token stands twice.
    """

    def __init__(self, tokens: list[str], where: str = "vocabulary"):
        self.tokens = tokens
        self.ids = {token: index for index, token in enumerate(tokens)}
        missing = [token for token in SPECIAL_TOKENS if token not in self.ids]
        if missing:
            raise UserError(f"{where}: no {', '.join(missing)}. A BERT vocab.txt has {', '.join(SPECIAL_TOKENS)}.")
        twice = [token for token, count in Counter(tokens).items() if count > 1 and token.strip()]
        if twice:
            first, last = tokens.index(twice[0]) + 1, len(tokens) - tokens[::-1].index(twice[0])
            raise UserError(
                f"{where}:{last}: token {twice[0]!r} stands here and at line {first}. A token has one id: take the "
                "published file, or remove what was added."
            )
        if self.ids[PAD] != 0:
            raise UserError(
                f"{where}:{self.ids[PAD] + 1}: [PAD] must be the first line (id 0), as in BERT's vocab.txt."
            )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of [PAD], [UNK], [CLS], [SEP], [MASK]."""
        return tuple(self.ids[token] for token in SPECIAL_TOKENS)

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Reads a vocab.txt: UTF-8, one token a line; line ends may be \\n or \\r\\n, empty last lines do not count."""
        tokens = read_text(path).split("\n")
        while tokens and not tokens[-1].strip("\r"):
            tokens.pop()
        return cls([token.rstrip("\r") for token in tokens], str(path))

    def save(self, path: Path) -> None:
        """Writes a vocab.txt."""
        write_text(path, "\n".join(self.tokens) + "\n")


def vocabulary_for(settings: TextSettings, training_texts: Iterable[str]) -> Vocabulary:
    """Returns the vocabulary that the settings name, or one learned from the training texts."""
    if settings.vocabulary:
        return Vocabulary.load(Path(settings.vocabulary))
    return learn_vocabulary(training_texts, settings.min_count, settings.max_size, settings.lowercase)


def learn_vocabulary(texts: Iterable[str], min_count: int, max_size: int, lowercase: bool) -> Vocabulary:
    """Learns a character vocabulary for WordPiece from texts; equal texts give an equal vocabulary.

    It holds the special tokens, every printable ASCII character alone and, for letters and digits, as `##`
    continuation, then by falling frequency: all other characters seen at least min_count times (with `##` where they
    continue a word) and runs of 2 to 12 ASCII letters or digits seen at least 10 * min_count times.

    Args: texts: raw. min_count, max_size: see TextSettings. lowercase: as the tokenizer will.
    """
    normalizer = BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=lowercase, lowercase=lowercase
    )
    words: Counter[str] = Counter()
    characters: Counter[str] = Counter()
    for text in texts:
        for word in normalizer.normalize_str(text).split():
            if len(word) == 1:
                characters[word] += 1
            else:
                words[word] += 1
    for word, count in words.items():
        for position, character in enumerate(word):
            starts = position == 0 or not _continues(word[position - 1]) or not _continues(character)
            characters[character if starts else f"##{character}"] += count
    runs: Counter[str] = Counter()
    for word, count in words.items():
        for run in _ascii_runs(word):
            if 2 <= len(run) <= 12:
                runs[run] += count
    ascii_printable = [chr(code) for code in range(0x21, 0x7F) if not (lowercase and chr(code).isupper())]
    first = [*SPECIAL_TOKENS, *ascii_printable, *(f"##{c}" for c in ascii_printable if c.isalnum())]
    counted = {token: count for token, count in characters.items() if count >= min_count}
    counted |= {run: count for run, count in runs.items() if count >= 10 * min_count}
    known = set(first)
    rest = sorted((token for token in counted if token not in known), key=lambda token: (-counted[token], token))
    return Vocabulary([*first, *rest][:max_size])


def _continues(character: str) -> bool:
    """Whether the character sticks to its neighbours: neither punctuation nor a symbol in BERT's sense."""
    return (character.isascii() and character.isalnum()) or not (
        character.isascii() or unicodedata.category(character).startswith("P")
    )


def _ascii_runs(word: str) -> list[str]:
    return "".join(c if c.isascii() and c.isalnum() else " " for c in word).split()
