"""BERT's WordPiece tokenizer over Chinese characters, with offsets into the untouched text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tokenizers
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from shared.text.vocabulary import CLS, SEP, UNK, Vocabulary

TEXTS_AT_ONCE = 4096


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
        self._tokenizer = tokenizers.Tokenizer(WordPiece(vocabulary.ids, unk_token=UNK, max_input_chars_per_word=100))
        self._tokenizer.normalizer = BertNormalizer(
            clean_text=True, handle_chinese_chars=True, strip_accents=lowercase, lowercase=lowercase
        )
        self._tokenizer.pre_tokenizer = BertPreTokenizer()

    def encode_batch(self, texts: Sequence[str]) -> list[Tokens]:
        """Tokenizes texts on all cores; the result is in their order."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            Tokens(np.array(e.ids, np.int32), np.array(e.offsets, np.int32).reshape(len(e.ids), 2)) for e in encodings
        ]

    def encode_ids(self, texts: Sequence[str], max_tokens: int | None = None) -> list[np.ndarray]:
        """Returns for each text its first max_tokens token ids, (tokens,) int32; faster than `encode_batch`.

        Works in portions: the encodings of a whole contest at once would take tens of gigabytes.
        """
        ids: list[np.ndarray] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            portion = list(texts[start : start + TEXTS_AT_ONCE])
            encodings = self._tokenizer.encode_batch_fast(portion, add_special_tokens=False)
            ids += [np.array(encoding.ids[:max_tokens], np.int32) for encoding in encodings]
        return ids

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.vocabulary.ids[CLS]

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.vocabulary.ids[SEP]
