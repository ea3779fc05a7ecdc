import json
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_re import encoding
from competitions.lic2020_re.data import Example, official
from competitions.lic2020_re.encoding import Places, distance, encode, encode_split, nearest, overlap
from shared.arrays import Split
from shared.text.tokenizer import Tokenizer
from tests.competitions.lic2020_re.layout import SCHEMA
from tests.competitions.lic2020_re.sentences import (
    EXAMPLES,
    FILM,
    LABELS,
    NUMBER,
    prepared,
    raw,
    settings,
    split_of,
    triple,
    vocabulary,
)


def named_spans(split: Split, row: int = 0) -> list[tuple[str, str, str, str]]:
    """The labelled values of a row: subject, predicate, slot, object as the text under the tokens."""
    text = split.ragged("text").texts()[row]
    starts, ends = split.ragged("char_starts")[row], split.ragged("char_ends")[row]
    relations = list(NUMBER)
    return [
        (text[starts[a] : ends[b - 1]], *relations[relation], text[starts[c] : ends[d - 1]])
        for a, b, c, d, relation in split.ragged("spans")[row].reshape(-1, 5).tolist()
    ]


def spans(example: Example, max_length: int = 64) -> list[list[int]]:
    return split_of(example, max_length=max_length).ragged("spans")[0].reshape(-1, 5).tolist()


def test_a_sentence_becomes_framed_tokens_with_their_places_in_the_text():
    split = split_of(Example("北 岸", ()))
    ids = vocabulary("北岸").ids
    assert split.ragged("token_ids")[0].tolist() == [ids["[CLS]"], ids["北"], ids["岸"], ids["[SEP]"]]
    assert split.ragged("char_starts")[0].tolist() == [0, 0, 2, 0]
    assert split.ragged("char_ends")[0].tolist() == [0, 1, 3, 0]


def test_texts_and_triples_are_kept_in_the_official_form():
    examples = [*EXAMPLES, Example(" 雨\u200b👍", ())]
    split = split_of(*examples)
    assert split.ragged("text").texts() == [example.text for example in examples]
    assert [json.loads(one) for one in split.ragged("spo_list").texts()] == [
        [official(one, SCHEMA) for one in example.triples] for example in examples
    ]


def test_every_slot_of_every_triple_is_labelled():
    split = split_of(*EXAMPLES)
    for row, example in enumerate(EXAMPLES):
        assert named_spans(split, row) == [
            (one.subject, one.predicate, slot, value) for one in example.triples for slot, value in one.object
        ]


def test_spans_are_half_open_tokens_with_cls_at_zero():
    assert spans(Example("北岸由江雪执导", (triple("北岸", "导演", "江雪"),))) == [
        [1, 3, 4, 6, NUMBER["导演", "@value"]]
    ]


def test_a_subject_is_labelled_at_its_first_place_and_its_object_nearest_to_it():
    example = Example("江雪和北岸，北岸由江雪执导，江雪说北岸好", (triple("北岸", "导演", "江雪"),))
    assert [row[:4] for row in spans(example)] == [[4, 6, 1, 3]]


def test_an_object_inside_its_subject_is_labelled_elsewhere_if_it_stands_there():
    assert [row[:4] for row in spans(Example("北岸电影由北岸执导", (triple("北岸电影", "导演", "北岸"),)))] == [
        [1, 5, 6, 8]
    ]
    assert [row[:4] for row in spans(Example("北岸电影好看", (triple("北岸电影", "导演", "北岸"),)))] == [[1, 5, 1, 3]]


def test_another_slot_is_labelled_nearest_to_the_value():
    # 苏禾 1, 白塔 6, 小满 10, 白塔 14: the second 白塔 is nearer to 小满, the first to 苏禾.
    example = Example("苏禾和片子白塔，演了小满（白塔）", (triple("苏禾", "饰演", "小满", inWork="白塔"),))
    assert [row[2:4] for row in spans(example)] == [[11, 13], [14, 16]]


def test_repeated_triples_are_labelled_once():
    assert len(spans(Example("北岸由江雪执导", (triple("北岸", "导演", "江雪"),) * 2))) == 1


def test_values_behind_the_cut_are_not_labelled():
    example = Example(FILM.text, (*FILM.triples, triple("主演", "导演", "江雪")))
    split = split_of(example, max_length=14)  # [CLS] 《 北 岸 》 由 江 雪 执 导 ， 陆 平 [SEP]
    assert len(split.ragged("token_ids")[0]) == 14
    assert named_spans(split) == [("北岸", "导演", "@value", "江雪"), ("北岸", "主演", "@value", "陆平")]


def test_a_value_that_the_cut_splits_is_not_labelled():
    assert named_spans(split_of(FILM, max_length=13)) == [("北岸", "导演", "@value", "江雪")]


