"""Other vocabularies for a pretrained encoder: fewer tokens, more words, or the ids of a masked contest.

Each tool returns a `Change`: the new tokens and, for each of them, the old tokens whose mean is its embedding. What
that does to a checkpoint is the matter of `shared.pretrained.resize`.
"""

import dataclasses
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import rjieba

from shared.arrays import Ragged
from shared.errors import UserError
from shared.text.characters import CharacterForms
from shared.text.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary

TEXTS_AT_ONCE = 4096
IDEOGRAPHS = (  # what BERT takes for a Chinese character, half-open
    *((0x4E00, 0xA000), (0x3400, 0x4DC0), (0x20000, 0x2A6E0), (0x2A700, 0x2B740)),
    *((0x2B740, 0x2B820), (0x2B820, 0x2CEB0), (0xF900, 0xFB00), (0x2F800, 0x2FA20)),
)
UNUSED = re.compile(r"\[unused\d+\]")


class IdEncoder(Protocol):
    """What is needed of a tokenizer."""

    def encode_ids(self, texts: Sequence[str], max_tokens: int | None = None) -> list[np.ndarray]:
        """Returns for each text its token ids, (tokens,) int."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A new vocabulary in terms of an old one.

    tokens: in the order of their new ids. sources: one row of old ids a token, not empty; the mean of their embeddings
    is the token's. report: JSON document on what was kept, dropped and added, and why.
    """

    tokens: list[str]
    sources: Ragged
    report: dict[str, Any]


def token_counts(texts: Iterable[str], tokenizer: IdEncoder, size: int) -> np.ndarray:
    """Returns how often each token id stands in the texts: (size,) int64. The texts may be a stream."""
    counts = np.zeros(size, np.int64)
    stream = iter(texts)
    while portion := list(itertools.islice(stream, TEXTS_AT_ONCE)):
        ids = tokenizer.encode_ids(portion)
        counts += np.bincount(np.concatenate(ids), minlength=size)
    return counts


def trim(vocabulary: Vocabulary, counts: np.ndarray, keep_characters: bool = True) -> Change:
    """Leaves out the tokens that the texts do not have.

    The texts are tokenized as before: WordPiece takes the longest token that fits, all that it took are still there,
    and nothing has come. An unseen text can lose: a dropped word falls into pieces, a dropped character becomes [UNK].

    Args: counts: (tokens,) int, of `token_counts`. keep_characters: also keep every single character that is ASCII,
        Chinese or punctuation, and ## before a single ASCII letter or digit, for texts yet to come.
    Raises: UserError if the texts have no tokens.
    """
    total = int(counts.sum())
    if not total:
        raise UserError("no tokens in the texts. Nothing would be left of the vocabulary but its special tokens.")
    special = np.isin(vocabulary.tokens, SPECIAL_TOKENS)
    used = (counts > 0) & ~special
    characters = np.zeros(len(vocabulary), bool)
    if keep_characters:
        characters = np.array([is_basic_character(token) for token in vocabulary.tokens])
    keep = special | used | characters
    once = int(np.count_nonzero((counts == 1) & ~special & ~characters))
    dropped = [token for token, kept in zip(vocabulary.tokens, keep, strict=True) if not kept]
    report = {
        "kept": {
            "special": int(np.count_nonzero(special)),
            "used": int(np.count_nonzero(used)),
            "characters_not_used": int(np.count_nonzero(characters & ~used & ~special)),
        },
        "dropped": {"total": len(dropped), **dict(sorted(Counter(map(_kind, dropped)).items()))},
        "added": {"total": 0},
        # Good-Turing: what was seen once tells how much has never been seen.
        "unseen_text": {"tokens": total, "tokens_seen_once": once, "share_lost_estimate": round(once / total, 8)},
    }
    rows = np.flatnonzero(keep)
    return Change([vocabulary.tokens[row] for row in rows], _one_each(rows), report)


