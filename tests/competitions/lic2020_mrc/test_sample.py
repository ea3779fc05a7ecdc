"""The bundled sample is what its generator writes, and asks for the entity, the attribute and the meaning of words."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competitions.lic2020_mrc import sample, scoring
from competitions.lic2020_mrc import sample_words as words
from competitions.lic2020_mrc.sample import Fact, Question
from pipelines import sample as command

COMMITTED = Path(__file__).parents[3] / "data" / "sample" / "lic2020_mrc"
NAME = re.compile(
    f"[{words.NAME_HEADS}][{words.NAME_TAILS}](?:{'|'.join(e for k in words.KINDS.values() for e in k.endings)})"
)


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Question]]:
    return sample.build()


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    """The committed files, parsed."""
    return {split: json.loads((COMMITTED / name).read_text("utf-8")) for split, name in sample.FILES.items()}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def entries(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the questions of a file, each with its context."""
    return [qa | {"context": p["context"]} for p in document["data"][0]["paragraphs"] for qa in p["qas"]]


def is_long(question: Question) -> bool:
    return len(question.context) >= sample.LONG_LENGTH[0]


def official(questions: Sequence[Question], predictions: Mapping[str, str]) -> tuple[float, float]:
    """Returns F1 and exact match."""
    figures = scoring.score([(question.id, question.answers) for question in questions], predictions)
    return figures["f1"], figures["em"]


def told_facts(context: str) -> list[tuple[Fact, str]]:
    """Reads the facts of a passage with the word lists at hand, in the order told."""
    found = []
    for attribute, forms in words.ATTRIBUTES.items():
        before, after = ("|".join(("", *hedges)) for hedges in (forms.before, forms.after))
        for clause in forms.clauses:
            for match in re.finditer(f"{clause}(?:{before})??( *[^，。]+? *)(?:{after})(?=[，。])", context):
                entity = NAME.findall(context, 0, match.start())[-1]
                found.append((match.start(), Fact(entity, attribute), match[1]))
    return [(fact, value) for _, fact, value in sorted(found)]


def asked_fact(question: str) -> Fact:
    """Reads what a question asks with the word lists at hand."""
    (entity,) = NAME.findall(question)
    (attribute,) = (a for a, forms in words.ATTRIBUTES.items() if any(asked in question for asked in forms.questions))
    return Fact(entity, attribute)


def most_similar_sentence(question: Question) -> str:
    def bigrams(text: str) -> set[str]:
        return {text[place : place + 2] for place in range(len(text) - 1)}

    return max(question.context.split("。"), key=lambda sentence: len(bigrams(sentence) & bigrams(question.question)))


def clause_after_match(question: Question) -> str:
    """Returns what follows, in the most similar sentence, its last two characters that the question has too."""
    sentence = most_similar_sentence(question)
    places = [place for place in range(2, len(sentence)) if sentence[place - 2 : place] in question.question]
    return sentence[max(places, default=0) :].strip("，").split("，")[0]


