import json

import pytest

from competitions.lic2020_re import baselines, scoring, submission
from competitions.lic2020_re.data import Example, official
from competitions.lic2020_re.evaluation import confusion, pr_curve, score, tables, write_submission
from shared.errors import UserError
from tests.competitions.lic2020_re.layout import SCHEMA
from tests.competitions.lic2020_re.sentences import EXAMPLES, FILM, LABELS, NOTHING, ROLES, settings, split_of, triple

SPLIT = split_of(*EXAMPLES)
GOLD = [[official(one, SCHEMA) for one in example.triples] for example in EXAMPLES]
WRONG = official(triple("北岸", "导演", "苏禾"), SCHEMA)
# One right and one wrong triple for the film, two of three for the roles, one for the sentence that has none.
OUTPUTS = {
    "triples": [[GOLD[0][0], WRONG], GOLD[1][:2], [WRONG]],
    "confidence": [[0.9, 0.6], [0.8, 0.41], [0.5]],
}


def by_text(rows):
    return dict(zip((example.text for example in EXAMPLES), rows, strict=True))


def test_the_official_figures_worked_out_by_hand():
    got = score(OUTPUTS, SPLIT, settings(), LABELS)
    # 3 of 5 predicted are right, of 6 gold ones.
    assert (got["precision"], got["recall"], got["f1"]) == (3 / 5, 3 / 6, pytest.approx(6 / 11))
    assert got["by_predicate"]["导演"]["n"] == 2
    assert got["by_predicate"]["导演"]["precision"] == pytest.approx(1 / 3)


def test_the_official_figures_come_first():
    got = score(OUTPUTS, SPLIT, settings(), LABELS)
    assert [name for name, value in got.items() if isinstance(value, float)] == ["f1", "precision", "recall"]


def test_sentences_are_sliced_by_their_number_of_triples():
    got = score(OUTPUTS, SPLIT, settings(), LABELS)["by_triples"]
    assert set(got) == {"3-5"}
    assert (got["3-5"]["n"], got["3-5"]["recall"]) == (2, 0.5)
    assert got["3-5"]["precision"] == pytest.approx(3 / 4)


def test_of_equal_texts_the_last_counts():
    split = split_of(Example(FILM.text, ()), FILM)
    outputs = {"triples": [[WRONG], GOLD[0]], "confidence": [[0.5], [0.5] * 3]}
    assert score(outputs, split, settings(), LABELS)["f1"] == 1.0


def test_the_curve_has_the_official_figures_of_the_triples_above_each_threshold():
    rows = pr_curve(by_text(GOLD), by_text(OUTPUTS["triples"]), by_text(OUTPUTS["confidence"]))
    assert [row["threshold"] for row in rows] == [round(0.02 * step, 2) for step in range(46)]  # up to 0.90
    for row in rows:
        kept = [
            [one for one, sure in zip(triples, confidence, strict=True) if sure >= row["threshold"]]
            for triples, confidence in zip(OUTPUTS["triples"], OUTPUTS["confidence"], strict=True)
        ]
        want = scoring.score(by_text(GOLD), by_text(kept))
        assert {name: row[name] for name in ("f1", "precision", "recall")} == pytest.approx(
            {name: want[name] for name in ("f1", "precision", "recall")}
        )


def test_repeats_count_once_in_the_curve_with_the_largest_confidence():
    twice = [official(triple(name, "导演", "江雪"), SCHEMA) for name in ("《北岸》", "北岸")]
    rows = pr_curve({"t": twice}, {"t": twice}, {"t": [0.1, 0.3]})
    assert {row["precision"] for row in rows} == {row["recall"] for row in rows} == {1.0}
    assert rows[-1]["threshold"] == 0.3


def test_no_answer_gives_an_empty_curve():
    assert pr_curve(by_text(GOLD), by_text([[], [], []]), by_text([[], [], []])) == []


def test_predicates_are_confused_by_pair_of_subject_and_value():
    def triples(*predicates):
        return {"t": [official(triple("北岸", name, "江雪"), SCHEMA) for name in predicates]}

    def rows(gold, predicted):
        found = confusion(triples(*gold), triples(*predicted), list(SCHEMA.predicates))
        return [(row["gold"], row["predicted"]) for row in found]

    assert rows(["导演"], ["导演"]) == [("导演", "导演")]
    assert rows(["导演"], ["主演"]) == [("导演", "主演")]
    assert rows(["导演"], []) == [("导演", "none")]
    assert rows([], ["导演"]) == [("none", "导演")]
    assert rows(["导演", "主演"], ["主演", "饰演", "获奖"]) == [("主演", "主演"), ("导演", "饰演"), ("none", "获奖")]
    other = {"t": [official(triple("北岸", "导演", "陆平"), SCHEMA)]}
    assert len(confusion(triples("导演"), other, list(SCHEMA.predicates))) == 2


def test_tables_fill_both_folders():
    got = tables(OUTPUTS, SPLIT, settings(), LABELS)
    assert set(got) == {"pr_curve/triples.csv", "confusion/predicates.csv"}
    assert set(got["pr_curve/triples.csv"][0]) == {"threshold", "recall", "precision", "f1"}
    assert set(got["confusion/predicates.csv"][0]) == {"gold", "predicted"}


def test_the_submission_passes_its_own_check(tmp_path):
    path = write_submission(tmp_path, OUTPUTS, SPLIT, settings(), LABELS)
    assert path == tmp_path / "duie.zip"
    with pytest.raises(UserError, match="北岸"):  # the third sentence does not hold it
        submission.check(path, EXAMPLES, SCHEMA)
    outputs = OUTPUTS | {"triples": [*OUTPUTS["triples"][:2], []]}
    write_submission(tmp_path, outputs, SPLIT, settings(), LABELS)
    assert submission.check(path, EXAMPLES, SCHEMA) == 3


def test_the_confidence_stands_beside_the_submission(tmp_path):
    write_submission(tmp_path, OUTPUTS, SPLIT, settings(), LABELS)
    lines = (tmp_path / "confidence.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == OUTPUTS["confidence"]


def test_a_baseline_is_scored_as_the_model_is():
    outputs = baselines.baselines(SPLIT, split_of(FILM, ROLES, NOTHING), settings(), LABELS)["train_dictionary"]
    assert score(outputs, SPLIT, settings(), LABELS)["recall"] == 1.0
    assert tables(outputs, SPLIT, settings(), LABELS)["confusion/predicates.csv"]
