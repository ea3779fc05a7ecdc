from types import SimpleNamespace

import numpy as np
import pytest

from competitions.sohu2021.evaluation import (
    best_threshold,
    labels,
    pr_curve,
    probability,
    score,
    tables,
    write_submission,
)
from competitions.sohu2021.submission import check
from shared.arrays import Ragged, Split
from shared.scoring.binary_f1 import binary_counts

# One A and one B variant, gold and probability; at 0.5 for A: tp 1, fp 1, fn 1; at 0.3 for B: tp 2, fp 1, fn 0.
IDS = ["ss0_a", "ss1_a", "ll0_a", "ll1_a", "ss0_b", "ss1_b", "sl0_b"]
VARIANT = np.array([0, 0, 4, 4, 1, 1, 3], np.int32)
GOLD = np.array([1, 0, 1, 0, 1, 0, 1], np.int32)
PROBABILITY = np.array([0.5, 0.75, 0.25, 0.0, 0.3, 0.4, 1.0])
SPLIT = Split({"variant": VARIANT, "label": GOLD, "id": Ragged.of_texts(IDS)})
OUTPUTS = {"probability": PROBABILITY}


def thresholds(a: float = 0.5, b: float = 0.3) -> SimpleNamespace:
    return SimpleNamespace(predict=SimpleNamespace(threshold_a=a, threshold_b=b, implied_labels=False))


def test_logits_become_probabilities():
    logits = np.array([[0.0, 0.0], [0.0, np.log(3)], [1000.0, -1000.0], [-1000.0, 1000.0]], np.float32)
    np.testing.assert_allclose(probability({"logits": logits}), [0.5, 0.75, 0.0, 1.0], atol=1e-7)
    assert probability({"logits": logits}).dtype == np.float64
    assert probability({"logits": np.zeros((0, 2))}).shape == (0,)


def test_a_baselines_probability_is_taken_as_it_is():
    assert probability({"probability": [0.25, 1]}).tolist() == [0.25, 1.0]


def test_a_row_is_positive_from_its_classs_threshold_on():
    assert labels(OUTPUTS, SPLIT, thresholds()).tolist() == [1, 1, 0, 0, 1, 1, 1]
    assert labels(OUTPUTS, SPLIT, thresholds(a=0.51, b=0.41)).tolist() == [0, 1, 0, 0, 0, 0, 1]


def test_the_score_by_hand():
    result = score(OUTPUTS, SPLIT, thresholds(), {})
    assert result["f1_a"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert result["f1_b"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 0))
    assert result["f1"] == pytest.approx((0.5 + 0.8) / 2)
    assert result["ss_a"]["n"] == 2
    assert "ll_b" not in result


def test_the_best_thresholds_are_found_on_these_rows():
    best = score(OUTPUTS, SPLIT, thresholds(), {})["best_threshold"]
    # A: from 0.01 to 0.25 three are positive, two of them right: 0.8. B: up to 0.3 all three: 0.8.
    assert (best["threshold_a"], best["threshold_b"]) == (0.01, 0.01)
    assert best["f1_a"] == pytest.approx(0.8)
    assert best["f1"] == pytest.approx((best["f1_a"] + best["f1_b"]) / 2)


def test_the_best_threshold_equals_a_search_over_all(rng):
    gold, p = rng.integers(0, 2, 50), rng.random(50)
    scores = {t / 100: binary_counts(gold, p >= t / 100).f1 for t in range(1, 100)}
    assert best_threshold(gold, p) == (max(scores, key=scores.get), max(scores.values()))


def test_a_class_without_rows_scores_0():
    rows = Split({"variant": VARIANT[:2], "label": GOLD[:2], "id": Ragged.of_texts(IDS[:2])})
    result = score({"probability": PROBABILITY[:2]}, rows, thresholds(), {})
    assert result["f1_b"] == 0.0
    assert result["best_threshold"]["f1_b"] == 0.0


def test_the_curve_goes_over_the_thresholds_that_a_row_reaches():
    in_a = VARIANT % 2 == 0
    rows = pr_curve(GOLD[in_a], PROBABILITY[in_a])
    assert [row["threshold"] for row in rows] == [t / 100 for t in range(2, 76, 2)]
    at_half = next(row for row in rows if row["threshold"] == 0.5)
    assert (at_half["recall"], at_half["precision"], at_half["f1"]) == (0.5, 0.5, 0.5)


def test_the_tables_hold_every_row():
    made = tables(OUTPUTS, SPLIT, thresholds(), {})
    curves = {"pr_curve/a.csv", "pr_curve/b.csv", "confusion/a.csv", "confusion/b.csv"}
    assert set(made) == curves
    cells = [(kind, row["gold"], row["predicted"]) for kind in "ab" for row in made[f"confusion/{kind}.csv"]]
    assert sorted(cells) == [
        ("a", 0, 0),
        ("a", 0, 1),
        ("a", 1, 0),
        ("a", 1, 1),
        ("b", 0, 1),
        ("b", 1, 1),
        ("b", 1, 1),
    ]


def test_the_submission_passes_its_own_check(tmp_path):
    path = write_submission(tmp_path, OUTPUTS, SPLIT, thresholds(), {})
    assert check(path, IDS) == 7
    assert path.read_text(encoding="utf-8").splitlines()[:3] == ["id,label", "ss0_a,1", "ss1_a,1"]
    lines = (tmp_path / "probabilities.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:2] == ["id,probability", "ss0_a,0.500000"]
    assert len(lines) == 8
