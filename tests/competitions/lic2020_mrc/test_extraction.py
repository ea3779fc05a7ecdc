import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.extraction import AnswerSearch, probability
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_mrc.questions import (
    LABELS,
    LONG,
    SHORT,
    WINDOW,
    asked,
    settings,
    split_of,
    sure_logits,
    windowed,
)

# Windows of LONG: over its tokens 0-9, 3-12, 6-15, 9-18, 11-20.


def answers(windows: WindowedSplit, start, end, order=None, no_answer=False, **predict):
    chosen = settings(train=settings().train.model_dump() | {"no_answer": no_answer}, predict=predict)
    search = AnswerSearch(windows, chosen)
    for unit in range(len(windows.lengths)) if order is None else order:
        search.add(np.array([unit]), start[unit : unit + 1], end[unit : unit + 1])
    return search.outputs()


def brute_force(windows: WindowedSplit, start, end, max_length: int) -> list[tuple[tuple[int, int], float]]:
    """The spans of one passage with their scores, best first, and on a tie as they stand in it."""
    found: dict[tuple[int, int], float] = {}
    for unit, (_, first, last) in enumerate(zip(*windows.windows, strict=True)):
        for s in range(first, last):
            for e in range(s, min(s + max_length, last)):
                score = float(start[unit, s + windows.shift[unit]]) + float(end[unit, e + windows.shift[unit]])
                found[s, e + 1] = max(score, found.get((s, e + 1), -math.inf))
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


@given(
    seed=st.integers(0, 2**32 - 1),
    levels=st.sampled_from([3, 1000]),
    length=st.integers(1, 20),
    max_answer_length=st.integers(1, 12),
    n_best=st.integers(1, 12),
)
def test_the_best_answers_are_those_of_a_loop_over_all_spans_of_all_windows(
    seed, levels, length, max_answer_length, n_best
):
    rng = np.random.default_rng(seed)
    windows = windowed(asked(LONG.context[:length]))
    start, end = rng.integers(0, levels, (2, len(windows.lengths), WINDOW)).astype(np.float32) / 8
    order = rng.permutation(len(windows.lengths))
    found = answers(windows, start, end, order, max_answer_length=max_answer_length, n_best=n_best)["n_best"][0]
    want = brute_force(windows, start, end, max_answer_length)[:n_best]
    assert [(one["char_start"], one["char_end"]) for one in found] == [span for span, _ in want]
    ratios = [math.log(one["score"]) - math.log(found[0]["score"]) for one in found]
    np.testing.assert_allclose(ratios, [score - want[0][1] for _, score in want], atol=1e-6)


def test_the_answer_is_the_slice_of_the_passage_that_the_tokens_cover():
    windows = windowed(asked("青石 桥\u3000在ＡＢ城", question="桥在哪里"))
    start, end = sure_logits(windows, {0: (1, 3, 9.0)})
    found = answers(windows, start, end)
    assert found["answer"] == ["石 桥\u3000在"]
    assert found["n_best"][0][0] == {
        "text": "石 桥\u3000在",
        "char_start": 1,
        "char_end": 6,
        "score": found["confidence"][0],
    }


def test_the_window_with_the_largest_logits_answers_even_if_another_is_surer_within_itself():
    windows = windowed(LONG)
    start, end = sure_logits(windows, {0: (2, 3, 6.0), 4: (17, 18, 5.0)})
    start[0] = np.maximum(start[0], 5.5)  # window 0 has many good starts, so its softmax is flat
    assert answers(windows, start, end)["answer"] == ["丙丁"]


def test_with_no_answer_windows_are_compared_by_how_much_they_prefer_a_span_to_cls():
    windows = windowed(LONG)
    start, end = sure_logits(windows, {0: (2, 3, 6.0), 4: (17, 18, 5.0)})
    start[0, 0] = 4.0  # [CLS]
    assert answers(windows, start, end, no_answer=False)["answer"] == ["丙丁"]
    assert answers(windows, start, end, no_answer=True)["answer"] == ["未申"]


def test_with_no_answer_a_number_added_to_all_logits_of_a_window_changes_nothing():
    windows = windowed(LONG)
    start, end = np.random.default_rng(0).normal(size=(2, 5, WINDOW))
    want = answers(windows, start, end, no_answer=True)
    start[2] += 7.0
    got = answers(windows, start, end, no_answer=True)
    assert got["answer"] == want["answer"]
    np.testing.assert_allclose(got["confidence"], want["confidence"])


