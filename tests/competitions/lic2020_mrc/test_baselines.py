import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.baselines import BigramWeights, baselines, new_in_similar_clauses, similar_sentences
from competitions.lic2020_mrc.data import Example, read
from competitions.lic2020_mrc.scoring import score
from shared.arrays import Ragged, Split
from tests.competitions.lic2020_mrc.layout import SETTINGS, example

CONTEXT = "城南有一条河。青石桥建于一九二六年，全长四十八米！桥头有一座小广场"
WEIGHTS = BigramWeights([])


def split(rows: list[Example]) -> Split:
    answers = [json.dumps([{"text": answer.text} for answer in row.answers]) for row in rows]
    columns = {"question": [row.question for row in rows], "context": [row.context for row in rows], "answers": answers}
    return Split({name: Ragged.of_texts(texts) for name, texts in columns.items()})


def settings(n_best: int = 3, rows: int = 1000) -> Any:
    return SimpleNamespace(predict=SimpleNamespace(n_best=n_best), evaluate=SimpleNamespace(baseline_rows=rows))


def texts(candidates: list[Any], context: str = CONTEXT) -> list[str]:
    return [context[start:end] for (start, end), _ in candidates]


def test_the_sentence_with_most_of_the_question_comes_first():
    found = similar_sentences("青石桥建于何年", CONTEXT, WEIGHTS)
    assert texts(found) == ["青石桥建于一九二六年，全长四十八米", "城南有一条河", "桥头有一座小广场"]
    # 青石, 石桥, 桥建, 建于 of six bigrams, all equally rare.
    assert [share for _, share in found] == [pytest.approx(4 / 6), 0, 0]


def test_rare_pairs_of_characters_weigh_more():
    context = "桥梁很多。广场很大"
    weights = BigramWeights([f"桥梁{number}" for number in range(9)] + ["广场"])
    assert texts(similar_sentences("桥梁广场", context, weights), context)[0] == "广场很大"
    assert texts(similar_sentences("桥梁广场", context, WEIGHTS), context)[0] == "桥梁很多"


def test_a_passage_counts_once_however_many_questions_it_has():
    assert BigramWeights(["桥梁", "桥梁", "广场"]).seen == BigramWeights(["桥梁", "广场"]).seen


def test_letters_are_compared_in_lower_case_and_given_as_they_stand():
    context = "甲乙丙。Adam Lowe设计"
    assert texts(similar_sentences("ADAM LOWE是谁", context, WEIGHTS), context)[0] == "Adam Lowe设计"


def test_the_answer_is_what_the_best_clause_has_anew():
    assert texts(new_in_similar_clauses("青石桥建于何时？", CONTEXT, WEIGHTS))[0] == "一九二六年"


def test_the_longest_new_piece_is_taken():
    assert (
        texts(new_in_similar_clauses("石桥全长", "大青石桥的全长四十八米", WEIGHTS), "大青石桥的全长四十八米")[0]
        == "四十八米"
    )


def test_a_clause_with_nothing_new_gives_way_to_the_next_one():
    context = "青石桥建于何年，一九二六年"
    found = new_in_similar_clauses("青石桥建于何年？", context, WEIGHTS)
    assert texts(found, context) == ["一九二六年"]
    assert found[0][1] == pytest.approx(6 / 7)


@pytest.mark.parametrize(
    ("question", "context"),
    [("", "桥。路"), ("桥", "。！？"), ("", "\n \u3000"), ("桥梁", "桥梁"), ("？", "桥"), ("桥" * 9, "桥" * 9)],
)
def test_odd_questions_and_passages_still_get_an_answer(question, context):
    for candidates in (similar_sentences, new_in_similar_clauses):
        found = candidates(question, context, WEIGHTS)
        assert all(0 <= start < end <= len(context) and 0 <= share <= 1 for (start, end), share in found)
        assert found


def test_outputs_hold_answer_confidence_and_the_best_candidates_with_their_place():
    valid = [example("a", "青石桥建于何时？", CONTEXT), example("b", "", "桥")]
    outputs = baselines(split([]), split(valid), settings(n_best=2), {})
    assert list(outputs) == ["similar_sentence", "new_in_similar_clause"]
    found = outputs["new_in_similar_clause"]
    assert found["answer"] == ["一九二六年", "桥"]
    assert [len(candidates) for candidates in found["n_best"]] == [2, 1]
    assert found["n_best"][0][0] == {
        "text": "一九二六年",
        "char_start": 12,
        "char_end": 17,
        "score": found["confidence"][0],
    }


@given(st.text("桥路。，\n aA", max_size=40).filter(str.strip), st.text("桥路？ aA", max_size=9))
def test_candidates_are_slices_of_the_passage_from_best_to_worst(context, question):
    outputs = baselines(split([]), split([example("a", question, context)]), settings(n_best=9), {})
    for found in outputs.values():
        candidates = found["n_best"][0]
        assert all(context[one["char_start"] : one["char_end"]] == one["text"] != "" for one in candidates)
        scores = [one["score"] for one in candidates]
        assert scores == sorted(scores, reverse=True)
        assert len({(one["char_start"], one["char_end"]) for one in candidates}) == len(candidates)


def test_at_most_the_given_number_of_rows_is_learnt_from():
    context = "桥梁很多。广场很大"
    train = [*(example(str(n), context=f"桥梁{n}") for n in range(9)), example("x", context="广场")]
    valid = split([example("v", "桥梁广场", context)])
    answers = [
        baselines(split(train), valid, settings(rows=rows), {})["similar_sentence"]["answer"] for rows in (10, 0)
    ]
    assert answers == [["广场很大"], ["桥梁很多"]]


def test_no_row_gives_no_output():
    outputs = baselines(split([]), split([]), settings(), {})
    assert outputs["similar_sentence"] == {"answer": [], "confidence": [], "n_best": []}


def test_long_passages_take_linear_time():
    rows = [example(str(n), "桥梁在哪", "桥梁很多，广场很大。" * 2000) for n in range(5)]
    start = time.perf_counter()
    baselines(split(rows), split(rows), settings(), {})
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(("name", "figures"), [("dureader_robust", (0.135, 0.211)), ("cmrc2018", (0.457, 0.316))])
def test_the_development_data_gives_the_known_figures(shared_data, name, figures):
    raw = read(shared_data / "data" / name, SETTINGS)
    outputs = baselines(split(raw.train), split(raw.valid), settings(rows=50_000), {})
    gold = [(row.id, [answer.text for answer in row.answers]) for row in raw.valid]
    ids = [row.id for row in raw.valid]
    found = [score(gold, dict(zip(ids, one["answer"], strict=True)))["f1"] for one in outputs.values()]
    assert found == pytest.approx(figures, abs=5e-4)
