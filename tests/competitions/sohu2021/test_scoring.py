import argparse
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from competitions.sohu2021 import scoring, submission
from competitions.sohu2021.scoring import score, score_files
from competitions.sohu2021.variants import VARIANTS
from shared.errors import UserError
from tests.competitions.sohu2021.layout import SS_A, line, put, valid_ids, write_layout

BY_NAME = {variant.name: variant.index for variant in VARIANTS}
ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1), st.integers(0, 1)), max_size=60)


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    return parser.parse_args(argv)


def columns(variants: dict[str, tuple[str, str]]) -> tuple[list[int], list[int], list[int]]:
    """Turns variant name -> strings of gold and predicted labels into the columns that `score` takes."""
    rows = [
        (BY_NAME[name], int(gold), int(predicted))
        for name, (golds, predictions) in variants.items()
        for gold, predicted in zip(golds, predictions, strict=True)
    ]
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def test_lengths_are_pooled_and_classes_averaged():
    result = score(*columns({"ss_a": ("11100", "11010"), "ll_a": ("1", "0"), "sl_b": ("10", "11")}))
    # A: tp 2, fp 1, fn 2 -> 4/7; B: tp 1, fp 1, fn 0 -> 2/3.
    assert result["f1_a"] == 4 / 7
    assert result["f1_b"] == 2 / 3
    assert result["f1"] == (4 / 7 + 2 / 3) / 2
    assert (result["precision_a"], result["recall_a"]) == (2 / 3, 2 / 4)
    assert [result[f"{name}_a"] for name in ("n", "positives", "tp", "fp", "fn", "tn")] == [6, 4, 2, 1, 2, 1]


def test_each_variant_has_its_own_figures_and_absent_ones_are_left_out():
    result = score(*columns({"ss_a": ("10", "11"), "sl_b": ("10", "00")}))
    assert {name for name in BY_NAME if name in result} == {"ss_a", "sl_b"}
    assert result["ss_a"] == {
        "f1": 2 / 3,
        "precision": 0.5,
        "recall": 1.0,
        "positives": 1,
        "n": 2,
        "tp": 1,
        "fp": 1,
        "fn": 0,
        "tn": 0,
    }


def test_a_class_without_any_positive_scores_zero():
    assert score(*columns({"ss_a": ("1", "1"), "ss_b": ("00", "00")}))["f1"] == 0.5
    assert score([], [], [])["f1"] == 0


def test_the_official_figure_comes_first():
    assert list(score([], [], []))[:3] == ["f1", "f1_a", "f1_b"]


@pytest.mark.parametrize(
    ("variant", "gold", "predicted"),
    [([0], [1, 0], [1, 0]), ([6], [1], [1]), ([-1], [1], [1]), ([0], [2], [1]), ([0], [1], [0.7])],
)
def test_other_shapes_variants_and_labels_are_refused(variant, gold, predicted):
    with pytest.raises(ValueError):
        score(variant, gold, predicted)


@given(ROWS)
def test_equals_scikit_learn_on_pooled_rows(rows):
    result = score(*zip(*rows, strict=True)) if rows else score([], [], [])
    expected = []
    for kind in "ab":
        chosen = [row for row in rows if VARIANTS[row[0]].kind == kind]
        gold, predicted = [row[1] for row in chosen], [row[2] for row in chosen]
        expected.append(f1_score(gold, predicted, zero_division=0) if chosen else 0.0)
    assert math.isclose(result["f1_a"], expected[0], abs_tol=1e-15)
    assert math.isclose(result["f1_b"], expected[1], abs_tol=1e-15)
    assert math.isclose(result["f1"], sum(expected) / 2, abs_tol=1e-15)


def golden(shared_data: Path) -> dict:
    return json.loads((shared_data / "scorers" / "sohu2021.json").read_text(encoding="utf-8"))


def test_reproduces_every_golden_vector(shared_data):
    cases = golden(shared_data)["cases"]
    assert len(cases) == 39
    for case in cases:
        result = score(*columns(case["variants"]))
        expect = case["expect"]["zero_division_0"]
        for name in ("f1", "f1_a", "f1_b"):
            assert result[name] == pytest.approx(expect[name], abs=2e-12), (
                case["name"],
                name,
            )  # stored with 12 decimals
        for kind in "ab":
            counts = expect[f"counts_{kind}"]
            assert {name: result[f"{name}_{kind}"] for name in counts} == counts, case["name"]
        per_variant = {name: result[name]["f1"] for name in BY_NAME if name in result}
        assert per_variant == pytest.approx(case["expect"]["per_variant_f1"], abs=2e-12), case["name"]


