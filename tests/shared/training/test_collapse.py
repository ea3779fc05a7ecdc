import math

import pytest

from shared.training.collapse import Collapse, worthless


def confusion(tp, fp, fn, tn, ending=""):
    return {name + ending: value for name, value in zip(("tp", "fp", "fn", "tn"), (tp, fp, fn, tn), strict=True)}


def judged(epochs, steps=1000, beginning=0.69):
    """Returns for each (mean loss, symptom) whether it counts as collapsed."""
    collapse = Collapse()
    return [bool(collapse.judge(loss, steps, symptom, beginning)) for loss, symptom in epochs]


@pytest.mark.parametrize(
    "counts", [(40, 60, 0, 0), (0, 0, 40, 60), (20, 30, 20, 30), (0, 1, 40, 59), (40, 59, 0, 1)], ids=str
)
def test_answers_that_do_not_depend_on_the_labels_are_worthless(counts):
    assert "do not depend on the labels" in worthless({"f1": 0.5, **confusion(*counts)}, "f1")


def test_answers_are_worth_something_if_one_class_is_told_apart():
    blind, seeing = confusion(40, 60, 0, 0, "_a"), confusion(30, 10, 10, 50, "_b")
    assert worthless({"f1": 0.6, **blind, **seeing}, "f1") is None
    told = worthless({"f1": 0.3, **blind, **confusion(0, 0, 7, 93, "_b")}, "f1")
    assert "class a: 100 of 100 rows get label 1, 40 of the 40 right ones" in told
    assert "class b: 0 of 100 rows get label 1, 0 of the 7 right ones" in told


def test_a_class_without_positive_rows_says_nothing_of_the_other():
    assert worthless({"f1": 0.4, **confusion(0, 0, 0, 50, "_a"), **confusion(9, 1, 1, 9, "_b")}, "f1") is None


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"f1": 0.0, "precision": 0.0, "recall": 0.0, "predicted": 0}, "nothing is found in any row"),
        ({"f1": 0.0, "precision": 0.0, "recall": 0.0, "predicted": 12}, "f1 is 0.0000"),
        ({"f1": 0.0, "precision": 0.0, "recall": 0.0}, "f1 is 0.0000"),
        ({"f1": 0.17, "em": 0.0}, "em is 0.0000"),
    ],
)
def test_finding_nothing_right_is_worthless(figures, said):
    assert said in worthless(figures, "f1")


def test_a_low_figure_is_not_worthless():
    assert worthless({"f1": 0.17, "em": 0.1, "name": "text", "slices": {"f1": 0.0}}, "f1") is None


def test_a_flat_loss_with_worthless_answers_is_a_collapse_in_the_second_epoch():
    assert judged([(0.70, "f1 is 0"), (0.69, "f1 is 0")]) == [False, True]


def test_a_loss_stuck_after_its_first_fall_is_a_collapse():
    """As in bojone/sohu2021-baseline#5: from ln 2 to the share of the labels, and no further."""
    assert judged([(0.62, "x"), (0.611, "x"), (0.6109, "x")]) == [False, False, True]


def test_a_model_that_forgets_all_has_collapsed():
    assert judged([(0.4, None), (0.3, None), (0.65, "x"), (0.64, "x")]) == [False, False, False, True]


def test_zero_figures_with_a_falling_loss_are_no_collapse():
    assert not any(judged([(0.6 * 0.96**epoch, "f1 is 0") for epoch in range(20)]))


def test_a_flat_loss_with_good_answers_is_no_collapse():
    assert not any(judged([(0.30, None), (0.299, None), (0.301, None)], beginning=0.3))


def test_a_single_bad_epoch_is_no_collapse():
    assert not any(judged([(0.5, None), (0.7, "x"), (0.45, None), (0.6, "x"), (0.5, None)]))


def test_a_loss_that_comes_down_again_after_a_bad_start_is_no_collapse():
    """Relation extraction at a rate too high: the loss jumps, then falls, but is above its beginning."""
    assert not any(judged([(12.3, "x"), (1.88, "x"), (0.69, "x"), (0.62, "x"), (0.5, "x")], beginning=0.53))


def test_short_epochs_take_more_of_them():
    """3 steps each: 34 epochs make more than 100 steps."""
    found = judged([(0.69, "x")] * 40, steps=3)
    assert found.index(True) == 33


def test_a_loss_that_falls_slowly_over_short_epochs_is_no_collapse():
    assert not any(judged([(0.69 * 0.998**epoch, "x") for epoch in range(100)], steps=3))


def test_without_a_first_step_the_first_epoch_is_the_beginning():
    assert judged([(0.69, "x"), (0.69, "x"), (0.69, "x")], beginning=math.inf) == [False, False, True]


def test_the_clause_has_the_numbers():
    collapse = Collapse()
    collapse.judge(0.7, 500, "f1 is 0", 0.69)
    assert collapse.judge(0.71, 500, "f1 is 0", 0.69) == (
        "f1 is 0, and the loss does not fall: 0.71, 0.69 before the last 2 epochs (1,000 steps)"
    )
