from collections import Counter

import numpy as np
import pytest

from competitions.lic2020_mrc.data import Example
from competitions.lic2020_mrc.feed import WindowFeed, answers_of, feed
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, LONG, SHORT, WINDOW, asked, settings, windowed

# Windows of SHORT: 0, and of LONG: 1 to 5, over its tokens 0-9, 3-12, 6-15, 9-18, 11-20. 丙 is token 2, 辰巳 14 to 16.


def feed_of(*examples: Example, **train) -> WindowFeed:
    return feed(windowed(*examples).split, settings(train=settings().train.model_dump() | train), LABELS)


def targets(made: WindowFeed, seed: int = 0) -> list[tuple[int, int]]:
    _, found = made.batch(np.arange(len(made.lengths)), WINDOW, np.random.default_rng(seed))
    return list(zip(found["start"].tolist(), found["end"].tolist(), strict=True))


def texts(made: WindowFeed, seed: int = 0) -> list[str]:
    """The targets as texts of the passage; [CLS] is empty."""
    split, (row, _, _) = made.windowed.split, made.windowed.windows
    contexts, found = split.ragged("context").texts(), []
    for unit, (start, end) in zip(made.units.tolist(), targets(made, seed), strict=True):
        tokens = np.array([start, end]) - made.windowed.shift[unit]
        places = split.ragged("char_starts")[row[unit]], split.ragged("char_ends")[row[unit]]
        found.append(contexts[row[unit]][places[0][tokens[0]] : places[1][tokens[1]]] if end else "")
    return found


def test_windows_that_hold_a_whole_answer_are_trained_on():
    made = feed_of(*EXAMPLES)
    assert made.units.tolist() == [0, 1, 4, 5]
    assert made.lengths.tolist() == [13, 16, 16, 16]
    assert texts(made) == ["城南", "丙", "辰巳", "辰巳"]


def test_windows_without_an_answer_point_to_cls_if_they_are_trained_on():
    made = feed_of(*EXAMPLES, no_answer=True)
    assert made.units.tolist() == [0, 1, 2, 3, 4, 5]
    assert texts(made) == ["城南", "丙", "", "", "辰巳", "辰巳"]
    assert targets(made)[2] == (0, 0)


def test_an_answer_that_a_window_cuts_is_none_of_it():
    # Window 3 ends at token 15, in the middle of 辰巳.
    assert answers_of(windowed(LONG))[1].tolist() == [0, 1, 1, 1, 2, 3]


@pytest.mark.parametrize("no_answer", [True, False])
def test_questions_whose_answers_have_no_place_are_not_trained_on(no_answer):
    assert feed_of(asked("桥在城南", "河"), asked("桥在城南", "城南"), no_answer=no_answer).units.tolist() == [1]


def test_inputs_and_targets_have_the_documented_shapes():
    inputs, found = feed_of(*EXAMPLES).batch(np.array([2, 0, 2]), WINDOW, np.random.default_rng(0))
    assert {name: (array.shape, array.dtype) for name, array in inputs.items()} == dict.fromkeys(
        ("token_ids", "segment_ids"), ((3, WINDOW), np.dtype("int32"))
    )
    assert {name: (array.shape, array.dtype) for name, array in found.items()} == dict.fromkeys(
        ("start", "end"), ((3,), np.dtype("int32"))
    )
    np.testing.assert_array_equal(inputs["token_ids"][0], inputs["token_ids"][2])


def test_the_targets_of_a_window_worked_out_by_hand():
    # [CLS] 桥 在 哪 里 [SEP] 青 石 桥 在 城 南 [SEP]
    assert targets(feed_of(SHORT)) == [(10, 11)]


def test_the_last_token_of_a_passage_and_one_token_answers_have_targets():
    assert targets(feed_of(asked("青石桥", "桥"))) == [(8, 8)]


def test_answers_of_a_window_are_drawn_evenly():
    made = feed_of(asked("青石桥在城南", "城南", "桥", "青石桥"))
    counts = Counter(texts(made, seed)[0] for seed in range(300))
    assert set(counts) == {"城南", "桥", "青石桥"}
    assert min(counts.values()) > 70


def test_only_answers_within_the_window_are_drawn():
    made = feed_of(asked(LONG.context, "丙", "甲", "辰巳", "酉"))
    want = [{"甲", "丙"}, {"辰巳"}, {"辰巳", "酉"}]
    assert [set(column) for column in zip(*(texts(made, seed) for seed in range(50)), strict=True)] == want


def test_the_first_answer_of_a_window_may_be_asked_for():
    made = feed_of(asked("青石桥在城南", "城南", "桥"), answer_sampling="first")
    assert {texts(made, seed)[0] for seed in range(20)} == {"城南"}


def test_the_same_chance_gives_the_same_targets():
    made = feed_of(*[asked("青石桥在城南", "城南", "桥")] * 20)
    assert texts(made, 1) == texts(made, 1)
    assert texts(made, 1) != texts(made, 2)


def test_no_answer_at_all_leaves_nothing_to_train_on():
    assert not len(feed_of(asked("桥", "河")).lengths)
    assert not len(feed_of().lengths)
