import numpy as np
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from competitions.lic2020_re.data import Example
from competitions.lic2020_re.feed import feed
from competitions.lic2020_re.gplinker_feed import LinkFeed, perfect_scores, places
from competitions.lic2020_re.spans import spans_of
from shared.decoding.gplinker import decode
from tests.competitions.lic2020_re.sentences import EXAMPLES, FILM, LABELS, NUMBER, settings, split_of, triple

WIDTH = 40
NOT_USED = np.random.default_rng(0)


def made(*examples: Example) -> LinkFeed:
    return feed(split_of(*examples), settings(model={"backbone": {"kind": "roformer"}, "head": "gplinker"}), LABELS)


def listed(targets, name):
    """The positive places as (row, matrix, first, second)."""
    row, matrix, column = np.nonzero(targets[f"{name}_mask"])
    first, second = np.divmod(targets[name][row, matrix, column], WIDTH)
    return [tuple(map(int, one)) for one in zip(row, matrix, first, second, strict=True)]


def test_places_of_one_sentence_worked_out_by_hand():
    example = Example("北岸由江雪执导，陆平演", (triple("北岸", "导演", "江雪"), triple("北岸", "主演", "陆平")))
    inputs, targets = made(example).batch(np.array([0]), WIDTH, NOT_USED)
    director, actor = NUMBER["导演", "@value"], NUMBER["主演", "@value"]
    assert listed(targets, "entities") == [(0, 0, 1, 2), (0, 1, 4, 5), (0, 1, 9, 10)]  # the subject once
    assert listed(targets, "heads") == [(0, director, 1, 4), (0, actor, 1, 9)]
    assert listed(targets, "tails") == [(0, director, 2, 5), (0, actor, 2, 10)]
    assert inputs["token_ids"].shape == (1, WIDTH)


def test_shapes_and_types_are_the_documented_ones_and_places_fill_a_power_of_two():
    many = Example("甲乙丙丁戊己庚辛壬癸", tuple(triple("甲", "主演", one) for one in "乙丙丁戊己庚辛壬癸"))
    for example, size in ((FILM, 8), (many, 16)):
        inputs, targets = made(example, EXAMPLES[2]).batch(np.array([0, 1]), WIDTH, NOT_USED)
        for name, matrices in (("entities", 2), ("heads", len(NUMBER)), ("tails", len(NUMBER))):
            for full, kind in ((name, "int32"), (f"{name}_mask", "uint8")):
                assert targets[full].shape == (2, matrices, size)
                assert targets[full].dtype == kind
        assert inputs["token_ids"].dtype == np.int32
        assert not any(targets[f"{name}_mask"][1].any() for name in ("entities", "heads", "tails"))


def test_the_lengths_are_those_of_the_rows():
    one = made(*EXAMPLES)
    np.testing.assert_array_equal(one.lengths, one.split.ragged("token_ids").lengths)


def test_perfect_scores_decode_to_the_spans_they_were_made_of():
    spans, row = spans_of(split_of(*EXAMPLES), np.arange(3))
    got = decode(*perfect_scores(spans, row, (3, WIDTH), len(NUMBER)), np.ones((3, WIDTH), bool))
    found = {tuple(map(int, one)) for one in zip(*got[:3], *got[4:6], got[3], strict=True)}
    assert found == {(int(r), *map(int, span)) for r, span in zip(row, spans, strict=True)}


value = st.tuples(st.integers(0, 1), *[st.integers(0, 8)] * 4, st.integers(0, 2))


@limits(deadline=None, max_examples=50)
@given(st.lists(value, max_size=8))
def test_every_gold_triple_is_among_what_perfect_scores_decode_to(values):
    # Spans of any kind, nested and crossed: then links of two triples may make a third one, but none is lost.
    row = np.array([one[0] for one in values], int)
    spans = np.array([[a, max(a, b) + 1, c, max(c, d) + 1, r] for _, a, b, c, d, r in values], np.int32).reshape(-1, 5)
    got = decode(*perfect_scores(spans, row, (2, 9), 3), np.ones((2, 9), bool))
    found = {tuple(map(int, one)) for one in zip(*got[:3], *got[4:6], got[3], strict=True)}
    assert found >= {(int(r), *map(int, span)) for r, span in zip(row, spans, strict=True)}


def test_places_rise_and_repeat_nothing():
    spans = np.array([[3, 4, 1, 2, 1], [1, 2, 3, 4, 0], [3, 4, 1, 2, 0]], np.int32)
    table = places(spans, np.array([0, 0, 0]), "entities")
    assert table.tolist() == [[0, 0, 1, 1], [0, 0, 3, 3], [0, 1, 1, 1], [0, 1, 3, 3]]
