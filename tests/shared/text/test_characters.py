import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.text.characters import BLANK, PART, CharacterForms, CharacterKinds, normalizer

IDS = {"[UNK]": 7, "今": 1, "，": 2, "=": 3, "a": 4, "豈": 5}
KINDS = {lowercase: CharacterKinds(IDS, 7, lowercase) for lowercase in (True, False)}
FORMS = {lowercase: CharacterForms(lowercase) for lowercase in (True, False)}


def codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), "<u4")


def forms(text: str, lowercase: bool = True) -> tuple[str, list[int]]:
    found, places = FORMS[lowercase](codes(text))
    return found.tobytes().decode("utf-32-le"), places.tolist()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("今，", [1, 2]),
        ("天。", [7, 7]),
        (" \t\r\n\u00a0\u3000\u2028", [BLANK] * 7),
        ("aA1Ａé👍γ", [PART] * 7),
        ("\x00\u200b\ufeff\u0301", [PART] * 4),  # deleted: they part no word, so they are of the word around them
        ("한", [PART]),
    ],
)
def test_kinds_by_hand(text, kind):
    assert KINDS[True](codes(text)).tolist() == kind
    assert KINDS[True](codes(text)).tolist() == kind  # now from the table


def test_an_accent_that_is_stripped_may_leave_punctuation():
    assert KINDS[True](codes("≠")).tolist() == [3]
    assert KINDS[False](codes("≠")).tolist() == [PART]


def test_a_compatibility_form_of_a_chinese_character_is_that_character():
    assert KINDS[True](codes("\uf900")).tolist() == [5]
    assert KINDS[False](codes("\uf900")).tolist() == [7]


@pytest.mark.parametrize(
    ("text", "form", "places"),
    [
        ("今A", "今a", [0, 1]),
        ("é\u0301İß", "eiß", [0, 2, 3]),
        ("a\u200b\x00b\ufeff", "ab", [0, 3]),
        ("\t\u3000", "  ", [0, 1]),
        ("x한y", "x\u1112\u1161\u11aby", [0, 1, 1, 1, 2]),
        ("👍🏽", "👍🏽", [0, 1]),
        ("", "", []),
    ],
)
def test_forms_by_hand(text, form, places):
    assert forms(text) == (form, places)


def test_case_and_accents_stay_unless_lowercase():
    assert forms("Éİ\u0301한", lowercase=False) == ("Éİ\u0301한", [0, 1, 2, 3])


@given(st.text(st.one_of(st.sampled_from("今aÉİß한각é\u0301\u200b\x00\n👍≠"), st.characters(exclude_categories=["C"]))))
def test_forms_are_those_of_the_whole_text(text):
    for lowercase in (True, False):
        form, places = forms(text, lowercase)
        assert sorted(form) == sorted(normalizer(lowercase, spaced=False).normalize_str(text))
        assert places == sorted(places)
