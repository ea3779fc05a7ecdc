import json
import time

from competitions.lic2020_mrc.data import read
from competitions.lic2020_mrc.data_report import LISTED_BAD_LINES, render, report
from shared.json_lines import BadLine
from tests.competitions.lic2020_mrc.layout import (
    CONTEXT,
    SETTINGS,
    SKIP,
    document,
    example,
    paragraph,
    question,
    raw_data,
    write_layout,
)


def test_counts_questions_paragraphs_and_lengths():
    rows = [example(str(n), "问" * n, "文" * (n + 5), ["文" * (n + 1)]) for n in range(10)]
    figures = report(raw_data(train=rows))["splits"]["train"]
    assert (figures["questions"], figures["paragraphs"], figures["empty_questions"]) == (10, 10, 1)
    expected = {"question": (0, 4.5, 9), "context": (5, 9.5, 14), "answer": (1, 5.5, 10)}
    assert {
        name: (found["min"], found["mean"], found["max"]) for name, found in figures["characters"].items()
    } == expected


def test_an_unlabelled_split_has_no_answers():
    figures = report(raw_data(test=[example("a")]))["splits"]["test"]
    assert figures["answers"] is None
    assert figures["characters"]["answer"] is None


def test_answers_are_counted_by_how_they_stand_in_the_passage():
    answers = ["桥", "青石桥", "铁桥", " 桥", "", " ", "小广场"]
    rows = [example("a", answers=answers), example("b", answers=["铁桥"]), example("c", answers=["米"], start=16)]
    figures = report(raw_data(valid=rows, wrong_starts=("a",)))["splits"]["valid"]["answers"]
    assert figures == {
        "count": 9,
        "start_not_given": 7,
        "wrong_starts": 1,
        "several_places": 1,
        "not_in_context": 4,
        "edge_blanks": 1,
        "empty": 2,
        "questions_with_several": 1,
        "questions_out_of_reach": 1,
        "per_question": {"1": 2, "7": 1},
    }


def test_overlapping_places_of_an_answer_are_several():
    figures = report(raw_data(train=[example("a", context="哈哈哈", answers=["哈哈"])]))["splits"]["train"]["answers"]
    assert figures["several_places"] == 1


def test_repeated_passages_and_questions_are_counted(tmp_path):
    content = document(paragraph(question("a"), question("b", question="长？")), paragraph(question("c")))
    splits = report(read(write_layout(tmp_path / "raw", {"train.json": content}), SETTINGS))["splits"]
    figures = splits["train"]
    assert (figures["paragraphs"], figures["repeated_contexts"], figures["repeated_questions"]) == (2, 1, 1)
    assert splits["test"]["repeated_contexts"] == 0


def test_overlap_with_earlier_splits_is_counted_in_questions():
    train = [example("a", "甲？", "文一")]
    valid = [
        example("b", "甲？", "文一"),
        example("c", "甲？", "文二"),
        example("d", "乙？", "文一"),
        example("e", "乙？", "丙"),
    ]
    overlap = report(raw_data(train, valid, [example("f", "乙？", "文二")]))["overlap"]
    assert overlap["valid_in_train"] == {
        "context": {"questions": 2, "share": 0.5},
        "question": {"questions": 2, "share": 0.5},
        "both": {"questions": 1, "share": 0.25},
    }
    assert overlap["test_in_valid"] == {
        "context": {"questions": 1, "share": 1.0},
        "question": {"questions": 1, "share": 1.0},
        "both": {"questions": 0, "share": 0.0},
    }
    assert overlap["test_in_train"]["both"] == {"questions": 0, "share": 0.0}


def test_dirt_is_counted_in_distinct_passages_questions_and_answers():
    rows = [example("a", " 问😀", "文\x07文", ["文\ue000"]), example("b", "零\u200b宽", "文\x07文", [""])]
    figures = report(raw_data(train=rows))["splits"]["train"]["texts_with"]
    assert figures == {"edge_blanks": 1, "control": 1, "private_use": 1, "zero_width": 1, "emoji": 1}


def test_only_several_elements_are_worth_a_section():
    assert "Several elements" not in render(report(raw_data(train=[example("a")])))
    text = render(report(raw_data(train=[example("a")], elements=3, beyond_first=1)))
    assert "the official DuReader-robust scorer reads only the first" in text
    assert "- train: 3 elements, 1 of 1 questions behind the first" in text


def test_bad_entries_are_listed_up_to_a_limit():
    bad = [BadLine(f"train.json: data[0].paragraphs[{n}]", "no 'context'") for n in range(LISTED_BAD_LINES + 2)]
    found = report(raw_data(train=[example("a")], bad_lines=bad))
    assert (found["bad_lines"]["count"], len(found["bad_lines"]["first"])) == (102, 100)
    text = render(found)
    assert "102 left out.\n- train.json: data[0].paragraphs[0]: no 'context'" in text
    assert "paragraphs[100]" not in text
    assert text.endswith("- and 2 more\n")


def test_no_text_of_the_data_gets_into_the_report(tmp_path):
    questions = [
        question("a", ("一九二六年", "铁桥"), 3),
        question("b", [{"text": 7}]),
        question("c", question=["哪年"]),
    ]
    found = report(read(write_layout(tmp_path / "raw", {"train.json": document(paragraph(*questions))}), SKIP))
    text = json.dumps(found, ensure_ascii=False) + render(found)
    assert found["bad_lines"]["count"] == 2
    assert not any(piece in text for piece in (CONTEXT[:3], "一九二六", "哪年", "铁桥"))


def test_equal_data_gives_an_equal_document(tmp_path):
    folder = write_layout(tmp_path / "raw")
    first, second = (json.dumps(report(read(folder, SETTINGS))) for _ in range(2))
    assert first == second


def test_long_passages_take_linear_time():
    rows = [example(str(n), context="桥" * 20_000 + str(n), answers=["桥" * 30 + str(n)]) for n in range(50)]
    start = time.perf_counter()
    assert report(raw_data(train=rows))["splits"]["train"]["characters"]["context"]["max"] == 20_002
    assert time.perf_counter() - start < 5


def test_the_known_dirt_of_the_development_data_is_found(shared_data):
    dureader = report(read(shared_data / "data" / "dureader_robust", SETTINGS))["splits"]
    assert dureader["valid"]["answers"]["start_not_given"] == dureader["valid"]["answers"]["count"] == 433
    assert dureader["train"]["answers"]["edge_blanks"] + dureader["valid"]["answers"]["edge_blanks"] == 6
    cmrc = report(read(shared_data / "data" / "cmrc2018", SETTINGS))["splits"]
    assert (cmrc["train"]["empty_questions"], cmrc["train"]["answers"]["wrong_starts"]) == (2, 5)
    assert cmrc["train"]["characters"]["answer"]["max"] == 435
