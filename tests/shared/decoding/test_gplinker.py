import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decoding import gplinker
from shared.decoding.gplinker import decode, dense, factored

EXAMPLES = settings(deadline=None, max_examples=60)


def listed(links):
    """As a set of (row, subject start, end, relation, object start, end)."""
    rows = list(zip(*(column.tolist() for column in links[:6]), strict=True))
    assert len(set(rows)) == len(rows)
    return set(rows)


def scores(seed, rows=2, length=5, relations=3, bias=0.0):
    rng = np.random.default_rng(seed)
    shapes = [(rows, 2, length, length), *[(rows, relations, length, length)] * 2]
    inside = rng.random((rows, length)) < 0.8
    return [(rng.normal(size=shape) + bias).astype("float32") for shape in shapes], inside


def by_loops(spans, heads, tails, inside, span_threshold=0.0, link_threshold=0.0):
    """The definition, with the least of the four scores of each triple."""
    found = {}
    rows, relations, length, _ = heads.shape
    pairs = list(itertools.combinations_with_replacement(range(length), 2))
    for b, r, (i, j), (k, m) in itertools.product(range(rows), range(relations), pairs, pairs):
        if not inside[b, [i, j, k, m]].all():
            continue
        of_spans, of_links = (spans[b, 0, i, j], spans[b, 1, k, m]), (heads[b, r, i, k], tails[b, r, j, m])
        if min(of_spans) > span_threshold and min(of_links) > link_threshold:
            found[b, i, j + 1, r, k, m + 1] = min(*of_spans, *of_links)
    return found


@EXAMPLES
@given(st.integers(0, 10**6), st.sampled_from([(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (-0.5, -0.5)]))
def test_equals_the_definition_by_loops(seed, thresholds):
    (spans, heads, tails), inside = scores(seed)
    got = decode(spans, dense(heads), dense(tails), inside, *thresholds)
    want = by_loops(spans, heads, tails, inside, *thresholds)
    assert listed(got) == set(want)
    keys = zip(*(column.tolist() for column in got[:6]), strict=True)
    np.testing.assert_array_equal(got.score, [want[key] for key in keys])
    assert (np.diff(got.row) >= 0).all()


@EXAMPLES
@given(st.data())
def test_perfect_scores_of_triples_of_separate_spans_give_these_triples(data):
    length, relations, rows = 12, 3, 2
    cuts = data.draw(st.lists(st.integers(0, length), min_size=2, max_size=8, unique=True))
    spans = list(itertools.pairwise(sorted(cuts)))  # no token is in two of them
    one = st.tuples(
        st.integers(0, rows - 1), st.sampled_from(spans), st.integers(0, relations - 1), st.sampled_from(spans)
    )
    gold = {(b, *s, r, *o) for b, s, r, o in data.draw(st.sets(one, max_size=10))}
    entities = np.full((rows, 2, length, length), -1.0)
    heads, tails = (np.full((rows, relations, length, length), -1.0) for _ in range(2))
    for b, start, end, r, object_start, object_end in gold:
        entities[b, 0, start, end - 1] = entities[b, 1, object_start, object_end - 1] = 1.0
        heads[b, r, start, object_start] = tails[b, r, end - 1, object_end - 1] = 1.0
    assert listed(decode(entities, dense(heads), dense(tails), np.ones((rows, length), bool))) == gold


def test_the_factors_give_what_the_matrices_give(rng):
    products = rng.normal(size=(2, 5, 5))
    ends = [rng.normal(size=(2, 3, 5)) for _ in range(2)]
    matrices = products[:, None] + ends[0][..., None] + ends[1][:, :, None]
    (spans, heads, _), inside = scores(0)
    want = decode(spans, dense(heads), dense(matrices), inside)
    got = decode(spans, dense(heads), factored(np.concatenate([products, *ends], axis=1)), inside)
    assert listed(got) == listed(want)
    np.testing.assert_allclose(got.score, want.score)


def test_pairs_in_portions_give_the_same(monkeypatch):
    (spans, heads, tails), inside = scores(1, bias=0.5)
    whole = decode(spans, dense(heads), dense(tails), inside)
    assert len(whole.row) > 50
    monkeypatch.setattr(gplinker, "PAIRS_AT_ONCE", 7)
    for one, other in zip(whole, decode(spans, dense(heads), dense(tails), inside), strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_most_likely_spans_of_each_row_are_paired():
    length = 6
    spans = np.full((2, 2, length, length), -1.0)
    spans[0, 0, 0, 0], spans[0, 0, 1, 1], spans[0, 0, 2, 3] = 1.0, 3.0, 2.0
    spans[1, 0, 4, 4] = 0.5
    spans[:, 1, 5, 5] = 1.0
    links = dense(np.ones((2, 1, length, length)))
    got = decode(spans, links, links, np.ones((2, length), bool), most_spans=2)
    assert listed(got) == {(0, 1, 2, 0, 5, 6), (0, 2, 4, 0, 5, 6), (1, 4, 5, 0, 5, 6)}


@pytest.mark.parametrize("rows", [0, 2])
def test_nothing_above_the_thresholds_gives_no_links(rows):
    nothing = np.full((rows, 2, 4, 4), -1.0)
    got = decode(nothing, dense(nothing), dense(nothing), np.ones((rows, 4), bool))
    assert [len(column) for column in got] == [0] * 7
    assert all(column.dtype == np.int64 for column in got[:6])


def test_a_network_that_knows_nothing_is_decoded_in_bounded_work(rng):
    # Half of all scores are above 0: 2,000 spans of each kind a row would make 4 million pairs.
    spans = rng.normal(size=(2, 2, 64, 64))
    links = dense(rng.normal(size=(2, 4, 64, 64)))
    got = decode(spans, links, links, np.ones((2, 64), bool), most_spans=8)
    assert 0 < len(got.row) <= 2 * 8 * 8 * 4
