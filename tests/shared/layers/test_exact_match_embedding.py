import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.layers.exact_match_embedding import LEVELS, ExactMatchEmbedding, match_levels
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer, randomize

PAD, UNK, CLS, SEP = SPECIAL = 0, 1, 2, 3
WIDTH = 24  # one shape for all examples: nothing is compiled twice


def pack(source: str, target: str, width: int = WIDTH) -> tuple[np.ndarray, np.ndarray]:
    """[CLS] source [SEP] target [SEP], padded; `?` is [UNK], each other character a token."""
    ids = [[UNK if c == "?" else ord(c) for c in text] for text in (source, target)]
    tokens = [CLS, *ids[0], SEP, *ids[1], SEP]
    segments = [0] * (len(source) + 2) + [1] * (len(target) + 1)
    fill = [0] * (width - len(tokens))
    return np.array([tokens + fill], "int32"), np.array([segments + fill], "int32")


def levels(source: str, target: str) -> tuple[str, str]:
    """The levels of both texts' tokens as digits; those of all other places must be 0."""
    got = to_numpy(match_levels(*pack(source, target), SPECIAL))[0]
    start = len(source) + 2
    rest = [got[0], got[start - 1], *got[start + len(target) :]]
    assert not any(rest)
    return "".join(map(str, got[1 : start - 1])), "".join(map(str, got[start : start + len(target)]))


def expected(text: str, other: str) -> str:
    """By brute force over substrings: the longest one around a place that stands in the other text too, at most 3."""
    result = []
    for place in range(len(text)):
        best = 0
        for run in (1, 2, 3):
            for start in range(max(0, place - run + 1), place + 1):
                part = text[start : start + run]
                if len(part) == run and "?" not in part and part in other:
                    best = run
        result.append(str(best))
    return "".join(result)


TEXTS = st.text("abcd?", max_size=10)


@given(TEXTS, TEXTS)
@settings(max_examples=150, deadline=None)
@example("", "")
@example("abcabc", "cabca")
def test_levels_equal_a_search_over_substrings(source, target):
    assert levels(source, target) == (expected(source, target), expected(target, source))


def test_levels_worked_out_by_hand():
    assert levels("abxcd", "yabzcde") == ("22022", "0220220")
    assert levels("abcd", "xabcx") == ("3330", "03330")


def test_a_repetition_inside_one_text_is_no_match():
    assert levels("aaaa", "bcbc") == ("0000", "0000")


def test_unknown_tokens_never_match():
    assert levels("?a?", "?a?") == ("010", "010")


def test_a_batch_of_two_keeps_its_rows_apart():
    pairs = [pack("abc", "abc"), pack("abc", "xyz")]
    tokens, segments = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    got = to_numpy(match_levels(tokens, segments, SPECIAL))
    assert got[0].max() == 3
    assert got[1].max() == 0


def test_a_row_of_one_token_keeps_its_shape():
    assert match_levels(np.array([[5]], "int32"), np.array([[0]], "int32"), SPECIAL).shape == (1, 1)


def test_the_embedding_is_the_table_row_of_the_level():
    layer = ExactMatchEmbedding(6, SPECIAL)
    tokens, segments = pack("abxcq", "yabzcd")
    layer(tokens, segments)
    randomize(layer)
    table = to_numpy(layer.table)
    assert table.shape == (LEVELS, 6)
    want = table[to_numpy(match_levels(tokens, segments, SPECIAL))]
    np.testing.assert_allclose(to_numpy(layer(tokens, segments)), want, atol=1e-6)


def test_the_table_starts_at_zero():
    got = to_numpy(ExactMatchEmbedding(6, SPECIAL)(*pack("ab", "ab")))
    np.testing.assert_array_equal(got, np.zeros((1, WIDTH, 6)))


def test_passes_the_check_of_every_layer():
    # Of each level one row is taken as it is: one rounding of numbers around 1.
    tokens, segments = (
        np.concatenate(arrays) for arrays in zip(pack("abcab", "abd"), pack("bcd", "abdcc"), strict=True)
    )
    inputs = {"token_ids": tokens, "segment_ids": segments}
    arguments = {"hidden_dim": 6, "special_ids": SPECIAL}
    check_layer(ExactMatchEmbedding, arguments, inputs, padded=("token_ids", "segment_ids"), bfloat16_error=0.01)
