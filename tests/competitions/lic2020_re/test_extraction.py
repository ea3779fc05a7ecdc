from functools import partial

import numpy as np
import pytest

from competitions.lic2020_re.extraction import Found, Writer, find
from tests.competitions.lic2020_re.sentences import EXAMPLES, LABELS, NUMBER, settings, split_of

LENGTH, LABEL_COUNT = 6, 2
NO_TOKEN_OUTSIDE = np.ones((1, LENGTH), bool)


def marks(labels: int, *places: tuple[int, int, float]) -> np.ndarray:
    """Probabilities of one row: (token, column) -> probability; zero elsewhere."""
    result = np.zeros((1, LENGTH, 2 * labels))
    for token, column, probability in places:
        result[0, token, column] = probability
    return result


def objects(logits, row, subjects):
    """The same logits for every pair, a pair at a time."""
    for number in range(len(row)):
        yield np.array([number]), logits


def logits_of(probability, power):
    with np.errstate(divide="ignore"):
        sigmoid = probability ** (1 / power)
        return np.log(sigmoid) - np.log1p(-sigmoid)


def found(subject_probability, object_probability, inside=NO_TOKEN_OUTSIDE, power=2, **predict):
    predict = {"subject_threshold": 0.5, "object_threshold": 0.5} | predict
    chosen = settings(model={"subject_power": power, "object_power": power + 1}, predict=predict)
    asked = partial(objects, logits_of(object_probability, power + 1))
    result = find(logits_of(subject_probability, power), asked, inside, chosen)
    rows = zip(*(column.tolist() for column in result), strict=True)
    return [(*integers, pytest.approx(sure, rel=1e-6)) for *integers, sure in rows]


SUBJECT = marks(1, (1, 0, 0.9), (2, 1, 0.8))
OBJECT = marks(2, (4, 2, 0.7), (4, 3, 0.6))


def test_subjects_and_their_objects_are_found_with_the_least_probability():
    assert found(SUBJECT, OBJECT) == [(0, 1, 3, 1, 4, 5, 0.6)]
    assert found(SUBJECT, marks(2, (4, 2, 0.95), (4, 3, 0.99))) == [(0, 1, 3, 1, 4, 5, 0.8)]


@pytest.mark.parametrize("power", [1, 2, 4])
@pytest.mark.parametrize("name", ["subject_threshold", "object_threshold"])
def test_a_mark_must_be_above_its_threshold(name, power):
    least = {"subject_threshold": 0.8, "object_threshold": 0.6}[name]
    assert len(found(SUBJECT, OBJECT, power=power, **{name: least - 1e-6})) == 1
    assert found(SUBJECT, OBJECT, power=power, **{name: least + 1e-6}) == []


def test_tokens_outside_the_text_begin_and_end_nothing():
    for token in (1, 2, 4):
        inside = NO_TOKEN_OUTSIDE.copy()
        inside[0, token] = False
        assert found(SUBJECT, OBJECT, inside) == []


def test_several_subjects_have_their_own_objects():
    two = SUBJECT + marks(1, (3, 0, 0.9), (3, 1, 0.9))
    assert [row[:6] for row in found(two, OBJECT)] == [(0, 1, 3, 1, 4, 5), (0, 3, 4, 1, 4, 5)]


def test_without_a_subject_nothing_is_asked():
    assert found(np.zeros_like(SUBJECT), OBJECT) == []


def answer(*rows, rule="complete", unit=1):
    """The triples of a row of EXAMPLES from (subject span, predicate, slot, value span, confidence)."""
    split = split_of(*EXAMPLES)
    columns = [(0, *s, NUMBER[predicate, slot], *v, sure) for s, predicate, slot, v, sure in rows]
    table = np.array(columns).reshape(-1, 7).T
    writer = Writer(split, LABELS, rule)
    ((row, slots),) = writer.slots(np.array([unit]), Found(*table[:6].astype(int), table[6]))
    assert row == unit
    made = writer.answer(row, slots)
    return [(one["subject"], one["predicate"], one["object"]) for one in made.triples], made.confidence


# 苏 禾 在 《 白 塔 》 里 演 小 满 ， 在 《 北 岸 》 里 演 阿 月 ， 导 演 白 塔 的 是 高 远, from token 1 on
ACTOR, WORK, ROLE = (1, 3), (5, 7), (10, 12)
SECOND_WORK, SECOND_ROLE, WORK_AGAIN = (15, 17), (20, 22), (25, 27)


def test_values_are_slices_of_the_text_and_slots_are_in_the_order_of_the_schema():
    triples, confidence = answer((ACTOR, "饰演", "inWork", WORK, 0.7), (ACTOR, "饰演", "@value", ROLE, 0.9))
    assert triples == [("苏禾", "饰演", {"@value": "小满", "inWork": "白塔"})]
    assert list(triples[0][2]) == ["@value", "inWork"]
    assert confidence == [0.7]


def test_the_rule_of_the_settings_is_used():
    rows = [
        (ACTOR, "饰演", "@value", ROLE, 0.9),
        (ACTOR, "饰演", "inWork", WORK, 0.9),
        (ACTOR, "饰演", "@value", SECOND_ROLE, 0.8),
        (ACTOR, "饰演", "inWork", SECOND_WORK, 0.8),
    ]
    both = [
        ("苏禾", "饰演", {"@value": "小满", "inWork": "白塔"}),
        ("苏禾", "饰演", {"@value": "阿月", "inWork": "北岸"}),
    ]
    assert answer(*rows)[0] == both
    assert answer(*rows, rule="original")[0] == both[1:]


def test_equal_triples_of_several_places_are_one_with_the_largest_confidence():
    rows = [(WORK, "导演", "@value", ROLE, 0.5), (WORK_AGAIN, "导演", "@value", ROLE, 0.8)]
    assert answer(*rows) == ([("白塔", "导演", {"@value": "小满"})], [0.8])
    rows = [(ACTOR, "导演", "@value", WORK, 0.5), (ACTOR, "导演", "@value", WORK_AGAIN, 0.8)]
    assert answer(*rows) == ([("苏禾", "导演", {"@value": "白塔"})], [0.8])


def test_mentions_of_one_subject_put_their_values_together():
    rows = [(WORK, "获奖", "@value", ROLE, 0.5), (WORK_AGAIN, "获奖", "onDate", SECOND_ROLE, 0.8)]
    assert answer(*rows)[0] == [("白塔", "获奖", {"@value": "小满", "onDate": "阿月"})]


def test_triples_are_in_the_official_form():
    split = split_of(*EXAMPLES)
    writer = Writer(split, LABELS, "complete")
    made = writer.answer(1, {("苏禾", "饰演"): {("@value", *ROLE): 0.9}})
    assert made.triples == [
        {
            "predicate": "饰演",
            "object_type": {"@value": "人物"},
            "subject_type": "娱乐人物",
            "object": {"@value": "小满"},
            "subject": "苏禾",
        }
    ]


def test_rows_without_a_find_get_an_empty_answer():
    assert answer() == ([], [])
