"""BERT's WordPiece tokenizer over Chinese characters, with offsets into the untouched text.

Most tokens of a Chinese text are characters that are tokens whatever stands around them. They are found in a table, for
many texts at once. What is left, words of letters and digits, goes through the `tokenizers` library, each word once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
import tokenizers
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

from shared.errors import UserError
from shared.text.characters import PART, CharacterKinds, normalizer
from shared.text.pieces import Pieces, PieceStore
from shared.text.vocabulary import CLS, SEP, UNK, Vocabulary

TEXTS_AT_ONCE = 4096
CHARACTERS_AT_ONCE = 1 << 16  # the arrays of as many fit into a processor's cache; a longer text goes alone
WORDS_AT_ONCE = 256  # that the library sees as one text
LONGEST_WORD = 100  # characters; a longer one is unknown as a whole
SEPARATOR = "\n"  # between texts: a blank, so no word goes across


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text.

    ids: (tokens,) int32. offsets: (tokens, 2) int32, half-open character ranges of the original text.
    """

    ids: np.ndarray
    offsets: np.ndarray


class Tokenizer:
    """Splits text into WordPiece units: each Chinese character alone, other words at blanks and punctuation.

    Args: vocabulary; lowercase: as in TextSettings. No special tokens are added here: pairs are packed by `pack_pairs`.
    """

    def __init__(self, vocabulary: Vocabulary, lowercase: bool):
        self.vocabulary = vocabulary
        model = WordPiece(vocabulary.ids, unk_token=UNK, max_input_chars_per_word=LONGEST_WORD)
        self._tokenizer = tokenizers.Tokenizer(model)
        self._tokenizer.normalizer = normalizer(lowercase)
        self._tokenizer.pre_tokenizer = BertPreTokenizer()
        self._kinds = CharacterKinds(vocabulary.ids, vocabulary.ids[UNK], lowercase)
        self._pieces = PieceStore(self._cut)

    def encode_batch(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenizes texts; the result is in their order. Raises: UserError if one holds half of a surrogate pair."""
        return [
            Tokens(ids[start:end], offsets[start:end])
            for ids, offsets, bounds in self._portions(texts)
            for start, end in bounds
        ]

    def encode_ids(self, texts: Sequence[str], max_tokens: int | None = None) -> list[np.ndarray]:
        """Returns for each text its first max_tokens token ids, (tokens,) int32. Raises: as `encode_batch`."""
        if max_tokens is None:
            return [ids[start:end] for ids, _, bounds in self._portions(texts) for start, end in bounds]
        return [  # copies, else what is cut off would stay in memory
            ids[start : min(end, start + max_tokens)].copy()
            for ids, _, bounds in self._portions(texts)
            for start, end in bounds
        ]

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.vocabulary.ids[CLS]

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.vocabulary.ids[SEP]

    def _portions(self, texts: Sequence[str]) -> Iterator[tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]]:
        """Yields ids, offsets and the tokens (start, end) of each text, for some texts at a time."""
        first = 0
        for portion in _portions(texts):
            joined = SEPARATOR.join(["", *portion, ""])
            ids, places = self._find(joined, _codes(joined, portion, first))
            lengths = np.fromiter(map(len, portion), np.int64, len(portion)) + len(SEPARATOR)
            text_starts = len(SEPARATOR) + np.cumsum(lengths) - lengths
            bounds = np.append(np.searchsorted(places[:, 0], text_starts), len(ids))
            offsets = places - np.repeat(text_starts, np.diff(bounds))[:, None]
            yield ids, offsets.astype(np.int32), list(pairwise(bounds.tolist()))
            first += len(portion)

    def _find(self, joined: str, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the token ids of several texts, (tokens,) int32, and their places in `joined`, (tokens, 2) int64.

        Args: joined: texts with a SEPARATOR before, between and behind them. codes: (characters,) their code points.
        """
        kinds = self._kinds(codes)
        alone = np.flatnonzero(kinds >= 0)
        starts, ends = _runs(kinds == PART)
        words = [joined[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        return self._merged(alone, kinds[alone], starts, words, len(codes))

    def _merged(
        self, alone: np.ndarray, alone_ids: np.ndarray, starts: np.ndarray, words: Sequence[str], size: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ids and places of all tokens, as `_find`, in the order of the text.

        Args: alone: (n,) places of characters that are tokens. alone_ids: (n,) int32. starts: (m,) places of `words`,
        which are to be cut. size: characters of the text.
        """
        found = self._pieces(words)
        tokens = np.zeros(size, np.int32)  # how many begin with a character's word, or are it
        tokens[alone] = 1
        tokens[starts] = found.counts
        behind = np.cumsum(tokens, dtype=np.int64)  # (size,) tokens up to and with each character's
        is_piece = np.ones(behind[-1], bool)
        index = behind[alone] - 1
        is_piece[index] = False
        ids = np.empty(len(is_piece), np.int32)
        places = np.empty((len(is_piece), 2), np.int64)
        ids[index], ids[is_piece] = alone_ids, found.ids
        places[index] = alone[:, None] + np.array([0, 1])
        places[is_piece] = found.offsets + np.repeat(starts, found.counts)[:, None]
        return ids, places

    def _cut(self, words: list[str]) -> Pieces:
        """Returns the pieces of words as the library makes them; a word may be anything but part of another.

        Many words at once are one text to the library, since each text costs it as much as several words.
        """
        lengths = np.fromiter(map(len, words), np.int64, len(words)) + len(SEPARATOR)
        starts = np.cumsum(lengths) - lengths
        groups = range(0, len(words), WORDS_AT_ONCE)
        texts = [SEPARATOR.join(words[first : first + WORDS_AT_ONCE]) for first in groups]
        encodings = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(e.ids for e in encodings), np.int32)
        numbers = chain.from_iterable(chain.from_iterable(e.offsets for e in encodings))
        places = np.fromiter(numbers, np.int64, 2 * len(ids)).reshape(-1, 2)
        places += np.repeat(starts[::WORDS_AT_ONCE], [len(e) for e in encodings])[:, None]
        word_of = np.searchsorted(starts, places[:, 0], side="right") - 1
        counts = np.bincount(word_of, minlength=len(words)).astype(np.int32)
        return Pieces(counts, ids, (places - starts[word_of][:, None]).astype(np.int32))


def _portions(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yields the texts in portions of about CHARACTERS_AT_ONCE."""
    portion: list[str] = []
    size = 0
    for text in texts:
        portion.append(text)
        size += len(text)
        if size >= CHARACTERS_AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _codes(joined: str, portion: Sequence[str], first: int) -> np.ndarray:
    """Returns the code points of joined texts, (characters,) uint32; `first`: number of the first text."""
    try:
        return np.frombuffer(joined.encode("utf-32-le"), "<u4")
    except UnicodeEncodeError as error:
        place = error.start - len(SEPARATOR)
        index = 0
        while place > len(portion[index]):
            place -= len(portion[index]) + len(SEPARATOR)
            index += 1
        raise UserError(
            f"text {first + index} of those to tokenize, character {place}: half of a surrogate pair, "
            f"\\u{ord(portion[index][place]):04x}. Expected whole characters; mend the file that the text comes from."
        ) from None


def _runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the starts and ends, half-open, of the runs of True; first and last are False."""
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    return edges[::2], edges[1::2]