def confirmed(change: Change, before: np.ndarray, after: np.ndarray) -> Change:
    """Returns a `trim` with its coverage, the share of the texts' tokens that are not [UNK], in the report.

    Args: before, after: (tokens,) int, `token_counts` of the same texts with the old and with the new vocabulary.
    Raises: RuntimeError if they differ: then trim or the tokenizer has a defect.
    """
    if not np.array_equal(after, before[change.sources.values]) or after.sum() != before.sum():
        raise RuntimeError("the trimmed vocabulary tokenizes the texts in another way than the full one")
    total, unknown = int(after.sum()), int(after[change.tokens.index(UNK)])
    covered = _share(total - unknown, total)
    return dataclasses.replace(change, report={**change.report, "coverage": {"before": covered, "after": covered}})


def is_basic_character(token: str) -> bool:
    """Whether a token is one character that is ASCII, Chinese or punctuation, or ## and one ASCII letter or digit."""
    if len(token) == 3 and token.startswith("##"):
        return token[2].isascii() and token[2].isalnum()
    if len(token) != 1 or token.isspace():
        return False
    return token.isascii() or is_ideograph(token) or unicodedata.category(token).startswith("P")


def is_ideograph(character: str) -> bool:
    """Whether BERT takes the character for a Chinese one, a word of its own."""
    code = ord(character)
    return any(start <= code < end for start, end in IDEOGRAPHS)


def word_counts(texts: Iterable[str], segment: Callable[[str], Iterable[str]]) -> Counter[str]:
    """Counts the words of at least two characters, all of them Chinese. segment: as `segmenter` returns it."""
    counts: Counter[str] = Counter()
    stream = iter(texts)
    while portion := list(itertools.islice(stream, TEXTS_AT_ONCE)):  # a call costs as much as a short text
        counts.update(word for word in segment("\n".join(portion)) if len(word) >= 2)
    return Counter({word: count for word, count in counts.items() if all(map(is_ideograph, word))})


def segmenter(lowercase: bool) -> Callable[[str], list[str]]:
    """Returns what cuts a text into the words that word units look up: cleaned as BERT does, by jieba without HMM."""
    forms, jieba = CharacterForms(lowercase), rjieba.Jieba()

    def segment(text: str) -> list[str]:
        codes = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4")
        return jieba.cut(forms(codes)[0].astype("<u4").tobytes().decode("utf-32-le"), False)

    return segment


def extend(
    vocabulary: Vocabulary, counts: Mapping[str, int], characters: IdEncoder, limit: int, min_count: int
) -> Change:
    """Adds the most frequent words behind the old tokens; equal counts go by code points.

    The embedding of a word is the mean of those of the tokens that it had so far, its characters. A word with an
    unknown character is left out: [UNK] would stand for it in the mean.

    Args: counts: of `word_counts`. characters: tokenizer of the old vocabulary with character units. limit: of added
        words. min_count: words seen less often are left out.
    Raises: UserError if there is no word to add.
    Reference: WoBERT, https://kexue.fm/archives/7758
    """
    new = {word: count for word, count in counts.items() if word not in vocabulary.ids}
    frequent = sorted((word for word in new if new[word] >= min_count), key=lambda word: (-new[word], word))
    pieces = characters.encode_ids(frequent)
    unknown = vocabulary.ids[UNK]
    usable = [(word, ids) for word, ids in zip(frequent, pieces, strict=True) if len(ids) and unknown not in ids]
    added = usable[:limit]
    if not added:
        raise UserError(
            f"no word to add: the texts have {len(counts)} words of two or more Chinese characters, {len(new)} of them "
            f"not in the vocabulary, {len(frequent)} of these at least {min_count} times. Give more text or lower the "
            "least count."
        )
    words = [word for word, _ in added]
    total = sum(counts.values())
    known = total - sum(new.values())
    report = {
        "kept": {"total": len(vocabulary)},
        "dropped": {"total": 0},
        "added": {
            "total": len(words),
            "count_of_last": new[words[-1]],
            "left_out_with_unknown_character": len(frequent) - len(usable),
            "left_out_below_min_count": len(new) - len(frequent),
            "words": {word: new[word] for word in words},
        },
        "coverage": {  # of the words of two or more Chinese characters, by occurrence
            "before": _share(known, total),
            "after": _share(known + sum(new[word] for word in words), total),
        },
    }
    rows = [*np.arange(len(vocabulary))[:, None], *(ids for _, ids in added)]
    return Change([*vocabulary.tokens, *words], Ragged.of(rows, np.int64), report)


