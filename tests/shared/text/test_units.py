import pytest
from pydantic import ValidationError

from shared.text.settings import TextSettings
from shared.text.tokenizer import Tokenizer
from shared.text.units import tokenizer_for, units_of, units_warning
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary, learn_vocabulary
from shared.text.word_units import WordTokenizer

CHARACTERS = Vocabulary([*SPECIAL_TOKENS, *"今天下雨", "##a", "2021", "##今天", "の人"])
WORDS = Vocabulary([*SPECIAL_TOKENS, *"今天下雨", "今天", "下雨"])


def text_settings(**values) -> TextSettings:
    return TextSettings(vocabulary=None, **values)


def test_units_follow_the_vocabulary_unless_the_settings_say():
    assert units_of(CHARACTERS, text_settings()) == "char"
    assert units_of(WORDS, text_settings()) == "word"
    assert units_of(WORDS, text_settings(units="char")) == "char"
    assert units_of(CHARACTERS, text_settings(units="word")) == "word"


def test_a_stray_word_among_hundreds_of_characters_makes_no_word_vocabulary():
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 193)]
    assert units_of(Vocabulary([*SPECIAL_TOKENS, *characters, "今天", "下雨"]), text_settings()) == "char"
    assert units_of(Vocabulary([*SPECIAL_TOKENS, *characters, "今天", "下雨", "天下"]), text_settings()) == "word"


def test_a_learned_vocabulary_is_one_of_characters():
    learned = learn_vocabulary(["今天下雨了 wto2021"] * 30, 1, 21128, lowercase=True)
    assert units_of(learned, text_settings()) == "char"


def test_the_tokenizer_is_of_the_units_and_case():
    assert type(tokenizer_for(CHARACTERS, text_settings())) is Tokenizer
    assert type(tokenizer_for(WORDS, text_settings())) is WordTokenizer
    assert len(tokenizer_for(WORDS, text_settings()).encode_ids(["今天"])[0]) == 1
    lower, cased = (
        tokenizer_for(Vocabulary([*SPECIAL_TOKENS, "a"]), text_settings(lowercase=lowercase)).encode_ids(["A"])[0]
        for lowercase in (True, False)
    )
    assert (lower.tolist(), cased.tolist()) == ([5], [1])


def test_other_units_are_refused():
    with pytest.raises(ValidationError):
        text_settings(units="byte")


def test_words_for_spans_are_warned_of():
    for settings in (text_settings(), text_settings(units="word")):
        warning = units_warning(settings, WORDS, True)
        assert warning is not None
        assert warning.startswith("tokens are words")
        assert "\n" not in warning
        assert units_warning(settings, WORDS, False) is None


def test_characters_are_warned_of_where_the_model_knows_words():
    assert "2 of the vocabulary's 11 tokens" in str(units_warning(text_settings(units="char"), WORDS, True))
    assert units_warning(text_settings(), CHARACTERS, True) is None
    assert units_warning(text_settings(units="char"), CHARACTERS, True) is None


def test_words_without_a_word_in_the_vocabulary_are_warned_of():
    assert "holds no word" in str(units_warning(text_settings(units="word"), CHARACTERS, False))