def test_agrees_with_the_public_baseline_wherever_it_divides_by_something(shared_data):
    for case in golden(shared_data)["cases"]:
        if isinstance(case["expect"]["baseline"], dict):
            result = score(*columns(case["variants"]))
            for name, value in case["expect"]["baseline"].items():
                assert value == "nan" or result[name] == pytest.approx(value, abs=2e-12), (case["name"], name)


def test_the_submission_checker_decides_every_golden_file_as_expected(shared_data, tmp_path):
    files = golden(shared_data)["files"]
    assert len(files["cases"]) == 12
    for case in files["cases"]:
        path = tmp_path / f"{case['name']}.csv"
        path.write_bytes(case["content"].encode())
        if case["expect"] == "accept":
            assert submission.check(path, files["expected_ids"]) == 4
        else:
            with pytest.raises(UserError):
                submission.check(path, files["expected_ids"])


def test_a_perfect_file_scores_one(tmp_path):
    gold = write_layout(tmp_path / "raw")
    submission.write(tmp_path / "pred.csv", valid_ids(), [0, 1] * 6)
    assert score_files(gold, tmp_path / "pred.csv", options())["f1"] == 1.0


def test_rows_are_matched_by_id_in_any_order(tmp_path):
    gold = write_layout(tmp_path / "raw")
    submission.write(tmp_path / "pred.csv", valid_ids()[::-1], [1, 0] * 6)
    assert score_files(gold, tmp_path / "pred.csv", options())["f1"] == 1.0


def test_the_training_split_can_be_scored(tmp_path):
    gold = write_layout(tmp_path / "raw", {("ss_a", "train.txt"): [line(SS_A, 1)] * 2})
    submission.write(tmp_path / "pred.csv", valid_ids(), [1] * 12)
    assert score_files(gold, tmp_path / "pred.csv", options("--split", "train"))["positives_a"] == 4


def test_extra_files_count_unless_switched_off(tmp_path):
    gold = write_layout(tmp_path / "raw", {("ss_a", "valid_r2.txt"): [line(SS_A, 1)]})
    submission.write(tmp_path / "pred.csv", valid_ids(), [1] * 12)
    assert score_files(gold, tmp_path / "pred.csv", options("--no-extra-files"))["n_a"] == 6
    with pytest.raises(UserError, match=r"missing ids: 1 \(ss2_a\)"):
        score_files(gold, tmp_path / "pred.csv", options())


def test_bad_gold_lines_can_be_skipped(tmp_path):
    gold = write_layout(tmp_path / "raw", {("ss_a", "valid.txt"): ["{", line(SS_A, 1)]})
    submission.write(tmp_path / "pred.csv", valid_ids()[1:], [1] * 11)
    assert score_files(gold, tmp_path / "pred.csv", options("--on-bad-line", "skip"))["n_a"] == 5
    with pytest.raises(UserError, match=r"valid.txt:1: not JSON"):
        score_files(gold, tmp_path / "pred.csv", options())


def test_a_split_without_labels_cannot_be_scored(tmp_path):
    gold = write_layout(tmp_path / "raw")
    submission.write(tmp_path / "pred.csv", valid_ids(), [1] * 12)
    with pytest.raises(UserError, match=r"12 of 12 lines of split 'test' have no label"):
        score_files(gold, tmp_path / "pred.csv", options("--split", "test"))


def test_test_lines_that_do_carry_labels_can_be_scored(tmp_path):
    gold = write_layout(tmp_path / "raw")
    for variant in VARIANTS:
        put(gold, variant, "test_with_id.txt", [line(variant, number, number) for number in (0, 1)])
    submission.write(tmp_path / "pred.csv", valid_ids(), [0, 1] * 6)
    assert score_files(gold, tmp_path / "pred.csv", options("--split", "test"))["f1"] == 1.0


def test_incomplete_predictions_cannot_be_scored(tmp_path):
    gold = write_layout(tmp_path / "raw")
    submission.write(tmp_path / "pred.csv", [*valid_ids()[1:], "ss9_a"], [1] * 12)
    with pytest.raises(UserError, match=r"unknown ids: 1 \('ss9_a' at line 13\); missing ids: 1 \(ss0_a\)"):
        score_files(gold, tmp_path / "pred.csv", options())
