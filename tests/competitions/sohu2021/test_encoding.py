import numpy as np
import pytest

from competitions.sohu2021.data import Example, RawData
from competitions.sohu2021.encoding import encode, encode_split
from competitions.sohu2021.settings import Settings
from shared.arrays import Split
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary

PAIR = Example("ss0_a", 0, "今天下雨", "明天Ａb", 1)
VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *"今天下雨明a"])  # ids from 5 on


def settings(**text) -> Settings:
    return Settings.model_validate(
        {
            "data": {"max_length": 16},
            "text": {"vocabulary": None, "min_count": 1} | text,
            "model": {"backbone": {"kind": "roformer", "preset": "tiny"}, "condition": "cln"},
            "train": {"seed": 0, "epochs": 1, "batch_size": 4, "bucket_lengths": [8, 16], "learning_rate": 1e-3},
            "hardware": {},
            "evaluate": {},
            "predict": {},
        }
    )


def encoded(*examples: Example, max_length: int = 16) -> Split:
    return encode_split(examples, Tokenizer(VOCABULARY, lowercase=True), max_length)


def raw(train=(PAIR,), valid=(PAIR,), test=(PAIR,)) -> RawData:
    return RawData(list(train), list(valid), list(test), [], [])


def test_a_pair_becomes_framed_ids_and_segments():
    split = encoded(PAIR)
    assert split.ragged("token_ids")[0].tolist() == [2, 5, 6, 7, 8, 3, 9, 6, 1, 3]  # Ａb is one unknown word
    assert split.ragged("segment_ids")[0].tolist() == [0] * 6 + [1] * 4


def test_texts_ids_variants_and_labels_are_kept():
    rows = [PAIR, Example("ll7_b", 5, "\u3000今\x00👍", "  ", 0), Example("sl1_a", 2, "雨", "天", None)]
    split = encoded(*rows)
    assert split.ragged("source").texts() == [row.source for row in rows]
    assert split.ragged("target").texts() == [row.target for row in rows]
    assert split.ragged("id").texts() == [row.id for row in rows]
    assert split.dense("variant").tolist() == [0, 5, 2]
    assert split.dense("label").tolist() == [1, 0, -1]


def test_the_longer_text_is_trimmed():
    split = encoded(Example("sl0_a", 2, "今" * 100_000, "天天", 1), max_length=16)
    assert split.ragged("token_ids")[0].tolist() == [2] + [5] * 11 + [3, 6, 6, 3]
    assert len(split.ragged("source").texts()[0]) == 100_000


def test_arrays_are_as_small_as_the_vocabulary_allows():
    split = encoded(PAIR)
    types = {name: getattr(field, "values", field).dtype for name, field in split.items()}
    assert (types["token_ids"], types["segment_ids"]) == (np.uint16, np.uint8)
    assert (types["variant"], types["label"]) == (np.int32, np.int32)
    large = Vocabulary([*VOCABULARY.tokens, *(f"w{number}" for number in range(2**16)), "龘"])
    ids = encode_split([Example("ss0_a", 0, "龘", "今", 1)], Tokenizer(large, True), 16).ragged("token_ids")
    assert ids.values.dtype == np.int32
    assert ids[0].tolist() == [2, len(large) - 1, 3, 5, 3]


def test_no_examples_give_an_empty_split():
    split = encoded()
    assert split.rows == 0
    assert split.ragged("token_ids").values.dtype == np.uint16


def test_the_vocabulary_is_learned_from_the_training_texts_alone():
    prepared = encode(raw(test=[Example("ss0_a", 0, "龘", "靐", None)]), settings())
    assert {"今", "明"} <= set(prepared.vocabulary.ids)
    assert "龘" not in prepared.vocabulary.ids
    unknown = prepared.vocabulary.ids["[UNK]"]
    assert prepared.splits["test"].ragged("token_ids")[0].tolist().count(unknown) == 2


def test_a_given_vocabulary_is_used(tmp_path):
    VOCABULARY.save(tmp_path / "vocab.txt")
    prepared = encode(raw(), settings(vocabulary=str(tmp_path / "vocab.txt")))
    assert prepared.vocabulary.tokens == VOCABULARY.tokens


@pytest.mark.parametrize(("lowercase", "known"), [(True, "a"), (False, "A")])
def test_lowercase_reaches_vocabulary_and_tokens(lowercase, known):
    example = Example("ss0_a", 0, "今A", "天", 1)
    prepared = encode(raw(train=[example]), settings(lowercase=lowercase))
    assert prepared.splits["train"].ragged("token_ids")[0][2] == prepared.vocabulary.ids[known]


def test_splits_and_labels_are_complete():
    prepared = encode(raw(valid=[PAIR, PAIR]), settings())
    assert {name: split.rows for name, split in prepared.splits.items()} == {"train": 1, "valid": 2, "test": 1}
    assert prepared.labels == {"variants": ["ss_a", "ss_b", "sl_a", "sl_b", "ll_a", "ll_b"], "labels": ["0", "1"]}
