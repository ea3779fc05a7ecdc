import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import BertWordPieceTokenizer
from tokenizers.normalizers import BertNormalizer

from shared.errors import UserError
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary, learn_vocabulary

SEEN = "今天下雨了，明天放晴。WTO covid19 Ａ１ｂ café 2021年 αβγ 👍🏽 한국 über！"
VOCABULARY = learn_vocabulary([SEEN], 1, 21128, lowercase=True)
CASED_VOCABULARY = learn_vocabulary([SEEN], 1, 21128, lowercase=False)
UNCASED, CASED = Tokenizer(VOCABULARY, lowercase=True), Tokenizer(CASED_VOCABULARY, lowercase=False)
NORMALIZER = BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=True)

DIRT = [
    *"今天龘豈WtoA1é",
    *"Ａｂ１，！。－",  # full-width forms
    *"👍🏽👨👩🇨☀",  # emoji, a skin tone, half of a flag
    *"\u200b\u200c\u200d\ufe0f\ufeff",  # zero-width, joiner, variation selector
    *"\u0301\u0308\u20dd\u0345",  # combining
    *"\x00\x01\x1c\x7f\x85\ufffd",  # control, replacement
    *"\ue000\uf8ff\U000f0000",  # private use
    *" \t\n\u00a0\u2003\u2028\u3000\u1680",  # blanks
    *"ßİŉﬁΣς🅰①㈠½",  # letters that change their number with case or form
    "한",
]
TEXT = st.text(st.one_of(st.sampled_from(DIRT), st.characters(exclude_categories=["Cs"])), max_size=40)


def tokens_of(tokenizer: Tokenizer, text: str) -> list[str]:
    return [tokenizer.vocabulary.tokens[i] for i in tokenizer.encode_ids([text])[0]]


def slices_of(tokenizer: Tokenizer, text: str) -> list[str]:
    return [text[start:end] for start, end in tokenizer.encode_batch([text])[0].offsets.tolist()]


def decomposes(text: str) -> bool:
    """Whether a character of the text falls apart into several that stay, as a Hangul syllable into its letters."""
    return any(
        sum(unicodedata.category(part) != "Mn" for part in unicodedata.normalize("NFD", character)) > 1
        for character in text
    )


@settings(deadline=None)
@given(TEXT)
def test_offsets_are_ranges_inside_the_text_in_rising_order(text):
    for tokenizer in (UNCASED, CASED):
        offsets = tokenizer.encode_batch([text])[0].offsets.tolist()
        last = (0, 0)
        for start, end in offsets:
            assert 0 <= start < end <= len(text)
            # pieces of one decomposed character share its range; all others follow each other
            assert start >= last[1] or ((start, end) == last and decomposes(text[start:end]))
            last = (start, end)


@settings(deadline=None)
@given(TEXT)
@example("ΑΣ")
def test_a_slice_normalised_is_its_token(text):
    encoded = UNCASED.encode_batch([text])[0]
    for token_id, (start, end) in zip(encoded.ids.tolist(), encoded.offsets.tolist(), strict=True):
        token, piece = VOCABULARY.tokens[token_id], text[start:end]
        if token != "[UNK]" and not decomposes(piece):
            assert NORMALIZER.normalize_str(piece) == token.removeprefix("##")


@settings(deadline=None)
@given(TEXT)
def test_no_visible_character_is_lost(text):
    covered = set()
    for start, end in CASED.encode_batch([text])[0].offsets.tolist():
        covered.update(range(start, end))
    for place, character in enumerate(text):
        hidden = unicodedata.category(character).startswith("C") or character.isspace() or character == "\ufffd"
        assert hidden or place in covered, (place, character)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=4))
