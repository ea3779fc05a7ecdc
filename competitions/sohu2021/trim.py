"""Other ways to cut a text to the tokens it may have than to drop its end."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from competitions.sohu2021.data import Example
from competitions.sohu2021.settings import DataSettings
from shared.text.pairs import truncated_lengths
from shared.text.tokenizer import Tokenizer

PAIRS_AT_ONCE = 512  # at 10,000 characters a text, some 10 million tokens, 40 MB
IDF_TEXTS = 20_000  # the weights of n-grams are counted on at most so many training texts
SENTENCE = re.compile("[^。！？；!?;\n]*[。！？；!?;\n]*")  # with what ends it; matches everything, nothing too

Ids = list[np.ndarray]


@dataclass(frozen=True)
class HeadTail:
    """Keeps the start and the end of a text. tail_share: float, from 0 to 1, of what is kept."""

    tail_share: float

    def __call__(
        self, sources: Sequence[str], targets: Sequence[str], tokenizer: Tokenizer, budget: int
    ) -> tuple[Ids, Ids]:
        """Returns the token ids of both texts of each pair, together at most `budget`."""
        kept: tuple[Ids, Ids] = ([], [])
        for texts in _portions(sources, targets):
            ids, lengths = _encoded(texts, tokenizer, budget)
            for side in (0, 1):
                kept[side].extend(
                    head_tail(*one, self.tail_share) for one in zip(ids[side], lengths[side], strict=True)
                )
        return kept


@dataclass(frozen=True)
class SimilarSentences:
    """Keeps the sentences most like the pair's other text by TF-IDF, in the order of the text.

    idf: (NUM_HASHES,) float32, see `tfidf`.
    """

    idf: np.ndarray

    def __call__(
        self, sources: Sequence[str], targets: Sequence[str], tokenizer: Tokenizer, budget: int
    ) -> tuple[Ids, Ids]:
        """As `HeadTail`."""
        kept: tuple[Ids, Ids] = ([], [])
        for texts in _portions(sources, targets):
            ids, lengths = _encoded(texts, tokenizer, budget)
            for side in (0, 1):
                cut = [row for row, one in enumerate(ids[side]) if len(one) > lengths[side][row]]
                chosen = self._chosen(
                    [texts[side][row] for row in cut],
                    [texts[1 - side][row] for row in cut],
                    [lengths[side][row] for row in cut],
                    tokenizer,
                )
                for row, one in zip(cut, chosen, strict=True):
                    ids[side][row] = one
                kept[side].extend(ids[side])
        return kept

    def _chosen(self, texts: list[str], others: list[str], budgets: list[int], tokenizer: Tokenizer) -> Ids:
        """Returns what is kept of each text."""
        from competitions.sohu2021.tfidf import unit_tfidf  # imports scikit-learn, which takes a second

        if not texts:
            return []
        divided = [sentences(text) for text in texts]
        counts = [len(one) for one in divided]
        flat = [sentence for one in divided for sentence in one]
        other = unit_tfidf(others, self.idf)[np.repeat(np.arange(len(texts)), counts)]
        similarities = np.asarray(unit_tfidf(flat, self.idf).multiply(other).sum(axis=1)).ravel()
        ids = tokenizer.encode_ids(flat)
        result, start = [], 0
        for count, budget in zip(counts, budgets, strict=True):
            here = slice(start, start + count)
            lengths = np.array([len(one) for one in ids[here]])
            kept = kept_lengths(similarities[here], lengths, budget)
            result.append(np.concatenate([one[:n] for one, n in zip(ids[here], kept.tolist(), strict=True)]))
            start += count
        return result


Trim = HeadTail | SimilarSentences


def trim_for(settings: DataSettings, train: Sequence[Example]) -> Trim | None:
    """Returns how texts are cut; None: by dropping their end. Args: train: examples that TF-IDF is counted on."""
    if settings.trim == "head_tail":
        return HeadTail(settings.tail_share)
    if settings.trim == "longest":
        return None
    from competitions.sohu2021.tfidf import inverse_document_frequencies

    texts = [text for example in train for text in (example.source, example.target)]
    texts = texts[:: -(-len(texts) // IDF_TEXTS) or 1]
    portions = (texts[start : start + PAIRS_AT_ONCE] for start in range(0, len(texts), PAIRS_AT_ONCE))
    return SimilarSentences(inverse_document_frequencies(portions))


def head_tail(ids: np.ndarray, length: int, tail_share: float) -> np.ndarray:
    """Returns the first and last of (tokens,) ids, `length` of them in all, the last ones tail_share of it."""
    if len(ids) <= length:
        return ids
    tail = int(length * tail_share)
    return np.concatenate([ids[: length - tail], ids[len(ids) - tail :]])


def sentences(text: str) -> list[str]:
    """Returns the sentences of a text, which joined are the text."""
    return SENTENCE.findall(text)[:-1] or [text]


def kept_lengths(similarities: np.ndarray, lengths: np.ndarray, budget: int) -> np.ndarray:
    """Returns how many tokens each sentence keeps: the most similar ones all, the last that still gets some its start.

    Args: similarities: (sentences,) float; on a tie the earlier sentence goes first. lengths: (sentences,) int.
    Returns: (sentences,) int64, together min(budget, all tokens).
    """
    order = np.argsort(-similarities, kind="stable")
    before = np.cumsum(lengths[order]) - lengths[order]  # tokens of those more similar
    kept = np.zeros(len(lengths), np.int64)
    kept[order] = np.clip(budget - before, 0, lengths[order])
    return kept


def _portions(sources: Sequence[str], targets: Sequence[str]) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    for start in range(0, len(sources), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        yield sources[rows], targets[rows]


def _encoded(
    texts: tuple[Sequence[str], Sequence[str]], tokenizer: Tokenizer, budget: int
) -> tuple[tuple[Ids, Ids], tuple[list[int], list[int]]]:
    """Returns all token ids of both sides, and how many of them each text may keep."""
    first, second = tokenizer.encode_ids(texts[0]), tokenizer.encode_ids(texts[1])
    lengths = truncated_lengths(np.array([len(one) for one in first]), np.array([len(one) for one in second]), budget)
    return (first, second), (lengths[0].tolist(), lengths[1].tolist())
