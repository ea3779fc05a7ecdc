from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UserError
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from shared.text.vocabulary_tools import (
    align_frequencies,
    confirmed,
    extend,
    is_basic_character,
    segmenter,
    token_counts,
    trim,
    word_counts,
)
from shared.text.word_units import WordTokenizer

TOKENS = [*SPECIAL_TOKENS, "[unused1]", *"北京天气好上海。a1", "##a", "##1", "abc", "##bc", "京都", "##北", "も", "“"]


@pytest.fixture
def vocabulary():
    return Vocabulary(TOKENS)


def counts_of(vocabulary, *texts):
    return token_counts(texts, Tokenizer(vocabulary, True), len(vocabulary))


def tokens_of(vocabulary, texts):
    return [[vocabulary.tokens[i] for i in ids] for ids in Tokenizer(vocabulary, True).encode_ids(texts)]


def test_tokens_are_counted_over_portions_of_a_stream(vocabulary, monkeypatch):
    monkeypatch.setattr("shared.text.vocabulary_tools.TEXTS_AT_ONCE", 2)
    counts = counts_of(vocabulary, "北京", "北 abca", "", "猫")
    named = {vocabulary.tokens[i]: int(counts[i]) for i in np.flatnonzero(counts)}
    assert named == {"北": 2, "京": 1, "abc": 1, "##a": 1, "[UNK]": 1}


def test_trim_keeps_special_and_used_tokens_in_their_order(vocabulary):
    change = trim(vocabulary, counts_of(vocabulary, "海北北 abca"), keep_characters=False)
    assert change.tokens == [*SPECIAL_TOKENS, "北", "海", "##a", "abc"]
    assert [vocabulary.tokens[i] for i in change.sources.values] == change.tokens
    assert change.sources.lengths.tolist() == [1] * len(change.tokens)


def test_trim_keeps_single_characters_for_unseen_text(vocabulary):
    change = trim(vocabulary, counts_of(vocabulary, "も"))
    assert change.tokens == [*SPECIAL_TOKENS, *"北京天气好上海。a1", "##a", "##1", "も", "“"]
    assert change.report["kept"] == {"special": 5, "used": 1, "characters_not_used": 13}
    assert change.report["dropped"] == {"total": 5, "continuations": 2, "unused": 1, "words": 2}


@pytest.mark.parametrize("token", ["a", "A", "7", "#", "好", "\U00020000", "，", "“", "…", "##a", "##Z", "##9"])
def test_characters_that_unseen_text_is_made_of_are_basic(token):
    assert is_basic_character(token)


@pytest.mark.parametrize("token", ["", " ", "\n", "ab", "好人", "##好", "###", "##ab", "##é", "も", "é", "☺", "[PAD]"])
def test_other_tokens_are_not_basic(token):
    assert not is_basic_character(token)


def test_trim_says_what_unseen_text_would_lose(vocabulary):
    counts = counts_of(
        vocabulary, "北北北猫 京都 abca も"
    )  # 京 都: the word is not looked up by characters; 都 is unknown
    report = trim(vocabulary, counts).report
    assert report["unseen_text"] == {"tokens": 9, "tokens_seen_once": 2, "share_lost_estimate": round(2 / 9, 8)}


def test_trim_is_confirmed_by_the_counts_under_the_new_vocabulary(vocabulary):
    texts = "北京猫 abca"
    counts = counts_of(vocabulary, texts)
    change = trim(vocabulary, counts)
    after = counts_of(Vocabulary(change.tokens), texts)
    assert confirmed(change, counts, after).report["coverage"] == {"before": 0.8, "after": 0.8}
    with pytest.raises(RuntimeError, match="in another way"):
        confirmed(change, counts, np.roll(after, 1))


def test_trim_without_tokens_is_a_slip_of_the_user(vocabulary):
    with pytest.raises(UserError, match="no tokens in the texts"):
        trim(vocabulary, counts_of(vocabulary, "", " "))


@pytest.mark.parametrize("kind", [Tokenizer, WordTokenizer])
@settings(max_examples=100, deadline=None)
@given(
    texts=st.lists(st.text("北京天气都大学abc1 。“も[PAD]#", max_size=12), min_size=1, max_size=4).filter(
        lambda texts: any(text.strip() for text in texts)
    ),
    keep_characters=st.booleans(),
)
def test_texts_are_tokenized_by_the_trimmed_vocabulary_as_by_the_full_one(kind, texts, keep_characters):
    full = Vocabulary([*TOKENS, "北京", "北京大学", "天气", "大"])
    before = kind(full, True)
    change = trim(full, token_counts(texts, before, len(full)), keep_characters)
    after = kind(Vocabulary(change.tokens), True)
    for old, new in zip(before.encode_ids(texts), after.encode_ids(texts), strict=True):
        assert [change.tokens[i] for i in new] == [full.tokens[i] for i in old]


