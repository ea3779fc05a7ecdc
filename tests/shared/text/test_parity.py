"""Against what transformers made of the same texts, see tests/data/tokenizers/make_vectors.py."""

import json
from pathlib import Path

import pytest

from shared.text.settings import TextSettings
from shared.text.tokenizer import Tokenizer
from shared.text.units import tokenizer_for, units_of
from shared.text.vocabulary import Vocabulary

DATA = Path(__file__).parents[2] / "data" / "tokenizers"
VOCABULARIES = {
    "char": Vocabulary.load(DATA / "characters.txt"),
    "word": Vocabulary.load(DATA / "words.txt"),
}
FAST, SLOW = (json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["cases"] for name in ("fast", "slow"))

# Where we differ on purpose, with the reason.
COMMANDS = {"[CLS]今天[SEP]"}  # a special token's name in a text is a command to the tokenizers in Python, text to us
# RoFormer's tokenizer in Python looks for words before accents and control characters go, and cuts words at them.
# The published pre-training and transformers' later one clean first.
CLEANED_LATER = {
    "Café naïve ÉCOLE résumé",
    "下\u0301雨\u0308 e\u0301",
    "今\u200b天\ufeff北\u200d京",
    "今\x00天\x07下\x7f雨\ufffd",
    "\ue000北京\uf8ff大学",
    "İstanbul ẞtraße ŉ ﬁ ½ Ⅱ ① ㈠ ℃",
    "≠ ≥ © ™ $5 £6 ￥7 ~`^",
    "한국 어 カタカナ ひらがな",
}
NOT_CUT = {"我用c#和c++"}  # words with punctuation, out of the vocabulary, remain one WordPiece word there


def tokenizer_of(units: str, lowercase: bool) -> Tokenizer:
    return tokenizer_for(VOCABULARIES[units], TextSettings(vocabulary=None, lowercase=lowercase))


def cases(made: list[dict], units: str, lowercase: bool) -> list[dict]:
    return [case for case in made if (case["units"], case["lowercase"]) == (units, lowercase)]


def test_each_vocabulary_tells_its_units():
    for units, vocabulary in VOCABULARIES.items():
        assert units_of(vocabulary, TextSettings(vocabulary=None)) == units


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
@pytest.mark.parametrize("units", ["char", "word"])
def test_ids_and_offsets_are_those_of_transformers(units, lowercase):
    chosen = cases(FAST, units, lowercase)
    got = tokenizer_of(units, lowercase).encode_batch([case["text"] for case in chosen])
    for case, tokens in zip(chosen, got, strict=True):
        same = (tokens.ids.tolist(), tokens.offsets.tolist()) == (case["ids"], case["offsets"])
        assert same or (units == "word" and case["text"] in NOT_CUT), case["text"]


@pytest.mark.parametrize("lowercase", [True, False], ids=["uncased", "cased"])
@pytest.mark.parametrize("units", ["char", "word"])
def test_ids_are_those_of_the_tokenizers_in_python(units, lowercase):
    chosen = cases(SLOW, units, lowercase)
    got = tokenizer_of(units, lowercase).encode_ids([case["text"] for case in chosen])
    for case, ids in zip(chosen, got, strict=True):
        same = ids.tolist() == case["ids"]
        assert same or case["text"] in (CLEANED_LATER if units == "word" else COMMANDS), case["text"]


def test_the_known_differences_exist_and_are_no_others():
    texts = list(dict.fromkeys(case["text"] for case in SLOW))
    for made, units, different in ((SLOW, "char", COMMANDS), (SLOW, "word", CLEANED_LATER), (FAST, "word", NOT_CUT)):
        wanted = {case["text"]: case["ids"] for case in cases(made, units, True)}
        got = tokenizer_of(units, True).encode_ids(texts)
        assert {text for text, ids in zip(texts, got, strict=True) if ids.tolist() != wanted[text]} == different
