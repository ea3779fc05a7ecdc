import json
from types import SimpleNamespace

import pytest

from competitions.lic2020_ee import scoring
from competitions.lic2020_ee.evaluation import confusion, pr_curve, score, tables, write_submission
from competitions.lic2020_ee.submission import check_file, read_event_lists
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA, WEDDING, line, write_layout
from tests.competitions.lic2020_ee.sentences import EXAMPLES, GAME, TWO, labels, split_of

SPLIT, LABELS = split_of(*EXAMPLES), labels("pointer")
SETTINGS = SimpleNamespace(predict=SimpleNamespace(threshold=0.3))


def answer(event_type: str, *arguments: tuple[str, str]) -> dict:
    return {"event_type": event_type, "arguments": [{"role": role, "argument": text} for role, text in arguments]}


# Two right and one wrong; one event of two, and of that a part; nothing; an event where there is none.
OUTPUTS = {
    "events": [
        [answer(MATCH, ("时间", "周六"), ("胜者", "红星队"), ("败者", "击"))],
        [answer(COLLAPSE, ("坍塌主体", "甲桥垮塌"))],
        [],
        [answer(MATCH, ("时间", "天"))],
    ],
    "confidence": [[[0.9, 0.8, 0.5]], [[0.6]], [], [[0.4]]],
}
GOLD = {one.id: json.loads(text) for one, text in zip(EXAMPLES, SPLIT.ragged("event_list").texts(), strict=True)}
PREDICTED = dict(zip(GOLD, OUTPUTS["events"], strict=True))
CONFIDENCE = dict(zip(GOLD, OUTPUTS["confidence"], strict=True))


def test_the_score_by_hand():
    # Of five predictions two are right, and 甲桥垮塌 shares two characters with 甲桥: 2 * 2 / 6. Gold has 3 + 4 + 3.
    got = score(OUTPUTS, SPLIT, SETTINGS, LABELS)
    assert got["precision"] == pytest.approx((2 + 2 / 3) / 5)
    assert got["recall"] == pytest.approx((2 + 2 / 3) / 10)
    assert got["f1"] == pytest.approx(2 * (2 + 2 / 3) / 15)
    assert got["by_event_type"][WEDDING] == {"n": 5, "f1": 0.0, "precision": 0.0, "recall": 0.0}


def test_the_score_is_that_of_the_scorer_without_the_sum():
    figures = scoring.score(GOLD, PREDICTED)
    assert figures.pop("score_sum") == pytest.approx(2 + 2 / 3)
    assert score(OUTPUTS, SPLIT, SETTINGS, LABELS) == figures


def test_the_curve_begins_with_the_score_and_ends_with_the_surest():
    points = pr_curve(GOLD, PREDICTED, CONFIDENCE, 0.3)
    figures = score(OUTPUTS, SPLIT, SETTINGS, LABELS)
    assert points[0] == {"threshold": 0.3} | {name: figures[name] for name in ("recall", "precision", "f1")}
    assert points[-1] == {"threshold": 0.9, "recall": 0.1, "precision": 1.0, "f1": pytest.approx(2 / 11)}
    assert [point["threshold"] for point in points] == pytest.approx([0.3 + 0.04 * step for step in range(16)])


def test_each_point_of_the_curve_is_the_score_of_what_is_left():
    point = next(point for point in pr_curve(GOLD, PREDICTED, CONFIDENCE, 0.3) if point["threshold"] == 0.54)
    assert point["precision"] == pytest.approx((2 + 2 / 3) / 3)
    assert point["recall"] == pytest.approx((2 + 2 / 3) / 10)


def test_without_answers_there_is_no_curve():
    nothing = {key: [] for key in GOLD}
    assert pr_curve(GOLD, nothing, nothing, 0.3) == []


def test_the_confusion_sets_left_over_types_against_each_other_and_against_none():
    rows = confusion(
        {"a": GOLD[TWO.id], "b": GOLD[GAME.id], "c": [], "d": []},
        {"a": [answer(MATCH), answer(WEDDING)], "b": [], "c": [answer(MATCH), answer(MATCH)], "d": []},
        list(SCHEMA.event_types),
    )
    assert [(row["gold"], row["predicted"]) for row in rows] == [
        (WEDDING, WEDDING),
        (COLLAPSE, MATCH),
        (MATCH, "none"),
        ("none", MATCH),
    ]


def test_there_is_a_table_for_each_folder():
    made = tables(OUTPUTS, SPLIT, SETTINGS, LABELS)
    assert set(made) == {"pr_curve/arguments.csv", "confusion/event_types.csv"}
    assert all(set(row) == {"threshold", "recall", "precision", "f1"} for row in made["pr_curve/arguments.csv"])
    assert {"gold": WEDDING, "predicted": "none"} in made["confusion/event_types.csv"]


def test_the_submission_holds_every_row_and_passes_its_own_check(tmp_path, capsys):
    raw = write_layout(tmp_path / "raw", {"duee_test1.json": [line(one.id, text=one.text) for one in EXAMPLES]})
    path = write_submission(tmp_path, OUTPUTS, SPLIT, SETTINGS, LABELS)
    assert check_file(path, raw) == 4
    assert "accepted, but" not in capsys.readouterr().err
    assert read_event_lists(path) == PREDICTED


def test_the_confidence_is_written_beside_it(tmp_path):
    path = write_submission(tmp_path, OUTPUTS, SPLIT, SETTINGS, LABELS)
    rows = (path.parent / "confidence.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row) for row in rows] == OUTPUTS["confidence"]