def test_ids_and_offsets_are_those_of_the_reference(texts):
    for tokenizer, lowercase in ((UNCASED, True), (CASED, False)):
        reference = BertWordPieceTokenizer(
            vocab=tokenizer.vocabulary.ids, clean_text=True, handle_chinese_chars=True, lowercase=lowercase
        )
        for text, got in zip(texts, tokenizer.encode_batch(texts), strict=True):
            want = reference.encode(text, add_special_tokens=False)
            if not any(token in text for token in SPECIAL_TOKENS):  # the reference reads them as commands
                assert got.ids.tolist() == want.ids
                assert got.offsets.tolist() == [list(place) for place in want.offsets]


@pytest.mark.parametrize("around", ["{}", "a{}b", "今{}{}天"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_every_character_of_the_first_planes_is_cut_as_by_the_reference(around, lowercase):
    tokenizer = UNCASED if lowercase else CASED
    reference = BertWordPieceTokenizer(
        vocab=tokenizer.vocabulary.ids, clean_text=True, handle_chinese_chars=True, lowercase=lowercase
    )
    codes = [*range(0x3100), *range(0xA000, 0xAC10), *range(0xF900, 0x10100), *range(0x1D100, 0x1D200)]
    texts = [around.replace("{}", chr(code)) for code in codes]
    wanted = reference.encode_batch(texts, add_special_tokens=False)
    for text, got, want in zip(texts, tokenizer.encode_batch(texts), wanted, strict=True):
        assert (got.ids.tolist(), got.offsets.tolist()) == (want.ids, list(map(list, want.offsets))), ascii(text)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=5))
def test_both_ways_to_encode_agree_in_order(texts):
    full, fast = UNCASED.encode_batch(texts), UNCASED.encode_ids(texts)
    assert [tokens.ids.tolist() for tokens in full] == [ids.tolist() for ids in fast]


@pytest.mark.parametrize(
    ("text", "tokens", "slices"),
    [
        ("今天下雨", ["今", "天", "下", "雨"], ["今", "天", "下", "雨"]),
        ("今WTO天", ["今", "w", "##t", "##o", "天"], ["今", "W", "T", "O", "天"]),
        ("Ａ１ｂ", ["ａ", "##１", "##ｂ"], ["Ａ", "１", "ｂ"]),
        ("下\u0301雨", ["下", "雨"], ["下", "雨"]),
        ("\u3000\u2003今\u2028天\u00a0", ["今", "天"], ["今", "天"]),
        ("今\x00\u200b天\ue000", ["今", "天"], ["今", "天"]),
        ("\ufeff今", ["今"], ["今"]),
        ("龘！", ["[UNK]", "！"], ["龘", "！"]),
        ("今ЖЖ天", ["今", "[UNK]", "天"], ["今", "ЖЖ", "天"]),
        ("👍🏽", ["👍", "##🏽"], ["👍", "🏽"]),
        ("👨\u200d👩", ["[UNK]"], ["👨\u200d👩"]),
        ("", [], []),
        (" \u0301\u200d", [], []),
    ],
)
def test_tokens_and_slices_by_hand(text, tokens, slices):
    assert tokens_of(UNCASED, text) == tokens
    assert slices_of(UNCASED, text) == slices


def test_a_decomposed_accent_belongs_to_the_token_or_falls_between_two():
    assert slices_of(UNCASED, "cafe\u0301 x") == ["c", "a", "f", "e", "x"]
    known = Vocabulary([*VOCABULARY.tokens, "cafe", "ecaf"])
    assert slices_of(Tokenizer(known, lowercase=True), "éCAF") == ["éCAF"]
    assert slices_of(Tokenizer(known, lowercase=True), "e\u0301caf") == ["e\u0301caf"]


def test_pieces_of_a_hangul_syllable_share_its_range():
    encoded = UNCASED.encode_batch(["한국"])[0]
    assert encoded.offsets.tolist() == [[0, 1]] * 3 + [[1, 2]] * 3


def test_special_tokens_in_a_text_are_plain_text():
    assert tokens_of(UNCASED, "[SEP]") == ["[", "s", "##e", "##p", "]"]


