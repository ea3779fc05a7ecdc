import pytest

from shared.text.casing import casing_warning
from shared.text.settings import TextSettings
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary


def warning(tokens, lowercase):
    return casing_warning(TextSettings(vocabulary=None, lowercase=lowercase), Vocabulary([*SPECIAL_TOKENS, *tokens]))


@pytest.mark.parametrize(
    ("tokens", "lowercase"), [(["a", "中", "##b"], True), (["A", "##Bc", "a"], False), (["中", "a"], True)]
)
def test_a_vocabulary_that_fits_needs_no_word(tokens, lowercase):
    assert warning(tokens, lowercase) is None


def test_special_tokens_do_not_make_a_vocabulary_cased():
    assert warning(["[unused1]", "a"], True) is None


def test_a_cased_vocabulary_wants_capitals_kept():
    assert "2 of the vocabulary's 8 tokens have capital letters" in warning(["A", "##Bc", "a"], True)


def test_an_uncased_vocabulary_has_no_place_for_capitals():
    assert "capitals become [UNK]" in warning(["a", "b"], False)


def test_a_few_odd_tokens_are_no_cased_vocabulary():
    assert warning(["A", *(f"x{number}" for number in range(200))], True) is None
