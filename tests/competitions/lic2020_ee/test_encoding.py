import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee.data import Argument, Event, Example
from competitions.lic2020_ee.encoding import align, encode, encode_split, label_spans
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA
from tests.competitions.lic2020_ee.sentences import (
    EXAMPLES,
    GAME,
    NOTHING,
    NUMBER,
    ROLES,
    TWICE,
    TWO,
    example,
    prepared,
    raw,
    settings,
    split_of,
)


def spans(split, row=0) -> list[tuple[int, ...]]:
    return [tuple(one) for one in split.ragged("spans")[row].reshape(-1, 4).tolist()]


def test_a_sentence_becomes_framed_ids_with_their_places():
    split = split_of(GAME)
    ids = split.ragged("token_ids")[0].tolist()
    assert (ids[0], ids[-1], len(ids)) == (2, 3, 12)
    assert split.ragged("char_starts")[0].tolist() == [0, *range(10), 0]
    assert split.ragged("char_ends")[0].tolist() == [0, *range(1, 11), 0]


def test_arguments_become_spans_of_tokens_with_role_and_event():
    assert spans(split_of(TWO)) == [
        (1, 3, NUMBER[COLLAPSE, "时间"], 0),
        (3, 5, NUMBER[COLLAPSE, "坍塌主体"], 0),
        (1, 3, NUMBER["人生-结婚", "时间"], 1),
        (8, 10, NUMBER["人生-结婚", "结婚双方"], 1),
    ]


def test_triggers_are_spans_with_the_number_of_their_type_and_are_there_for_gplinker_only():
    assert split_of(TWICE).ragged("triggers")[0].reshape(-1, 4).tolist() == [[5, 6, 0, 0], [10, 11, 0, 1]]
    assert split_of(TWICE, max_length=11).ragged("triggers")[0].reshape(-1, 4).tolist() == [[5, 6, 0, 0]]
    for scheme in ("bio_per_type", "global_pointer", "gplinker"):
        split = prepared(TWICE, data={"max_length": 64, "scheme": scheme}).splits["train"]
        assert ("triggers" in split) == (scheme == "gplinker")


def test_texts_ids_and_events_are_kept_as_they_are():
    odd = Example("x9", "　今\n日👍 ", (Event(MATCH, "👍", 4, (Argument("时间", "今\n日", 1, ("今天",)),)),))
    split = split_of(odd, NOTHING)
    assert split.ragged("text").texts() == [odd.text, NOTHING.text]
    assert split.ragged("id").texts() == ["x9", NOTHING.id]
    official, nothing = map(json.loads, split.ragged("event_list").texts())
    assert nothing == []
    assert official == [
        {
            "event_type": MATCH,
            "trigger": "👍",
            "trigger_start_index": 4,
            "arguments": [{"argument_start_index": 1, "role": "时间", "argument": "今\n日", "alias": ["今天"]}],
            "class": "竞赛行为",
        }
    ]


def test_a_row_is_cut_and_so_are_the_arguments_that_reach_further():
    split = split_of(GAME, max_length=7)  # [CLS] 周六红星队 [SEP]
    assert len(split.ragged("token_ids")[0]) == 7
    assert spans(split) == [(1, 3, NUMBER[MATCH, "时间"], 0), (3, 6, NUMBER[MATCH, "胜者"], 0)]
    assert [end for _, end, *_ in spans(split_of(GAME, max_length=6))] == [3]  # what is cut in the middle is gone


def aligned(text: str, value: str, *tokens: str) -> list[tuple[int, int]]:
    known = Tokenizer(Vocabulary([*SPECIAL_TOKENS, *tokens]), lowercase=True)
    one = example(text, (MATCH, ("胜者", value)))
    flat = label_spans(one, known.encode_batch([text])[0].offsets, NUMBER, 64)
    return [tuple(span[:2]) for span in flat.reshape(-1, 4).tolist()]


def test_a_boundary_inside_a_token_moves_outwards():
    assert aligned("在ab队", "b队", "在", "ab", "队") == [(2, 4)]
    assert aligned("在ab队", "在a", "在", "ab", "队") == [(1, 3)]
    assert aligned("在ab队", "b", "在", "ab", "队") == [(2, 3)]


def test_blanks_at_the_edges_have_no_token():
    assert aligned("在 红 队", " 红 ", *"在红队") == [(2, 3)]
    assert aligned("在  队", "  ", *"在队") == []


@given(st.data())
def test_a_span_is_aligned_to_all_tokens_that_it_touches(data):
    edges = sorted(data.draw(st.sets(st.integers(0, 12), min_size=2, max_size=8)))
    places = np.array([[a, b] for a, b in itertools.pairwise(edges) if data.draw(st.booleans())], int)
    places = places.reshape(-1, 2)
    start = data.draw(st.integers(0, 11))
    end = data.draw(st.integers(start + 1, 12))
    touched = [token for token, (a, b) in enumerate(places.tolist(), start=1) if a < end and start < b]
    (first,), (last,) = align(places, np.array([start]), np.array([end]))
    assert list(range(first, last)) == touched


def test_splits_labels_and_vocabulary_are_complete():
    chosen = settings(data={"scheme": "bio", "max_length": 64})
    made = encode(raw(EXAMPLES, [GAME], [example("龘")]), chosen)
    assert {name: split.rows for name, split in made.splits.items()} == {"train": 4, "valid": 1, "test": 1}
    assert made.labels == {"schema": SCHEMA.to_json(), "roles": ROLES, "scheme": "bio"}
    assert json.loads(json.dumps(made.labels)) == made.labels
    assert "星" in made.vocabulary.ids
    assert "龘" not in made.vocabulary.ids
    assert made.splits["test"].ragged("spans")[0].tolist() == []


def test_a_given_vocabulary_and_the_case_setting_are_used(tmp_path):
    vocabulary = Vocabulary([*SPECIAL_TOKENS, "红", "A", "a"])
    vocabulary.save(tmp_path / "vocab.txt")
    for lowercase, known in ((True, 7), (False, 6)):
        text = {"vocabulary": str(tmp_path / "vocab.txt"), "lowercase": lowercase}
        made = prepared(example("A红"), text=text)
        assert made.vocabulary.tokens == vocabulary.tokens
        assert made.splits["train"].ragged("token_ids")[0].tolist() == [2, known, 5, 3]


def test_arrays_are_as_small_as_the_vocabulary_allows():
    assert split_of(GAME).ragged("token_ids").values.dtype == np.uint16
    large = Vocabulary([*SPECIAL_TOKENS, *(f"w{number}" for number in range(2**16)), "龘"])
    split = encode_split([example("龘")], Tokenizer(large, True), SCHEMA, 8)
    assert split.ragged("token_ids").values.dtype == np.int32
    assert split.ragged("token_ids")[0].tolist() == [2, len(large) - 1, 3]


def test_no_examples_give_an_empty_split():
    assert encode_split([], Tokenizer(Vocabulary([*SPECIAL_TOKENS]), True), SCHEMA, 8).rows == 0


@pytest.mark.parametrize("kind", ["bert", "roformer"])
def test_a_length_without_positions_is_an_error_for_bert_only(kind):
    backbone = {"kind": kind, "preset": "tiny", "max_positions": 32}
    if kind == "roformer":
        assert settings(model={"backbone": backbone}).data.max_length == 64
    else:
        with pytest.raises(ValueError, match=r"data\.max_length=64 needs 64 positions"):
            settings(model={"backbone": backbone})