def test_a_word_of_more_than_100_characters_is_unknown():
    assert tokens_of(UNCASED, "a" * 100)[0] == "a"
    assert tokens_of(UNCASED, "a" * 101) == ["[UNK]"]


def test_case_and_accents_stay_unless_lowercase():
    assert tokens_of(CASED, "WTO") == ["W", "##T", "##O"]
    assert tokens_of(CASED, "é") == ["[UNK]"]  # seen only inside a word


def test_every_chinese_character_is_one_token():
    text = "".join(chr(code) for code in range(0x4E00, 0x5200))
    assert slices_of(UNCASED, text) == list(text)


def test_texts_are_not_mixed_up_across_portions(monkeypatch):
    texts = ["今天WTO", "", "下雨 ab", "\n", "龘", "wto今", *["a b c"] * 5]
    want = [UNCASED.encode_batch([text])[0] for text in texts]
    for size in (1, 4, 7):
        monkeypatch.setattr("shared.text.tokenizer.CHARACTERS_AT_ONCE", size)
        for got, one in zip(UNCASED.encode_batch(texts), want, strict=True):
            assert got.ids.tolist() == one.ids.tolist()
            assert got.offsets.tolist() == one.offsets.tolist()


def test_thousands_of_new_words_keep_their_order(monkeypatch):
    monkeypatch.setattr("shared.text.tokenizer.WORDS_AT_ONCE", 8)
    words = [format(number, "x") for number in range(1000)]
    tokenizer = Tokenizer(VOCABULARY, lowercase=True)
    together = tokenizer.encode_batch([" ".join(words)])[0]
    assert np.concatenate(tokenizer.encode_ids(words)).tolist() == together.ids.tolist()
    assert np.unique(together.offsets).max() == len(" ".join(words))


def test_cut_ids_are_the_first_ones_and_hold_no_others_in_memory():
    cut = UNCASED.encode_ids(["今天下雨", "wto", ""], max_tokens=2)
    assert [ids.tolist() for ids in cut] == [ids.tolist()[:2] for ids in UNCASED.encode_ids(["今天下雨", "wto", ""])]
    assert all(ids.base is None for ids in cut)


@pytest.mark.parametrize(
    ("texts", "where"),
    [
        (["\ud83d"], r"text 0 of .* character 0: half of a surrogate pair, \\ud83d"),
        (["今天", "", "今a\udc4d天"], r"text 2 of .* character 2: half of a surrogate pair, \\udc4d"),
        (["\ud83d\udc4d"], r"text 0 of .* character 0: half of a surrogate pair, \\ud83d"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_with_its_place(texts, where):
    for encode in (UNCASED.encode_batch, UNCASED.encode_ids):
        with pytest.raises(UserError, match=where):
            encode(texts)


def test_a_text_of_100000_characters(rng):
    text = "".join(rng.choice(list("今天下雨明晴a龘👍"), 100_000))
    offsets = UNCASED.encode_batch([text])[0].offsets
    assert offsets[-1, 1] >= len(text) - 1
    assert (offsets[1:, 0] >= offsets[:-1, 1]).all()


def test_arrays_have_their_types_even_when_empty():
    empty, full = UNCASED.encode_batch(["", "今天"])
    assert empty.offsets.shape == (0, 2)
    assert full.offsets.shape == (2, 2)
    assert {array.dtype for array in (empty.ids, empty.offsets, full.ids, full.offsets)} == {np.dtype(np.int32)}
    assert UNCASED.encode_ids([]) == []


def test_special_ids_are_those_of_the_vocabulary():
    vocabulary = Vocabulary(["[PAD]", "[SEP]", "[CLS]", "[UNK]", "[MASK]"])
    tokenizer = Tokenizer(vocabulary, lowercase=True)
    assert (tokenizer.cls_id, tokenizer.sep_id) == (2, 1)
    assert tokenizer.encode_ids(["今"])[0].tolist() == [3]
