import unicodedata

import numpy as np
import pytest
import rjieba
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer

from shared.errors import UserError
from shared.text.characters import normalizer
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from shared.text.word_units import WordTokenizer

WORDS = ["今天", "天气", "下雨", "北京", "大学", "北京大学", "中国", "我们", "T恤", "t恤", "pro", "deep"]
TOKENS = [
    *SPECIAL_TOKENS,
    *"今天下雨北京大学中国我们气很好abcdeprot恤！，.+13",
    *(f"##{c}" for c in "abcdepro0天京"),
    *WORDS,
]
VOCABULARY = Vocabulary(list(dict.fromkeys(TOKENS)))
UNCASED, CASED = WordTokenizer(VOCABULARY, lowercase=True), WordTokenizer(VOCABULARY, lowercase=False)

PARTS = [
    *WORDS,
    *["天气预报", "清华大学", "中国人民", "c++", "A股", "Ａ股", "𠀀", "㐀", "龘", "한국", "café", "covid-19", "3.14"],
    *"今天京学 \t\r\n\u3000\u2028！，。+#&._%-[]",
    *["\u200b", "\u200d", "\ufeff", "\x00", "\x07", "\ufffd", "\ue000", "\u0301", "\u0308", "👍🏽", "👨", "\ufe0f"],
    *"ÉéİıßẞΣς①Ⅱ½ﬁ≠",
]
TEXT = st.lists(st.one_of(st.sampled_from(PARTS), st.characters(exclude_categories=["Cs", "Cn"])), max_size=12).map(
    "".join
)


def tokens_of(tokenizer: Tokenizer, text: str) -> list[str]:
    return [VOCABULARY.tokens[i] for i in tokenizer.encode_ids([text])[0]]


def slices_of(tokenizer: Tokenizer, text: str) -> list[str]:
    return [text[start:end] for start, end in tokenizer.encode_batch([text])[0].offsets.tolist()]


def word_by_word(text: str, lowercase: bool) -> list[tuple[int, int, int]]:
    """The definition, one step after the other: (id, start, end) of each token."""
    clean = normalizer(lowercase, spaced=False)
    normalized = [(form, place) for place, character in enumerate(text) for form in clean.normalize_str(character)]
    characters = BertWordPieceTokenizer(
        vocab=VOCABULARY.ids, clean_text=True, handle_chinese_chars=True, lowercase=lowercase
    )
    found, position = [], 0
    for word in rjieba.cut("".join(form for form, _ in normalized), False):
        if word in VOCABULARY.ids:
            pieces = [(VOCABULARY.ids[word], 0, len(word))]
        else:
            encoding = characters.encode(word, add_special_tokens=False)
            pieces = [(index, *place) for index, place in zip(encoding.ids, encoding.offsets, strict=True)]
        for index, start, end in pieces:
            found.append((index, normalized[position + start][1], normalized[position + end - 1][1] + 1))
        position += len(word)
    return found


@settings(deadline=None)
@given(st.lists(TEXT, max_size=3))
def test_tokens_are_those_of_the_definition(texts):
    for tokenizer, lowercase in ((UNCASED, True), (CASED, False)):
        for text, got in zip(texts, tokenizer.encode_batch(texts), strict=True):
            want = word_by_word(text, lowercase)
            assert got.ids.tolist() == [index for index, _, _ in want]
            assert got.offsets.tolist() == [[start, end] for _, start, end in want]


@settings(deadline=None)
@given(TEXT)
def test_offsets_rise_and_no_visible_character_is_lost(text):
    covered, last = set(), (0, 0)
    for start, end in CASED.encode_batch([text])[0].offsets.tolist():
        assert 0 <= start < end <= len(text)
        assert start >= last[1]
        covered.update(range(start, end))
        last = (start, end)
    for place, character in enumerate(text):
        hidden = unicodedata.category(character).startswith("C") or character.isspace() or character == "\ufffd"
        assert hidden or place in covered, (place, character)


@settings(deadline=None)
@given(TEXT)
def test_a_slice_normalised_is_its_token(text):
    clean, encoded = normalizer(True, spaced=False), UNCASED.encode_batch([text])[0]
    for token_id, (start, end) in zip(encoded.ids.tolist(), encoded.offsets.tolist(), strict=True):
        token = VOCABULARY.tokens[token_id]
        if token != "[UNK]":
            assert clean.normalize_str(text[start:end]) == token.removeprefix("##")


@pytest.mark.parametrize(
    ("text", "tokens", "slices"),
    [
        ("我们今天下雨", ["我们", "今天", "下雨"], ["我们", "今天", "下雨"]),
        ("今天天气很好", ["今", "天", "天", "气", "很", "好"], list("今天天气很好")),  # jieba: 今天天气, 很, 好
        ("北京大学 北京", ["北京大学", "北京"], ["北京大学", "北京"]),
        ("天气预报", ["天", "气", "[UNK]", "[UNK]"], ["天", "气", "预", "报"]),  # a word of jieba, none of ours
        ("北\u200b京，", ["北京", "，"], ["北\u200b京", "，"]),
        ("北京\u200b\x00", ["北京"], ["北京"]),
        ("\ufeff北京\r\n下雨", ["北京", "下雨"], ["北京", "下雨"]),
        ("北\n京", ["北", "京"], ["北", "京"]),
        ("PRO Pro", ["pro", "pro"], ["PRO", "Pro"]),
        ("prob", ["pro", "##b"], ["pro", "b"]),
        ("T恤", ["t", "恤"], ["T", "恤"]),  # a word in upper case only
        ("deé\u0301p", ["deep"], ["deé\u0301p"]),
        ("c++", ["c", "+", "+"], ["c", "+", "+"]),
        ("👍今天", ["[UNK]", "今天"], ["👍", "今天"]),
        ("13.1", ["[UNK]", ".", "1"], ["13", ".", "1"]),
        ("[SEP]", ["[UNK]", "[UNK]", "[UNK]"], ["[", "SEP", "]"]),
        ("", [], []),
        (" \u200b\u0301", [], []),
    ],
)
def test_tokens_and_slices_by_hand(text, tokens, slices):
    assert tokens_of(UNCASED, text) == tokens
    assert slices_of(UNCASED, text) == slices


def test_case_stays_unless_lowercase():
    assert tokens_of(CASED, "T恤 t恤") == ["T恤", "t", "恤"]
    assert tokens_of(CASED, "PRO") == ["[UNK]"]


def test_words_without_hidden_markov_model_are_dictionary_words():
    assert tokens_of(UNCASED, "今京") == ["今", "京"]  # the model of unknown words might join them


def test_arrays_have_their_types_even_when_empty():
    empty, full = UNCASED.encode_batch(["", "北京"])
    assert (empty.offsets.shape, full.offsets.shape) == ((0, 2), (1, 2))
    assert {array.dtype for array in (empty.ids, empty.offsets, full.ids, full.offsets)} == {np.dtype(np.int32)}
    assert UNCASED.encode_batch([]) == []


def test_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(UserError, match="half of a surrogate pair"):
        UNCASED.encode_batch(["北京\ud83d"])


def test_one_instance_serves_in_any_order():
    texts = ["天气预报 c++", "한국", "prob", "北京"]
    want = [WordTokenizer(VOCABULARY, True).encode_ids([text])[0].tolist() for text in texts]
    assert [UNCASED.encode_ids([text])[0].tolist() for text in reversed(texts)] == want[::-1]
    assert [ids.tolist() for ids in UNCASED.encode_ids(texts, max_tokens=1)] == [ids[:1] for ids in want]
