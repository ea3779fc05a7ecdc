import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_ee import span_decoding
from competitions.lic2020_ee.ceiling import perfect_logits
from competitions.lic2020_ee.labelling import Roles
from competitions.lic2020_ee.span_decoding import dense, factored, linked_events, spans_above
from competitions.lic2020_ee.span_labels import Gold, link_labels, most_of, span_labels
from shared.decoding.pointers import Spans
from tests.competitions.lic2020_ee.sentences import ROLES as PAIRS

LENGTH, TOKENS = 12, 9  # [CLS], nine tokens of text, [SEP], padding
ROLES = Roles.of(PAIRS)
HEADS = len(ROLES) + len(ROLES.counts)
TYPE_OF = [*ROLES.type_of.tolist(), 0, 1, 2]


def inside(rows: int) -> np.ndarray:
    return np.tile((np.arange(LENGTH) > 0) & (np.arange(LENGTH) <= TOKENS), (rows, 1))


def gold(*columns: tuple[int, int, int, int, int]) -> Gold:
    """From (row, role, start, end, event)."""
    table = np.array(columns, np.int64).reshape(-1, 5).T
    return Gold(Spans(*table[:4]), table[4])


def decoded(given_gold: Gold, rows: int = 1, threshold: float = 0.5) -> list[set[tuple[int, ...]]]:
    """The events, sets of (row, role, start, end), after labels, perfect scores and decoding."""
    most = most_of(given_gold, LENGTH, HEADS)
    targets = span_labels(given_gold.spans, rows, LENGTH, HEADS, most.spans)
    targets |= link_labels(given_gold, rows, LENGTH, most.links)
    scores = perfect_logits(targets, LENGTH)
    found = spans_above(dense(scores["span_logits"]), inside(rows), threshold)
    (spans, confidence), event = linked_events(scores, found, ROLES, threshold)
    assert (confidence > 0.99).all()
    events: dict[int, set[tuple[int, ...]]] = {}
    for number, *one in zip(*(column.tolist() for column in (event, *spans)), strict=True):
        assert tuple(one) not in events.setdefault(number, set())
        events[number].add(tuple(one))
    return list(events.values())


@st.composite
def any_events(draw):
    """Events of a type each in two rows, whose arguments overlap and share tokens as they like."""
    found = []
    for row, event in itertools.product(range(2), range(draw(st.integers(0, 3)))):
        event_type = draw(st.integers(0, 2))
        heads = [head for head in range(HEADS) if TYPE_OF[head] == event_type]
        for _ in range(draw(st.integers(1, 4))):
            start = draw(st.integers(1, TOKENS))
            end = draw(st.integers(start + 1, TOKENS + 1))
            found.append((row, draw(st.sampled_from(heads)), start, end, event))
    return gold(*found)


def listed(one: Gold) -> list[tuple[int, ...]]:
    return [tuple(argument) for argument in np.column_stack(one.spans).tolist()]


@given(case=any_events())
def test_no_argument_is_lost_or_added_and_none_is_torn_from_its_event(case):
    events = decoded(case, rows=2)
    assert {one for event in events for one in event} == set(listed(case))
    wanted: dict[tuple[int, int], set] = {}
    for one, event in zip(listed(case), case.event.tolist(), strict=True):
        wanted.setdefault((one[0], event), set()).add(one)
    for whole in wanted.values():
        assert any(whole <= event for event in events)
    for event in events:
        assert len({(row, TYPE_OF[label]) for row, label, _, _ in event}) == 1


@st.composite
def events_apart(draw):
    """Events of which no two have an argument at the same tokens but, in some rows, one that all share."""
    bounds = sorted(draw(st.sets(st.integers(2, TOKENS + 1), min_size=2)))
    shared = draw(st.booleans())
    found, events = [], draw(st.integers(1, 3))
    if shared:
        found = [(0, 0, 1, 2, event) for event in range(events)]
    for start, end in itertools.pairwise(bounds):
        found.append((0, draw(st.sampled_from([0, 1, 2, 8])), start, end, draw(st.integers(0, events - 1))))
    return gold(*found)


@given(case=events_apart())
def test_events_of_one_type_come_apart_even_if_they_share_an_argument(case):
    wanted: dict[int, set] = {}
    for one, event in zip(listed(case), case.event.tolist(), strict=True):
        wanted.setdefault(event, set()).add(one)
    maximal = [one for one in wanted.values() if not any(one < other for other in wanted.values())]
    assert sorted(map(sorted, decoded(case))) == sorted(sorted(one) for one in {frozenset(m) for m in maximal})


