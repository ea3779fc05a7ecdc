import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from competitions.sohu2021.implication import OTHER, consistent, implied_rows
from competitions.sohu2021.variants import VARIANTS
from tests.competitions.sohu2021.tricks import example, split


def test_the_other_class_has_the_same_lengths():
    names = [(VARIANTS[one].name, VARIANTS[other].name) for one, other in enumerate(OTHER)]
    assert names[:2] == [("ss_a", "ss_b"), ("ss_b", "ss_a")]
    assert all(one[:2] == other[:2] and one != other for one, other in names)


def test_a_match_of_events_and_a_mismatch_of_topics_say_something_and_the_others_do_not():
    texts = iter("天地玄黄")
    rows = split(*(example(variant, label, next(texts), "日") for variant in (2, 3) for label in (0, 1)))
    got = implied_rows(rows)  # rows 0 (A 0) and 3 (B 1)
    assert (got.row.tolist(), got.variant.tolist(), got.label.tolist()) == ([0, 3], [3, 2], [0, 1])


def test_what_is_there_already_is_not_added_whatever_its_label():
    rows = split(example(0, 0, "天", "地"), example(1, 1, "天", "地"), example(3, 1, "天", "地"))
    assert implied_rows(rows).row.tolist() == [2]  # a pair of other lengths counts as another


def test_rows_without_label_say_nothing():
    assert implied_rows(split(example(0, None, "天", "地"))).row.size == 0


def answers(*rows):
    """consistent() for rows of (variant, text, margin)."""
    margins = np.array([margin for _, _, margin in rows])
    made = split(*(example(variant, None, text, "日") for variant, text, _ in rows))
    return consistent((margins >= 0).astype(np.int64), margins, made).tolist()


def test_the_surer_answer_decides():
    assert answers((0, "天", -0.1), (1, "天", 0.3)) == [1, 1]
    assert answers((0, "天", -0.3), (1, "天", 0.1)) == [0, 0]


def test_what_is_no_contradiction_stays():
    assert answers((0, "天", 0.1), (1, "天", -0.3), (2, "地", -0.2), (3, "玄", 0.3)) == [1, 0, 0, 1]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("天地玄"), st.floats(-1, 1)), max_size=12))
def test_no_pair_is_the_same_event_but_not_the_same_topic(rows):
    got = answers(*rows)
    for text in "天地玄":
        topics, events = (
            [label for label, (variant, of, _) in zip(got, rows, strict=True) if of == text and variant % 2 == kind]
            for kind in (0, 1)
        )
        assert not (0 in topics and 1 in events)
