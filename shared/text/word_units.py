"""The tokens of RoFormer and WoBERT: words of several Chinese characters, with offsets into the untouched text.

The text is normalized as for characters, then cut into words by jieba's dictionary, without its model of unknown words
(HMM). A word in the vocabulary is a token, every other is cut as BERT cuts it: into characters and WordPiece units.
`rjieba`, jieba in Rust, gives the same words: on all texts and made-up ones that both were tried on, each code point
among them, and about ten times as fast.

Differs from transformers' RoFormerTokenizer in words that hold punctuation and are not in the vocabulary, as "c++":
there one WordPiece word, often unknown as a whole, here "c", "+" and "+" as in the published pre-training.

Reference: Su Jianlin, https://kexue.fm/archives/7758 (WoBERT); https://arxiv.org/abs/2104.09864 (RoFormer).
"""

from functools import cache
from itertools import compress

import numpy as np
import rjieba

from shared.text.characters import PART, CharacterForms
from shared.text.pieces import Pieces
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import Vocabulary


class WordTokenizer(Tokenizer):
    """Splits text into the vocabulary's words, and into WordPiece units where it has none.

    Args: vocabulary; lowercase: as in TextSettings.
    """

    def __init__(self, vocabulary: Vocabulary, lowercase: bool):
        super().__init__(vocabulary, lowercase)
        self._forms = CharacterForms(lowercase)
        self._segmenter = _segmenter()

    def _find(self, joined: str, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the token ids of several texts, (tokens,) int32, and their places in `joined`, (tokens, 2) int64."""
        forms, origins = self._forms(codes)
        words = self._segmenter.cut(forms.astype("<u4").tobytes().decode("utf-32-le"), False)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        starts = np.cumsum(lengths) - lengths
        if lengths.sum() != len(forms):  # then no offset could be trusted
            raise RuntimeError(f"rjieba made words of {lengths.sum()} characters from a text of {len(forms)}")
        kinds = np.where(lengths == 1, self._kinds(forms[starts]), PART)  # (words,)
        alone, others = kinds >= 0, kinds == PART
        ids, places = self._merged(
            starts[alone], kinds[alone], starts[others], list(compress(words, others.tolist())), len(forms)
        )
        places[:, 0] = origins[places[:, 0]]
        places[:, 1] = origins[places[:, 1] - 1] + 1  # what was deleted behind the last character stays outside
        return ids, places

    def _cut(self, words: list[str]) -> Pieces:
        """Returns one piece for a word of the vocabulary, for others what BERT makes of them."""
        ids = [None if word.isspace() else self.vocabulary.ids.get(word) for word in words]
        rest = super()._cut([word for word, index in zip(words, ids, strict=True) if index is None])
        known = np.array([index is not None for index in ids], bool)
        counts = np.ones(len(words), np.int32)
        counts[~known] = rest.counts
        whole = np.repeat(known, counts)
        pieces = Pieces(counts, np.empty(len(whole), np.int32), np.zeros((len(whole), 2), np.int32))
        pieces.ids[whole] = [index for index in ids if index is not None]
        pieces.offsets[whole, 1] = [len(word) for word, index in zip(words, ids, strict=True) if index is not None]
        pieces.ids[~whole], pieces.offsets[~whole] = rest.ids, rest.offsets
        return pieces


@cache
def _segmenter() -> rjieba.Jieba:
    """Returns a segmenter of our own, with jieba's dictionary; loading it takes a fifth of a second."""
    return rjieba.Jieba()
