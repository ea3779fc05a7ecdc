import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_re.combine import Value, complete, original


def at(slot: str, start: int, end: int | None = None) -> Value:
    return Value(slot, start, start + 1 if end is None else end)


def value(start: int, end: int | None = None) -> Value:
    return at("@value", start, end)


def places(triples) -> list[dict[str, int]]:
    return [{part.slot: part.start for part in triple} for triple in triples]


def test_every_value_is_a_triple_of_its_own():
    assert places(complete([value(7), value(3), value(5)])) == [{"@value": 3}, {"@value": 5}, {"@value": 7}]


def test_values_of_one_place_and_different_length_are_kept_apart():
    assert len(complete([value(3, 5), value(3, 6)])) == 2


def test_a_single_value_gets_all_slots():
    triples = complete([at("onDate", 1), value(5), at("inWork", 30)])
    assert places(triples) == [{"@value": 5, "onDate": 1, "inWork": 30}]


def test_as_many_values_as_works_are_paired_in_the_order_of_the_text():
    # 在《2》中饰演 8，在《11》里饰演 20: the nearest work of 8 would be 11.
    triples = complete([value(8), value(20), at("inWork", 2), at("inWork", 11)])
    assert places(triples) == [{"@value": 8, "inWork": 2}, {"@value": 20, "inWork": 11}]


def test_several_values_share_a_single_work():
    triples = complete([value(8), value(12), at("inWork", 2)])
    assert places(triples) == [{"@value": 8, "inWork": 2}, {"@value": 12, "inWork": 2}]


def test_several_works_of_one_value_make_a_triple_each():
    triples = complete([value(8), at("inWork", 2), at("inWork", 20)])
    assert places(triples) == [{"@value": 8, "inWork": 2}, {"@value": 8, "inWork": 20}]


def test_more_works_than_values_go_to_the_nearest_value():
    triples = complete([value(8), value(30), at("inWork", 2), at("inWork", 12), at("inWork", 28)])
    assert places(triples) == [
        {"@value": 8, "inWork": 2},
        {"@value": 8, "inWork": 12},
        {"@value": 30, "inWork": 28},
    ]


def test_a_value_left_over_takes_the_nearest_work():
    # Both works are nearest to 8, so 30 and 50 are left over.
    triples = complete([value(8), value(30), value(50), at("inWork", 6), at("inWork", 10)])
    assert places(triples) == [
        {"@value": 8, "inWork": 6},
        {"@value": 8, "inWork": 10},
        {"@value": 30, "inWork": 10},
        {"@value": 50, "inWork": 10},
    ]


def test_each_slot_is_paired_on_its_own():
    triples = complete([value(8), value(20), at("inWork", 2), at("inWork", 11), at("onDate", 0)])
    assert places(triples) == [{"@value": 8, "inWork": 2, "onDate": 0}, {"@value": 20, "inWork": 11, "onDate": 0}]


def test_several_slots_of_one_value_go_side_by_side_and_not_crosswise():
    triples = complete([value(8), at("inWork", 2), at("inWork", 11), at("onDate", 0), at("onDate", 9)])
    assert places(triples) == [{"@value": 8, "inWork": 2, "onDate": 0}, {"@value": 8, "inWork": 11, "onDate": 9}]


@pytest.mark.parametrize("rule", [complete, original])
def test_without_a_value_there_is_no_triple(rule):
    assert rule([]) == []
    assert rule([at("inWork", 3), at("onDate", 5)]) == []


def test_the_original_rule_keeps_the_last_value_of_each_slot():
    triples = original([value(20), value(8), at("inWork", 11), at("inWork", 2)])
    assert places(triples) == [{"@value": 20, "inWork": 11}]


VALUES = st.lists(
    st.builds(
        lambda slot, start, length: Value(slot, start, start + length),
        st.sampled_from(["@value", "inWork", "onDate"]),
        st.integers(0, 30),
        st.integers(1, 3),
    ),
    unique=True,
    max_size=9,
)


@given(VALUES)
def test_every_value_is_used_and_no_slot_twice_in_a_triple(values):
    triples = complete(values)
    if any(one.slot == "@value" for one in values):
        assert {part for triple in triples for part in triple} == set(values)
    for triple in triples:
        assert triple[0].slot == "@value"
        assert len({part.slot for part in triple}) == len(triple)
    assert len(triples) == len(set(triples))


@given(VALUES, st.randoms())
def test_the_order_in_which_values_come_does_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert complete(shuffled) == complete(values)
    assert original(shuffled) == original(values)
