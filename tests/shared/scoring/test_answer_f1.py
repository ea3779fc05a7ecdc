import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.scoring.answer_f1 import longest_common_run, run_f1

TOKENS = st.lists(st.sampled_from("甲乙丙"), max_size=12)


@pytest.mark.parametrize(
    ("one", "other", "length"),
    [
        ("", "", 0),
        ("甲", "", 0),
        ("甲", "乙", 0),
        ("甲乙丙", "甲乙丙", 3),
        ("甲乙丙丁", "甲乙戊丙丁", 2),
        ("甲甲甲", "甲", 1),
    ],
)
def test_only_an_unbroken_run_counts(one, other, length):
    assert longest_common_run(list(one), list(other)) == length


@given(TOKENS, TOKENS)
def test_equals_trying_every_run(one, other):
    runs = {tuple(one[start:end]) for start in range(len(one)) for end in range(start, len(one) + 1)}
    others = {tuple(other[start:end]) for start in range(len(other)) for end in range(start, len(other) + 1)}
    assert longest_common_run(one, other) == longest_common_run(other, one) == max(map(len, runs & others), default=0)


def test_f1_weighs_the_run_against_both_lengths():
    # Run of 2 in 2 and 4 tokens: p 1, r 1/2.
    assert run_f1(list("乙丙"), list("甲乙丙丁")) == pytest.approx(2 / 3)
    assert run_f1(list("甲乙丙丁"), list("乙丙")) == pytest.approx(2 / 3)
    assert run_f1(["ab", "甲"], ["ab", "甲"]) == 1.0


def test_f1_is_zero_without_a_common_token_even_of_two_empty_answers():
    assert run_f1([], []) == run_f1(["甲"], []) == run_f1(["甲"], ["乙"]) == 0.0


def test_a_long_passage_against_a_long_answer_takes_well_under_a_second():
    passage = list("甲乙丙丁" * 5000)
    start = time.perf_counter()
    assert longest_common_run(passage, list("甲乙丙丁" * 100 + "戊")) == 400
    assert time.perf_counter() - start < 2