def test_slots_without_a_place_leave_the_others_of_their_triple():
    example = Example("苏禾演小满，片名白塔", (triple("苏禾", "饰演", "小满", inWork="白塔"),))
    assert named_spans(split_of(example, max_length=9)) == [("苏禾", "饰演", "@value", "小满")]
    assert spans(Example("苏禾演小满", (triple("苏禾", "饰演", "无此人", inWork="小满"),))) == [
        [1, 3, 4, 6, NUMBER["饰演", "inWork"]]
    ]


def places(text: str, value: str, words: str = "") -> list[str]:
    """The text under each place of the value; words: known ones of more than a character, set apart by blanks."""
    tokens = Tokenizer(type(vocabulary())([*vocabulary(text).tokens, *words.split()]), True).encode_batch([text])[0]
    starts, ends = (np.pad(tokens.offsets[:, side], 1) for side in (0, 1))
    return [text[starts[a] : ends[b - 1]] for a, b in Places(text, starts, ends).of(value)]


def test_a_place_inside_a_token_is_widened_to_whole_tokens():
    assert places("看abcd吧", "bc", words="abcd") == ["abcd"]
    assert places("看abcd吧", "看a", words="abcd") == ["看abcd"]


def test_places_of_whole_tokens_are_preferred():
    assert places("看abcd和bc", "bc", words="abcd bc") == ["bc"]
    assert places("看bc和bc", "bc", words="bc") == ["bc", "bc"]


def test_blanks_at_the_edge_of_a_value_are_left_out():
    assert places("看 北岸 吧", " 北岸 ") == ["北岸"]


@pytest.mark.parametrize("value", ["南", "岸北", " ", "\u3000"])
def test_what_has_no_token_has_no_place(value):
    assert places("北 岸\u3000", value) == []


def test_overlapping_places_all_count():
    assert places("哈哈哈", "哈哈") == ["哈哈", "哈哈"]


@given(st.text("ab北岸 é한Ａ１👍\u200b" + string.punctuation, min_size=1, max_size=12), st.data())
def test_a_place_of_whole_tokens_gives_back_the_value(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    value = text[start : data.draw(st.integers(start + 1, len(text)))]
    found = places(text, value)
    core = value.strip(" \u200b")  # what has tokens
    assert all(core in one or one in value for one in found)
    if value in found:
        assert set(found) == {value}


def test_nearest_counts_the_tokens_between_and_avoids_overlaps():
    assert nearest((5, 7), [(0, 2), (10, 11)]) == (0, 2)  # on a tie the first
    assert nearest((5, 7), [(0, 2), (9, 10)]) == (9, 10)
    assert nearest((5, 7), [(6, 8), (20, 21)]) == (20, 21)
    assert nearest((5, 7), [(6, 8), (4, 6)]) == (6, 8)
    assert (distance((1, 3), (3, 4)), distance((5, 6), (1, 3)), distance((1, 5), (2, 3))) == (0, 2, 0)
    assert (overlap((1, 3), (3, 4)), overlap((1, 3), (2, 9)), overlap((2, 9), (1, 3))) == (False, True, True)


def test_portions_give_what_the_whole_gives(monkeypatch):
    whole = split_of(*EXAMPLES)
    monkeypatch.setattr(encoding, "TEXTS_AT_ONCE", 2)
    for name, field in split_of(*EXAMPLES).items():
        np.testing.assert_array_equal(field.values, whole[name].values)
        np.testing.assert_array_equal(field.offsets, whole[name].offsets)


def test_arrays_are_small_and_an_empty_split_has_them_too():
    types = {"token_ids": np.uint16, "char_starts": np.int32, "char_ends": np.int32, "spans": np.int32}
    for split in (split_of(*EXAMPLES), encode_split([], Tokenizer(vocabulary(), True), SCHEMA, 64)):
        assert {name: split.ragged(name).values.dtype for name in types} == types
    assert split.rows == 0


def test_the_vocabulary_is_learned_from_the_training_texts_alone():
    made = encode(raw([FILM], test=[Example("龘", ())]), settings())
    assert {"北", "演"} <= set(made.vocabulary.ids)
    assert made.splits["test"].ragged("token_ids")[0].tolist()[1] == made.vocabulary.ids["[UNK]"]


def test_splits_and_labels_are_complete_and_plain_json():
    made = prepared(EXAMPLES, [FILM])
    assert {name: split.rows for name, split in made.splits.items()} == {"train": 3, "valid": 1, "test": 0}
    assert made.labels == json.loads(json.dumps(made.labels)) == LABELS


def test_the_longest_text_is_cut_at_the_limit():
    made = prepared([Example("北" * 100_000, ())], data={"max_length": 32})
    assert len(made.splits["train"].ragged("token_ids")[0]) == 32
