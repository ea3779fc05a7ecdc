import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competitions.sohu2021.data import RawData
from competitions.sohu2021.encoding import encode, encode_split
from competitions.sohu2021.trim import HeadTail, head_tail, kept_lengths, sentences, trim_for
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.sohu2021.tricks import CHARACTERS, TOKENIZER, VOCABULARY, example, split, tricks, word

LONG = "天地玄黄宇宙洪荒日月盈昃"
TEXTS = st.lists(st.tuples(st.text(CHARACTERS + "。", max_size=60), st.text(CHARACTERS, max_size=60)), max_size=4)


def data(**changes):
    return tricks(data={"max_length": 16, **changes}).data


def test_longest_needs_no_trim():
    assert trim_for(data(), []) is None


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0, 1))
def test_head_and_tail_are_the_first_and_last_tokens(size, length, share):
    ids = np.arange(size)
    got = head_tail(ids, length, share)
    tail = int(length * share)
    want = ids if size <= length else [*range(length - tail), *range(size - tail, size)]
    np.testing.assert_array_equal(got, want)


def test_a_text_too_long_keeps_its_start_and_its_end():
    got = encode_split([example(2, 1, LONG, "天地")], TOKENIZER, 11, HeadTail(0.34))
    assert word(got, 0) == "|天地玄黄盈昃|天地|"  # 6 tokens, 2 of them from the end


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_share_may_be_all_or_nothing(share):
    got = encode_split([example(2, 1, LONG, "天地")], TOKENIZER, 9, HeadTail(share))
    assert word(got, 0) == ("|日月盈昃|天地|" if share else "|天地玄黄|天地|")


@given(st.text("甲乙。！?\n", max_size=30))
def test_sentences_joined_are_the_text(text):
    assert "".join(sentences(text)) == text
    assert sentences(text)


def test_sentences_keep_what_ends_them():
    assert sentences("甲乙。丙！？丁") == ["甲乙。", "丙！？", "丁"]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 9)), max_size=8), st.integers(0, 40))
def test_the_most_similar_sentences_are_kept_until_the_tokens_are_used_up(given_, budget):
    similarities, lengths = np.array([s for s, _ in given_]), np.array([n for _, n in given_], np.int64)
    got = kept_lengths(similarities, lengths, budget)
    left, want = budget, np.zeros(len(given_), np.int64)
    for one in sorted(range(len(given_)), key=lambda i: (-similarities[i], i)):
        want[one] = min(left, lengths[one])
        left -= want[one]
    np.testing.assert_array_equal(got, want)


def similar(max_length, *rows):
    vocabulary = Vocabulary([*SPECIAL_TOKENS, *CHARACTERS, "。"])
    tokenizer = Tokenizer(vocabulary, lowercase=True)
    trim = trim_for(data(trim="tfidf"), rows)
    made = encode_split(rows, tokenizer, max_length, trim)
    return ["".join(vocabulary.tokens[t] for t in made.ragged("token_ids")[r].tolist()) for r in range(len(rows))]


def test_sentences_like_the_other_text_are_kept_in_their_order():
    text = "日月盈昃。天地玄黄。宇宙宇宙。洪荒日月。"
    got = similar(16, example(2, 1, text, "天地洪荒"), example(2, 1, "天地洪荒", text))
    # 9 tokens are left for the text: one of the two sentences like the other whole, the next without its end.
    kept = "天地玄黄。洪荒日月"
    assert got == [f"[CLS]{kept}[SEP]天地洪荒[SEP]", f"[CLS]天地洪荒[SEP]{kept}[SEP]"]


@settings(deadline=None, max_examples=20)
@given(TEXTS, st.sampled_from(["head_tail", "tfidf"]), st.integers(16, 40))
def test_no_trim_changes_what_fits_and_all_use_the_room_there_is(pairs, trim, max_length):
    rows = [example(2, 1, *pair) for pair in pairs]
    chosen = trim_for(data(trim=trim), rows)
    got, plain = encode_split(rows, TOKENIZER, max_length, chosen), split(*rows, max_length=max_length)
    for row, (source, target) in enumerate(pairs):
        one, other = got.ragged("token_ids")[row], plain.ragged("token_ids")[row]
        assert len(one) == len(other) == min(len(source) + len(target) + 3, max_length)
        np.testing.assert_array_equal(got.ragged("segment_ids")[row], plain.ragged("segment_ids")[row])
        if len(source) + len(target) + 3 <= max_length:
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("trim", ["longest", "head_tail", "tfidf"])
def test_the_settings_reach_the_prepared_rows(trim, tmp_path):
    VOCABULARY.save(tmp_path / "vocab.txt")
    text = "日月盈昃宇宙\n洪荒天地玄黄盈昃日月"
    rows = [example(2, 1, text, "天地玄黄")]
    chosen = tricks(data={"max_length": 16, "trim": trim}, text={"vocabulary": str(tmp_path / "vocab.txt")})
    got = encode(RawData(rows, rows, [], [], []), chosen).splits["valid"]
    want = {"longest": "日月盈昃宇宙洪荒天", "head_tail": "日月盈昃宇宙洪日月", "tfidf": "洪荒天地玄黄盈昃日"}
    assert word(got, 0) == f"|{want[trim]}|天地玄黄|"
