import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UserError
from shared.text.settings import TextSettings
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary, learn_vocabulary, vocabulary_for

SPECIAL = list(SPECIAL_TOKENS)
TEXTS = st.lists(st.text(st.sampled_from("今天气好！ab1ＡéÉ👍\u200d\u0301 \n"), max_size=12), max_size=8)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def vocab_file(tmp_path, content: str | bytes):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(tmp_path, content: str | bytes) -> str:
    with pytest.raises(UserError) as error:
        Vocabulary.load(vocab_file(tmp_path, content))
    return str(error.value).replace(f"{tmp_path}/", "")


def learned(texts, min_count=1, max_size=1000, lowercase=True) -> list[str]:
    """The tokens learned beyond those that every vocabulary has."""
    tokens = learn_vocabulary(texts, min_count, max_size, lowercase).tokens
    return tokens[len(learn_vocabulary([], min_count, max_size, lowercase)) :]


def test_the_id_of_a_token_is_its_place():
    vocabulary = Vocabulary([*SPECIAL, "今", "天"])
    assert vocabulary.ids["天"] == 6
    assert len(vocabulary) == 7
    assert vocabulary.special_ids == (0, 1, 2, 3, 4)


def test_special_tokens_may_stand_anywhere_behind_the_padding(tmp_path):
    path = vocab_file(tmp_path, "[PAD]\n[unused1]\n今\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
    assert Vocabulary.load(path).special_ids == (0, 3, 4, 5, 6)


def test_a_missing_special_token_is_named(tmp_path):
    text = fault(tmp_path, "[PAD]\n[UNK]\n[CLS]\n今\n")
    assert text == "vocab.txt: no [SEP], [MASK]. A BERT vocab.txt has [PAD], [UNK], [CLS], [SEP], [MASK]."


def test_an_empty_file_lacks_all_special_tokens(tmp_path):
    assert fault(tmp_path, "").startswith("vocab.txt: no [PAD], [UNK], [CLS], [SEP], [MASK].")


def test_padding_must_come_first(tmp_path):
    text = fault(tmp_path, "[UNK]\n[PAD]\n[CLS]\n[SEP]\n[MASK]\n")
    assert text.startswith("vocab.txt:2: [PAD] must be the first line (id 0)")


def test_a_token_given_twice_is_named_with_both_lines(tmp_path):
    text = fault(tmp_path, "\n".join([*SPECIAL, "今", "天", "今", "气"]))
    assert text.startswith("vocab.txt:8: token '今' stands here and at line 6. A token has one id")


def test_a_token_given_twice_through_windows_line_ends_is_named(tmp_path):
    text = fault(tmp_path, "\r\n".join([*SPECIAL, "今"]) + "\n今\n")
    assert text.startswith("vocab.txt:7: token '今' stands here and at line 6.")


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u2028", "\u3000"])
def test_blank_tokens_may_repeat_and_keep_their_places(tmp_path, blank):
    vocabulary = Vocabulary.load(vocab_file(tmp_path, "\n".join([*SPECIAL, blank, blank, "今", ""])))
    assert (len(vocabulary), vocabulary.ids["今"]) == (8, 7)
    assert Tokenizer(vocabulary, lowercase=True).encode_ids([f"{blank}今 \u3000今"])[0].tolist() == [7, 7]
    vocabulary.save(tmp_path / "again.txt")
    assert Vocabulary.load(tmp_path / "again.txt").tokens == vocabulary.tokens


def test_unused_tokens_are_tokens_that_no_text_has(tmp_path):
    vocabulary = Vocabulary.load(vocab_file(tmp_path, "\n".join(["[PAD]", "[unused1]", *SPECIAL[1:], "今"])))
    assert 1 not in Tokenizer(vocabulary, lowercase=True).encode_ids(["[unused1]今"])[0].tolist()


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path):
    text = fault(tmp_path, "\n".join(SPECIAL).encode() + b"\n" + "今".encode("gb18030") + b"\n")
    assert text.startswith("vocab.txt:6: not UTF-8: byte 0xbd")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none.txt: no such file"):
        Vocabulary.load(tmp_path / "none.txt")