def test_words_are_counted_if_they_have_two_or_more_chinese_characters_and_nothing_else():
    texts = ["北京 天气 好 ab t恤衫 北京", "天气 12 。。"]
    assert word_counts(texts, str.split) == {"北京": 2, "天气": 2}


def test_words_are_cut_by_the_dictionary_alone_after_cleaning():
    segment = segmenter(lowercase=True)
    assert segment("北京大学的\u200b天\x00气")[:3] == ["北京大学", "的", "天气"]
    assert "阿珂诗" not in segment("阿珂诗说")  # a name that only jieba's model of unknown words would find
    assert word_counts(["北京", "大学"], segment) == {"北京": 1, "大学": 1}  # no word goes across texts


def test_extend_adds_the_most_frequent_new_words_at_the_end(vocabulary):
    words = Counter({"北京": 3, "天气": 3, "京都": 9, "上海": 2, "好天": 1, "猫北": 8})
    change = extend(vocabulary, words, Tokenizer(vocabulary, True), limit=2, min_count=2)
    assert change.tokens == [*TOKENS, "北京", "天气"]
    assert change.sources.lengths.tolist() == [1] * len(TOKENS) + [2, 2]
    assert change.sources.values[: len(TOKENS)].tolist() == list(range(len(TOKENS)))
    pieces = [[TOKENS[i] for i in change.sources[row]] for row in range(len(TOKENS), len(change.tokens))]
    assert pieces == [["北", "京"], ["天", "气"]]
    added = change.report["added"]
    assert added["words"] == {"北京": 3, "天气": 3}
    assert (added["total"], added["count_of_last"], added["left_out_with_unknown_character"]) == (2, 3, 1)
    assert added["left_out_below_min_count"] == 1
    assert change.report["coverage"] == {"before": round(9 / 26, 8), "after": round(15 / 26, 8)}


def test_extend_with_nothing_to_add_is_a_slip_of_the_user(vocabulary):
    with pytest.raises(
        UserError, match=r"no word to add: the texts have 2 words .* 1 of them not .* 0 of these at least 5"
    ):
        extend(vocabulary, Counter({"北京": 3, "京都": 9}), Tokenizer(vocabulary, True), limit=9, min_count=5)


def test_masked_ids_inherit_from_the_tokens_of_their_rank(vocabulary):
    reference = counts_of(vocabulary, "北北北京京天")
    change = align_frequencies(vocabulary, reference, Counter({70: 5, 3: 9, 12: 5, 8: 2, 1: 1}), min_count=2)
    assert change.tokens == [*SPECIAL_TOKENS, "3", "12", "70", "8"]
    assert [TOKENS[i] for i in change.sources.values] == [*SPECIAL_TOKENS, "北", "京", "天", "气"]
    assert change.report["added"] == {
        "total": 4,
        "beyond_reference_text": 1,
        "left_out_below_min_count": 1,
        "most_frequent": {"3": "北", "12": "京", "70": "天", "8": "气"},
    }
    assert change.report["coverage"] == {"before": round(1 / 22, 8), "after": round(21 / 22, 8)}


def test_masked_texts_are_tokenized_id_by_id(vocabulary):
    change = align_frequencies(vocabulary, np.zeros(len(vocabulary), int), Counter({12: 2, 1: 1, 123: 1}), 1)
    assert tokens_of(Vocabulary(change.tokens), ["12 1 123 1234 2"]) == [["12", "1", "123", "[UNK]", "[UNK]"]]


def test_special_and_unused_tokens_give_no_rows(vocabulary):
    reference = np.arange(len(vocabulary))[::-1].copy()  # special tokens most frequent
    change = align_frequencies(vocabulary, reference, Counter({1: 2, 2: 1}), 1)
    assert [TOKENS[i] for i in change.sources.values[5:]] == ["北", "京"]


def test_more_ids_than_tokens_and_no_frequent_id_are_slips_of_the_user(vocabulary):
    reference = np.zeros(len(vocabulary), int)
    with pytest.raises(UserError, match=r"30 ids, but the checkpoint has only 18 tokens .* now 1"):
        align_frequencies(vocabulary, reference, Counter(range(30)), 1)
    with pytest.raises(UserError, match=r"no id is there 3 times: 30 ids, the most frequent 1\."):
        align_frequencies(vocabulary, reference, Counter(range(30)), 3)
