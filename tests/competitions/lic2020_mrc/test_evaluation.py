import json

import pytest

from competitions.lic2020_mrc import evaluation, submission
from competitions.lic2020_mrc.evaluation import confusion, golden_answers, is_exact, length_band, pr_curve
from competitions.lic2020_mrc.scoring import LENGTH_BANDS
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, LONG, SHORT, settings, split_of

SPLIT = split_of(*EXAMPLES)
OUTPUTS = {
    "answer": ["南", "丙"],
    "confidence": [0.5, 0.25],
    "n_best": [
        [{"text": "南", "char_start": 5, "char_end": 6, "score": 0.5}],
        [{"text": "丙", "char_start": 2, "char_end": 3, "score": 0.25}],
    ],
}


def test_the_score_is_the_official_one():
    got = evaluation.score(OUTPUTS, SPLIT, settings(), LABELS)
    assert list(got)[:2] == ["f1", "em"]
    assert got["f1"] == pytest.approx((2 / 3 + 1) / 2)  # 南 of 城南: precision 1, recall 1/2
    assert got["em"] == 0.5
    assert (got["total"], got["skip"]) == (2, 0)


def test_the_score_is_sliced_by_answer_length_and_by_number_of_windows():
    got = evaluation.score(OUTPUTS, SPLIT, settings(), LABELS)
    assert got["by_answer_length"] == {"0-2": {"n": 2, "em": 0.5, "f1": pytest.approx(5 / 6)}}
    assert got["by_windows"] == {
        "1": {"n": 1, "em": 0.0, "f1": pytest.approx(2 / 3)},
        "2+": {"n": 1, "em": 1.0, "f1": 1.0},
    }


def test_without_a_stride_every_passage_has_one_window():
    got = evaluation.score(OUTPUTS, SPLIT, settings(), LABELS | {"stride": 0})
    assert list(got["by_windows"]) == ["1"]


def test_golden_answers_are_the_texts_of_the_official_file():
    assert golden_answers(SPLIT) == [["城南"], ["辰巳", "丙"]]


@pytest.mark.parametrize(("answer", "want"), [("ABC", True), ("《abc》", True), ("abc ", False), ("", False)])
def test_an_exact_match_is_one_of_the_official_measure(answer, want):
    assert is_exact(["河", "abc"], answer) == want


def test_the_curve_worked_out_by_hand():
    gold, answers, confidence = [["桥"], ["河"], ["山"], ["城"]], ["桥", "湖", "山", ""], [0.9, 0.5, 0.06, 1.0]
    points = pr_curve(gold, answers, confidence)
    assert [point["threshold"] for point in points] == [round(0.02 * n, 2) for n in range(46)]
    assert points[0] == {
        "threshold": 0.0,
        "recall": 2 / 4,
        "precision": 2 / 3,
        "f1": pytest.approx(4 / 7),
        "answered": 3 / 4,
    }
    assert points[3] == points[0] | {"threshold": 0.06}
    assert points[4] == {
        "threshold": 0.08,
        "recall": 1 / 4,
        "precision": 1 / 2,
        "f1": pytest.approx(2 / 6),
        "answered": 2 / 4,
    }
    assert points[-1] == {
        "threshold": 0.9,
        "recall": 1 / 4,
        "precision": 1.0,
        "f1": pytest.approx(0.4),
        "answered": 0.25,
    }


def test_the_curve_of_sure_answers_reaches_one_and_that_of_none_is_empty():
    assert pr_curve([["桥"]], ["桥"], [1.0])[-1]["threshold"] == 1.0
    assert pr_curve([["桥"]], [""], [1.0]) == []


def test_lengths_are_set_against_those_of_the_nearest_golden_answer():
    gold = [["桥", "青石桥在城南"], ["桥", "青石桥在城南"], ["城" * 40]]
    assert confusion(gold, ["石桥在城南", "", "城" * 17]) == [
        {"gold": "05-08", "predicted": "05-08"},
        {"gold": "00-02", "predicted": "00-02"},
        {"gold": "33+", "predicted": "17-32"},
    ]


def test_the_names_of_the_bands_sort_as_the_bands_do():
    names = [length_band(low) for low, _ in LENGTH_BANDS]
    assert names == sorted(names) == [length_band(40 if high is None else high) for _, high in LENGTH_BANDS]


def test_the_tables_have_a_file_of_each_kind():
    tables = evaluation.tables(OUTPUTS, SPLIT, settings(), LABELS)
    assert list(tables) == ["pr_curve/exact_match.csv", "confusion/answer_length.csv"]
    assert tables["confusion/answer_length.csv"] == [{"gold": "00-02", "predicted": "00-02"}] * 2
    assert len(tables["pr_curve/exact_match.csv"]) == 26


def test_the_submission_passes_its_own_check_and_the_n_best_answers_stand_beside_it(tmp_path):
    path = evaluation.write_submission(tmp_path, OUTPUTS, SPLIT, settings(), LABELS)
    assert json.loads(path.read_text("utf-8")) == {"short": "南", "long": "丙"}
    assert submission.check(path, [SHORT, LONG]) == 2
    lines = (tmp_path / "n_best.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"id": "short", "n_best": OUTPUTS["n_best"][0]},
        {"id": "long", "n_best": OUTPUTS["n_best"][1]},
    ]