def test_two_games_on_one_day_by_hand():
    day, one, other = (0, 0, 1, 3), [(0, 1, 3, 5), (0, 2, 6, 7)], [(0, 1, 7, 8), (0, 2, 9, 10)]
    case = gold(*((*argument, event) for event, rest in enumerate((one, other)) for argument in (day, *rest)))
    assert decoded(case) == [{day, *one}, {day, *other}]


def test_without_the_links_each_argument_is_alone():
    case = gold((0, 0, 1, 3, 0), (0, 1, 3, 5, 0))
    scores = perfect_logits(span_labels(case.spans, 1, LENGTH, HEADS, 1) | link_labels(case, 1, LENGTH, 1), LENGTH)
    found = spans_above(dense(scores["span_logits"]), inside(1), 0.5)
    for missing in ("start_link_logits", "end_link_logits"):
        one_sided = scores | {missing: np.full_like(scores[missing], -100)}
        assert linked_events(one_sided, found, ROLES, 0.5)[1].tolist() == [0, 1]
    assert linked_events(scores, found, ROLES, 0.5)[1].tolist() == [0, 0]


def test_where_the_search_is_too_long_the_arguments_of_a_type_make_one_event(monkeypatch):
    monkeypatch.setattr(span_decoding, "MOST_STEPS", 1)
    case = gold((0, 0, 1, 3, 0), (0, 1, 3, 5, 0), (0, 1, 6, 7, 1), (0, 3, 6, 7, 2))
    assert sorted(map(sorted, decoded(case))) == [[(0, 0, 1, 3), (0, 1, 3, 5), (0, 1, 6, 7)], [(0, 3, 6, 7)]]


def logits_of(*spans: tuple[int, int, int, float]) -> np.ndarray:
    """Of one row: (role, start, end, score), all others far below."""
    logits = np.full((1, HEADS, LENGTH, LENGTH), -9.0, np.float32)
    for role, start, end, score in spans:
        logits[0, role, start, end - 1] = score
    return logits


def test_the_threshold_is_a_probability_and_so_is_the_confidence():
    logits = logits_of((0, 1, 3, np.log(3)), (1, 4, 5, 0.0), (2, 5, 6, np.log(0.5)))
    for threshold, count in ((0.3, 3), (0.5, 2), (0.74, 1), (0.76, 0)):
        assert len(spans_above(dense(logits), inside(1), threshold)[1]) == count
    np.testing.assert_allclose(spans_above(dense(logits), inside(1), 0.3)[1], [0.75, 0.5, 1 / 3], rtol=1e-5)


@pytest.mark.parametrize("span", [(0, 0, 3), (0, 8, 11), (0, 11, 12), (0, 0, 1)])
def test_no_argument_stands_on_cls_sep_or_padding(span):
    found, _ = spans_above(dense(logits_of((*span, 9.0))), inside(1), 0.5)
    assert len(found.row) == 0


def test_nested_and_overlapping_spans_of_one_role_are_all_found():
    spans = [(0, 1, 6, 5.0), (0, 2, 4, 4.0), (0, 3, 8, 3.0)]
    found, _ = spans_above(dense(logits_of(*spans)), inside(1), 0.5)
    assert np.column_stack(found).tolist() == [[0, *span[:3]] for span in spans]


def test_of_too_many_spans_the_best_of_each_row_stay(monkeypatch):
    monkeypatch.setattr(span_decoding, "MOST_SPANS", 2)
    one, other = logits_of((0, 1, 2, 1.0), (1, 3, 4, 3.0), (2, 5, 6, 2.0)), logits_of((4, 1, 2, 1.0))
    found, _ = spans_above(dense(np.concatenate([one, other])), inside(2), 0.5)
    assert np.column_stack(found).tolist() == [[0, 1, 3, 4], [0, 2, 5, 6], [1, 4, 1, 2]]


def test_a_batch_without_arguments_has_none():
    assert decoded(gold(), rows=2) == []


@given(seed=st.integers(0, 1000), threshold=st.sampled_from([0.2, 0.5, 0.9, 0.999]))
def test_factors_give_the_spans_of_the_matrices_that_they_make(seed, threshold):
    rng = np.random.default_rng(seed)
    products = rng.normal(size=(2, LENGTH, LENGTH)).astype("float32")
    start, end = rng.normal(-1, 2, size=(2, 2, HEADS, LENGTH)).astype("float32")
    factors = np.concatenate([products, start, end], axis=1)
    logits = products[:, None] + start[..., None] + end[:, :, None]
    want, got = (spans_above(one, inside(2), threshold) for one in (dense(logits), factored(factors)))
    np.testing.assert_array_equal(np.column_stack(got[0]), np.column_stack(want[0]))
    np.testing.assert_array_equal(got[1], want[1])
    assert (got[0].start < got[0].end).all()