@pytest.mark.parametrize("change", ["\n", "\r\n", "\n\n"], ids=["no change", "CRLF", "empty last line"])
def test_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path, change):
    lines = [*SPECIAL, "今", "##天"]
    text = "\ufeff" + ("\r\n" if change == "\r\n" else "\n").join(lines) + change
    assert Vocabulary.load(vocab_file(tmp_path, text)).tokens == lines


def test_only_line_feeds_end_a_line(tmp_path):
    lines = [*SPECIAL, "\u2028", "\u0085", "\u3000"]
    assert Vocabulary.load(vocab_file(tmp_path, "\n".join(lines))).tokens == lines


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=4))
def test_a_learned_vocabulary_is_saved_and_loaded_unchanged(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    vocabulary = learn_vocabulary(texts, 1, 21128, lowercase=False)
    vocabulary.save(path)
    assert Vocabulary.load(path).tokens == vocabulary.tokens


@settings(deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_the_texts_does_not_matter(texts, randomness: random.Random):
    shuffled = texts.copy()
    randomness.shuffle(shuffled)
    assert learned(texts) == learned(shuffled)


@settings(deadline=None)
@given(st.lists(ANY_TEXT, max_size=4), st.booleans())
def test_nothing_in_the_texts_learned_from_is_unknown(texts, lowercase):
    vocabulary = learn_vocabulary(texts, 1, 21128, lowercase)
    unknown = vocabulary.ids["[UNK]"]
    assert all(unknown not in ids.tolist() for ids in Tokenizer(vocabulary, lowercase).encode_ids(texts))


def test_characters_stand_by_falling_count_then_by_code_point():
    assert learned(["天今气", "天今", "天"]) == ["天", "今", "气"]
    assert learned(["气今天"]) == ["今", "天", "气"]


def test_rare_characters_are_left_out():
    assert learned(["天天今"], min_count=2) == ["天"]


def test_only_characters_inside_a_word_get_a_continuation():
    assert learned(["αβ 今"]) == ["##β", "α", "今"]


def test_frequent_words_and_numbers_become_one_token():
    assert set(learned(["covid19 wto"] * 10)) == {"covid19", "wto"}
    assert learned(["covid19"] * 9) == []
    assert learned(["a" * 13] * 10) == []


def test_every_printable_ascii_character_is_known_unseen():
    tokens = learn_vocabulary([], 2, 1000, lowercase=True).tokens
    assert tokens[:5] == SPECIAL
    assert {"a", "##a", "0", "##0", "~", "!"} <= set(tokens)
    assert "A" not in tokens
    assert {"A", "##A"} <= set(learn_vocabulary([], 2, 1000, lowercase=False).tokens)


def test_lowercase_joins_the_forms_of_a_letter():
    assert learned(["Ä ä Ａ ａ α Α"]) == ["α", "ａ"]
    assert set(learned(["Ä ä"], lowercase=False)) == {"Ä", "ä"}


def test_the_size_is_bounded_and_the_rarest_go():
    small = len(learn_vocabulary([], 1, 1000, lowercase=True)) + 2
    assert learned(["天天天今今气"], max_size=small) == ["天", "今"]
    assert len(learn_vocabulary(["天"], 1, 100, lowercase=False)) == 100


def test_a_named_file_takes_the_place_of_learning(tmp_path):
    path = vocab_file(tmp_path, "\n".join([*SPECIAL, "今"]))
    assert vocabulary_for(TextSettings(vocabulary=str(path)), ["天天"]).tokens[5:] == ["今"]
    assert "天" in vocabulary_for(TextSettings(vocabulary=None), ["天天"]).ids