@pytest.mark.parametrize(("threshold", "want"), [(None, "丙丁"), (4.9, "丙丁"), (5.1, "")])
def test_below_the_threshold_the_answer_is_empty(threshold, want):
    windows = windowed(LONG)
    start, end = sure_logits(windows, {0: (2, 3, 2.5)})
    found = answers(windows, start, end, no_answer=True, no_answer_threshold=threshold)
    assert found["answer"] == [want]
    assert found["n_best"][0][0]["text"] == "丙丁"
    assert (found["confidence"][0] == found["n_best"][0][0]["score"]) == bool(want)


def test_the_confidence_of_an_only_window_is_the_probability_among_its_spans():
    windows = windowed(asked("青石"))
    start, end = sure_logits(windows, {0: (1, 1, math.log(2))})
    # 青: 1, 青石: 2, 石: 4.
    found = answers(windows, start, end)
    assert [(one["text"], round(one["score"], 6)) for one in found["n_best"][0]] == [
        ("石", round(4 / 7, 6)),
        ("青石", round(2 / 7, 6)),
        ("青", round(1 / 7, 6)),
    ]
    with_null = answers(windows, start, end, no_answer=True, no_answer_threshold=9.0)
    assert [with_null["answer"][0], with_null["n_best"][0][0]["score"]] == ["", pytest.approx(4 / 8)]
    assert with_null["confidence"] == [pytest.approx(1 / 8)]


def test_overlapping_windows_that_agree_are_as_sure_as_one_alone():
    windows = windowed(LONG)  # token 8 stands in three windows
    start, end = sure_logits(windows, dict.fromkeys(range(3), (8, 8, 20.0)))
    assert answers(windows, start, end)["confidence"] == [pytest.approx(1.0)]


@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 10.0, 3000.0]), no_answer=st.booleans())
def test_confidences_are_probabilities_whatever_the_logits(seed, scale, no_answer):
    windows = windowed(SHORT, LONG)
    start, end = np.random.default_rng(seed).normal(scale=scale, size=(2, len(windows.lengths), WINDOW))
    found = answers(windows, start, end, no_answer=no_answer, n_best=30)
    assert all(0 < one <= 1 for one in found["confidence"])
    for confidence, n_best in zip(found["confidence"], found["n_best"], strict=True):
        scores = [one["score"] for one in n_best]
        assert scores[0] == confidence
        assert scores == sorted(scores, reverse=True)
    alone = sum(one["score"] for one in found["n_best"][0])  # all 21 spans of an only window
    assert 0 < alone <= 1 + 1e-9
    assert no_answer or alone == pytest.approx(1.0)


def test_tokens_of_question_and_padding_are_no_answers():
    windows = windowed(SHORT)
    start, end = np.full((2, 1, WINDOW), 50.0)
    inside = windows.inside(np.array([0]), WINDOW)[0]
    start[0, inside] = end[0, inside] = -1e9
    found = answers(windows, start, end, n_best=100)["n_best"][0]
    assert {(one["char_start"], one["char_end"]) for one in found} == {
        (s, e) for s in range(6) for e in range(s + 1, 7)
    }


def test_a_passage_without_tokens_is_answered_with_itself():
    windows = windowed(asked("\u200b"))
    found = answers(windows, np.zeros((1, WINDOW)), np.zeros((1, WINDOW)))
    assert (found["answer"], found["confidence"]) == (["\u200b"], [1.0])
    assert found["n_best"] == [[{"text": "\u200b", "char_start": 0, "char_end": 1, "score": 1.0}]]


def test_tokens_of_one_character_give_one_candidate():
    # Without its accents, as lower-casing models have it, 가 falls apart into two letters.
    words = Vocabulary([*SPECIAL_TOKENS, "\u1100", "##\u1161"])
    windows = WindowedSplit(split_of(asked("가", question=""), words=words), LABELS)
    assert len(windows.passages[0]) == 2
    found = answers(windows, np.zeros((1, WINDOW)), np.zeros((1, WINDOW)))["n_best"][0]
    assert [one["text"] for one in found] == ["가"]


def test_no_question_gives_no_answer():
    windows = windowed()
    assert answers(windows, np.zeros((0, WINDOW)), np.zeros((0, WINDOW))) == {
        "answer": [],
        "confidence": [],
        "n_best": [],
    }


def test_a_probability_is_never_zero_and_never_above_one():
    assert probability(-1e6, 0.0) > 0
    assert probability(1e-9, 0.0) == 1.0