def align_frequencies(
    vocabulary: Vocabulary, reference: np.ndarray, counts: Mapping[int, int], min_count: int
) -> Change:
    """Makes a vocabulary of the ids of a masked contest: the k-th most frequent id inherits from the k-th token.

    Words behind masks keep their frequencies, so that ranks are a better first guess than chance. The special tokens
    stay; ids seen less than min_count times become [UNK]. Equal counts go by number, among tokens by place.

    Args: reference: (tokens,) int, `token_counts` of ordinary text; tokens it lacks come last. counts: of `id_counts`.
    Raises: UserError if no id is frequent enough, or if there are more of them than tokens.
    Reference: https://kexue.fm/archives/8213
    """
    frequent = sorted((number for number in counts if counts[number] >= min_count), key=lambda n: (-counts[n], n))
    barred = np.array([token in SPECIAL_TOKENS or _is_empty(token) for token in vocabulary.tokens])
    ranked = np.argsort(-reference, kind="stable")  # (tokens,)
    ranked = ranked[~barred[ranked]]
    if not frequent:
        raise UserError(
            f"no id is there {min_count} times: {len(counts)} ids, the most frequent {max(counts.values())}."
        )
    if len(frequent) > len(ranked):
        raise UserError(
            f"{len(frequent)} ids, but the checkpoint has only {len(ranked)} tokens to inherit from. Raise the least "
            f"count, now {min_count}: rare ids become [UNK]."
        )
    seen = int(np.count_nonzero(reference[ranked]))
    total = sum(counts.values())
    pairs = list(zip(frequent, ranked.tolist(), strict=False))
    report = {
        "kept": {"total": len(SPECIAL_TOKENS), "special": len(SPECIAL_TOKENS)},
        "dropped": {"total": len(vocabulary) - len(SPECIAL_TOKENS)},
        "added": {
            "total": len(frequent),
            "beyond_reference_text": max(0, len(frequent) - seen),
            "left_out_below_min_count": len(counts) - len(frequent),
            "most_frequent": {str(number): vocabulary.tokens[token] for number, token in pairs[:100]},
        },
        "coverage": {
            "before": _share(sum(count for number, count in counts.items() if str(number) in vocabulary.ids), total),
            "after": _share(sum(counts[number] for number in frequent), total),
        },
    }
    tokens = [*SPECIAL_TOKENS, *map(str, frequent)]
    rows = np.array([*vocabulary.special_ids, *(token for _, token in pairs)])
    return Change(tokens, _one_each(rows), report)


def _is_empty(token: str) -> bool:
    """Whether no text is ever cut into the token, so that its embedding was never learned."""
    return not token.strip() or UNUSED.fullmatch(token) is not None


def _one_each(rows: np.ndarray) -> Ragged:
    """Returns rows of one old id each."""
    return Ragged(rows.astype(np.int64), np.arange(len(rows) + 1))


def _share(part: int, total: int) -> float:
    return round(part / total, 8) if total else 0.0


def _kind(token: str) -> str:
    """Names the kind of a token, for reports."""
    if UNUSED.fullmatch(token):
        return "unused"
    if token.startswith("##") and len(token) > 2:
        return "continuations"
    if len(token) == 1:
        return "chinese_characters" if is_ideograph(token) else "other_characters"
    return "words"