def test_committed_sample_equals_what_the_command_writes(tmp_path):
    assert command.main(["lic2020_mrc", "--out", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(COMMITTED)


def test_another_seed_gives_another_sample(splits):
    assert sample.build(1)["valid"] != splits["valid"]


def test_files_have_the_official_layout(splits, documents):
    assert sorted(contents(COMMITTED)) == sorted(sample.FILES.values())
    for split, document in documents.items():
        (element,) = document["data"]
        assert element["title"] == ""
        assert {tuple(paragraph) for paragraph in element["paragraphs"]} == {("qas", "context")}
        rows = entries(document)
        assert len(rows) == sum(sample.SIZES[split].values())
        assert [(row["id"], row["question"], row["context"]) for row in rows] == [
            (question.id, question.question, question.context) for question in splits[split]
        ]
        assert all(("answers" in row) == (split != "test") for row in rows)
        for row in rows if split != "test" else []:
            assert {tuple(answer) for answer in row["answers"]} == {("text", "answer_start")}


def test_sample_is_small_enough_for_git():
    assert sum(map(len, contents(COMMITTED).values())) < 1_000_000


def test_ids_are_different_md5_sums(splits):
    ids = [question.id for questions in splits.values() for question in questions]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", identity) for identity in ids)


def test_answers_of_train_stand_where_annotated(documents):
    for row in entries(documents["train"]):
        (answer,) = row["answers"]
        start = answer["answer_start"]
        assert row["context"][start : start + len(answer["text"])] == answer["text"] != ""


def test_answers_of_dev_are_pieces_of_the_passage_without_a_start(documents):
    for row in entries(documents["valid"]):
        for answer in row["answers"]:
            assert answer["answer_start"] == -1
            assert answer["text"]
            assert answer["text"] in row["context"]


def test_dev_has_questions_with_several_golden_answers(documents):
    numbers = [len({answer["text"] for answer in row["answers"]}) for row in entries(documents["valid"])]
    assert 0.2 < np.mean(np.array(numbers) > 1) < 0.5


@pytest.mark.parametrize("split", sample.FILES)
def test_a_share_of_passages_is_long_with_the_answer_beyond_the_first_window(splits, split):
    questions = splits[split]
    long = [question for question in questions if is_long(question)]
    assert len(long) == sample.SIZES[split]["long"]
    assert 0.06 < len(long) / len(questions) < 0.1
    for question in long:
        assert len(question.context) <= 1500
        # Each ideograph and each Chinese mark is a token of its own, whatever the vocabulary.
        before = re.findall(r"[^\s!-~\uff10-\uff5a]", question.context[: question.spans[0][0]])
        assert len(before) >= 512


def test_other_passages_are_short(splits):
    lengths = [len(question.context) for question in splits["train"] if not is_long(question)]
    assert np.mean([60 <= length <= 200 for length in lengths]) > 0.99


def test_some_answers_of_train_stand_earlier_in_the_passage_too(documents):
    rows = [(row["context"], row["answers"][0]) for row in entries(documents["train"])]
    assert 0.03 < np.mean([context.index(answer["text"]) < answer["answer_start"] for context, answer in rows]) < 0.15


def test_dirt_of_the_official_files_occurs(splits):
    train = splits["train"]
    assert 0 < np.mean([question.answers[0] != question.answers[0].strip() for question in train]) < 0.05
    assert 0 < np.mean([bool(re.search("[\uff10-\uff19]", question.answers[0])) for question in train]) < 0.1
    for pieces in (words.EMOJI, ("<br>",), ("http://",), (" | ",), (words.CONTROL_CHARACTER,)):
        assert 0 < np.mean([any(piece in question.context for piece in pieces) for question in train]) < 0.2


def test_passages_have_several_questions_and_some_stand_in_two_paragraphs(documents):
    paragraphs = documents["train"]["data"][0]["paragraphs"]
    assert {len(paragraph["qas"]) for paragraph in paragraphs} == {1, 2, 3}
    times = Counter(paragraph["context"] for paragraph in paragraphs)
    assert set(times.values()) == {1, 2}


def test_few_answers_of_dev_were_answers_in_train(splits):
    known = {question.answers[0] for question in splits["train"]}
    assert np.mean([question.answers[0] in known for question in splits["valid"]]) < 0.2


def test_every_way_to_tell_and_to_ask_is_met_often_in_train(splits):
    contexts = "\n".join({question.context for question in splits["train"]})
    questions = "\n".join(question.question for question in splits["train"])
    for forms in words.ATTRIBUTES.values():
        assert min(contexts.count(clause) for clause in forms.clauses[: sample.NUM_CLAUSES]) >= 25
        assert min(questions.count(asked) for asked in forms.questions[: sample.NUM_QUESTIONS]) >= 6


def test_names_share_no_character_with_phrases():
    lists = (words.NAME_HEADS, words.NAME_TAILS, words.SURNAMES, words.GIVEN_NAMES)
    forms = [
        text for a in words.ATTRIBUTES.values() for text in (a.value, *a.clauses, *a.questions, *a.before, *a.after)
    ]
    phrases = "".join((*forms, *words.FILLING, *words.PAPERS, *words.PRONOUNS, *words.QUESTION_FRAMES))
    assert not set("".join(lists)) & set(phrases)


def test_the_answer_can_be_read_with_the_word_lists(splits):
    predictions = {}
    for question in splits["valid"]:
        predictions[question.id] = dict(told_facts(question.context))[asked_fact(question.question)]
    assert official(splits["valid"], predictions)[1] == 1.0


@pytest.mark.parametrize("field", ["entity", "attribute"])
def test_entity_or_attribute_alone_is_not_enough(splits, field):
    predictions = {}
    for question in splits["valid"]:
        asked = getattr(asked_fact(question.question), field)
        told = told_facts(question.context)
        predictions[question.id] = next(value for fact, value in told if getattr(fact, field) == asked)
    assert official(splits["valid"], predictions)[1] < 0.5


def test_the_most_similar_sentence_scores_low(splits):
    f1, em = official(splits["valid"], {question.id: most_similar_sentence(question) for question in splits["valid"]})
    assert em < 0.1
    assert f1 < 0.25


def test_its_clause_after_the_match_scores_low(splits):
    f1, em = official(splits["valid"], {question.id: clause_after_match(question) for question in splits["valid"]})
    assert em < 0.25
    assert f1 < 0.5
