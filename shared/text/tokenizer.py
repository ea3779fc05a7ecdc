"""BERT's WordPiece tokenizer over Chinese characters, with offsets into the untouched text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tokenizers
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from shared.text.vocabulary import CLS, SEP, UNK, Vocabulary


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

    def encode_ids(self, texts: Sequence[str]) -> list[np.ndarray]:
        """As `encode_batch`, token ids alone and faster: a list of (tokens,) int32."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, np.int32) for encoding in encodings]

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.vocabulary.ids[CLS]

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.vocabulary.ids[SEP]
