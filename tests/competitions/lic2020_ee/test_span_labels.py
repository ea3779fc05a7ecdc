import numpy as np

from competitions.lic2020_ee.feed import SpanFeed, feed
from competitions.lic2020_ee.labelling import Roles
from competitions.lic2020_ee.span_labels import Gold, Most, most_of, num_heads, pairs, span_labels
from shared.decoding.pointers import Spans
from tests.competitions.lic2020_ee.layout import MATCH, SCHEMA
from tests.competitions.lic2020_ee.sentences import (
    EXAMPLES,
    GAME,
    NOTHING,
    NUMBER,
    ROLES,
    TWICE,
    labels,
    settings,
    split_of,
)

RNG = np.random.default_rng(0)
MATCH_TRIGGER = len(ROLES) + list(SCHEMA.event_types).index(MATCH)


def gold(*columns: tuple[int, int, int, int, int]) -> Gold:
    """From (row, role, start, end, event)."""
    table = np.array(columns, np.int64).reshape(-1, 5).T
    return Gold(Spans(*table[:4]), table[4])


def source(scheme, *examples) -> SpanFeed:
    return feed(split_of(*examples), settings(), labels(scheme))


def marked(targets, name, width) -> list[tuple[int, ...]]:
    """(row, head, first token, last token) of the positives."""
    row, head, place = np.nonzero(targets[f"{name}_is_positive"])
    first, last = np.divmod(targets[f"{name}_positives"][row, head, place], width)
    return list(zip(row.tolist(), head.tolist(), first.tolist(), last.tolist(), strict=True))


def test_the_positives_of_a_sentence_by_hand():
    inputs, targets = source("gplinker", NOTHING, GAME).batch(np.array([1, 0]), 16, RNG)  # 周六红星队击败蓝海队
    assert inputs["token_ids"].shape == (2, 16)
    heads = [NUMBER[MATCH, role] for role in ("时间", "胜者", "败者")]
    spans = [(0, heads[0], 1, 2), (0, heads[1], 3, 5), (0, heads[2], 8, 10), (0, MATCH_TRIGGER, 10, 10)]
    assert marked(targets, "span", 16) == spans
    starts, ends = (
        [(0, 0, a, b) for a, b in found]
        for found in (
            [(1, 3), (1, 8), (1, 10), (3, 8), (3, 10), (8, 10)],
            [(2, 5), (2, 10), (5, 10), (10, 10)],
        )
    )
    assert marked(targets, "start_link", 16) == starts
    assert marked(targets, "end_link", 16) == ends


def test_global_pointer_knows_no_triggers_and_no_links():
    _, targets = source("global_pointer", GAME).batch(np.array([0]), 16, RNG)
    assert set(targets) == {"span_positives", "span_is_positive"}
    assert targets["span_positives"].shape == (1, len(ROLES), 1)


def test_only_arguments_of_one_event_are_linked():
    _, targets = source("gplinker", TWICE).batch(np.array([0]), 16, RNG)
    starts = {(first, last) for _, _, first, last in marked(targets, "start_link", 16)}
    assert {(1, 3), (1, 8)} <= starts
    assert (3, 8) not in starts
    assert len(starts) == 12  # six of each event


def test_every_batch_of_a_width_has_one_shape():
    one = source("gplinker", *EXAMPLES, TWICE)
    shapes = {name: array.shape[1:] for name, array in one.batch(np.array([0]), 16, RNG)[1].items()}
    for units in ([1], [3, 3], [2, 4]):
        found = one.batch(np.array(units), 16, RNG)[1]
        assert {name: array.shape[1:] for name, array in found.items()} == shapes


def test_a_row_has_the_same_labels_in_every_batch():
    one = source("gplinker", *EXAMPLES)
    _, alone = one.batch(np.array([1]), 16, RNG)
    _, among = one.batch(np.array([3, 1, 0, 1]), 16, RNG)
    for name, array in among.items():
        for place in (1, 3):
            np.testing.assert_array_equal(array[place], alone[name][0])


def test_the_room_is_what_the_fullest_row_needs():
    found = gold((0, 0, 1, 2, 0), (0, 0, 3, 4, 1), (0, 0, 3, 4, 2), (1, 0, 1, 2, 0), (1, 1, 1, 2, 0), (1, 2, 4, 6, 0))
    assert most_of(found, 8, 3) == Most(spans=2, links=2)
    assert most_of(gold(), 8, 3) == Most(1, 1)


def test_one_span_in_two_roles_is_linked_with_itself_and_one_named_twice_is_not():
    row, one, other = pairs(gold((0, 0, 1, 3, 0), (0, 1, 1, 3, 0), (0, 0, 1, 3, 0)))
    assert (row.tolist(), len(one), len(other)) == ([0], 1, 1)
    assert {int(one[0]), int(other[0])} == {0, 1}


def test_spans_named_twice_count_once():
    twice = span_labels(gold((0, 1, 1, 3, 0), (0, 1, 1, 3, 1)).spans, 1, 8, 3, 2)
    assert twice["span_is_positive"].tolist() == [[[0, 0], [1, 0], [0, 0]]]
    assert twice["span_positives"][0, 1].tolist() == [1 * 8 + 2, 0]


def test_gplinker_has_a_head_more_for_each_event_type():
    roles = Roles.of(ROLES)
    assert (num_heads("global_pointer", roles), num_heads("gplinker", roles)) == (8, 11)
