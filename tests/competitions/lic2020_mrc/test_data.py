import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_mrc.data import Answer, BadLine, Document, Example, find_file, read, read_split
from shared.errors import UserError
from tests.competitions.lic2020_mrc.layout import (
    CONTEXT,
    SETTINGS,
    SKIP,
    document,
    paragraph,
    put,
    question,
    write_layout,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30).filter(lambda text: text.strip())


def train(tmp_path: Path, content: Any, on_bad_line: str = "error") -> tuple[list[Example], list[BadLine], Document]:
    return read_split(write_layout(tmp_path / "raw", {"train.json": content}), "train", on_bad_line)


def train_error(tmp_path: Path, content: Any) -> str:
    with pytest.raises(UserError) as error:
        train(tmp_path, content)
    return str(error.value).removeprefix(f"{tmp_path}/raw/")


def only(tmp_path: Path, *answers: dict[str, Any], context: str = CONTEXT) -> tuple[Example, Document]:
    examples, _, found = train(tmp_path, document(paragraph(question(answers=list(answers)), context=context)))
    return examples[0], found


def test_reads_all_splits(tmp_path):
    raw = read(write_layout(tmp_path / "raw"), SETTINGS)
    assert raw.train[0] == Example("t1", "桥建于哪年？", CONTEXT, (Answer("一九二六年", 5),))
    assert [example.id for example in raw.train + raw.valid + raw.test] == ["t1", "t2", "d1", "d2", "e1", "e2"]
    assert raw.valid[0].answers == (Answer("一九二六年", -1), Answer("1926年", -1))
    assert [example.answers for example in raw.test] == [(), ()]
    assert raw.bad_lines == []
    assert [file.name for file in raw.files] == ["train.json", "dev.json", "test1.json"]
    assert raw.documents["valid"] == Document(raw.files[1], elements=1, beyond_first=0, paragraphs=2, wrong_starts=())


@pytest.mark.parametrize("name", ["test1.json", "test2.json", "test.json"])
def test_the_test_file_has_one_of_three_names(tmp_path, name):
    folder = write_layout(tmp_path / "raw", {"test1.json": None, name: document(paragraph(question("x", None)))})
    assert [example.id for example in read_split(folder, "test")[0]] == ["x"]


def test_the_first_test_file_there_is_counts(tmp_path):
    folder = write_layout(tmp_path / "raw", {"test2.json": document(paragraph(question("x", None)))})
    assert find_file(folder, "test").name == "test1.json"


def test_the_folder_of_the_archive_of_2020_may_be_left_out(tmp_path):
    write_layout(tmp_path / "raw" / "dureader_robust-data")
    assert len(read(tmp_path / "raw", SETTINGS).train) == 2


def test_answers_in_the_test_file_are_ignored(tmp_path):
    content = document(paragraph(question("x", ("桥",)), question("y", 3)))
    examples, _, _ = read_split(write_layout(tmp_path / "raw", {"test1.json": content}), "test")
    assert [example.answers for example in examples] == [(), ()]


def test_all_elements_of_data_are_read_and_those_behind_the_first_counted(tmp_path):
    content = {"data": [{"paragraphs": [paragraph(question("a"))]}, {"paragraphs": [paragraph(question("b"))]}]}
    content["data"].append({"paragraphs": [paragraph(question("c"), question("d"))]})
    examples, _, found = train(tmp_path, content)
    assert [example.id for example in examples] == ["a", "b", "c", "d"]
    assert (found.elements, found.beyond_first, found.paragraphs) == (3, 3, 3)


def test_a_wrong_start_of_a_text_that_stands_elsewhere_becomes_minus_one(tmp_path):
    example, found = only(tmp_path, {"text": "一九二六年", "answer_start": 6}, {"text": "青石桥", "answer_start": 0})
    assert example.answers == (Answer("一九二六年", -1), Answer("青石桥", 0))
    assert found.wrong_starts == ("q1",)


@pytest.mark.parametrize("start", [0, 10_000])
def test_an_answer_that_is_no_part_of_the_passage_is_kept(tmp_path, start):
    example, found = only(tmp_path, {"text": "铁桥", "answer_start": start}, {"text": "木桥", "answer_start": -1})
    assert example.answers == (Answer("铁桥", -1), Answer("木桥", -1))
    assert found.wrong_starts == ("q1",)


def test_a_later_place_of_an_answer_is_kept(tmp_path):
    example, found = only(tmp_path, {"text": "桥", "answer_start": 19})
    assert example.answers == (Answer("桥", 19),)
    assert found.wrong_starts == ()


def test_a_missing_start_is_one_not_given_and_empty_texts_are_no_fault(tmp_path):
    content = document(paragraph(question(answers=[{"text": ""}, {"text": "  桥 "}], question="")))
    examples, _, found = train(tmp_path, content)
    assert examples[0].answers == (Answer("", -1), Answer("  桥 ", -1))
    assert (examples[0].question, found.wrong_starts) == ("", ())


def test_a_number_for_an_id_is_read_as_text(tmp_path):
    assert train(tmp_path, document(paragraph(question(7))))[0][0].id == "7"


def test_starts_count_characters_beyond_the_basic_plane_once(tmp_path):
    example, found = only(tmp_path, {"text": "桥", "answer_start": 2}, context="😀𠀀桥")
    assert (example.answers, found.wrong_starts) == ((Answer("桥", 2),), ())


@given(TEXTS, st.text(st.characters(exclude_categories=("Cs",))), TEXTS)
def test_texts_are_never_altered(tmp_path_factory, context, asked, answer):
    content = document(paragraph(question(question=asked, answers=(answer,)), context=context))
    folder = write_layout(tmp_path_factory.mktemp("raw") / "raw", {"train.json": content})
    example = read_split(folder, "train")[0][0]
    assert (example.context, example.question, example.answers[0].text) == (context, asked, answer)


def test_byte_order_mark_line_ends_and_escapes_are_accepted(tmp_path):
    text = json.dumps(document(paragraph(question())), indent=1).replace("\n", "\r\n")
    assert train(tmp_path, b"\xef\xbb\xbf" + text.encode())[0][0].context == CONTEXT


def test_a_missing_folder_and_a_file_in_its_place_are_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder\. Expected the folder that holds train\.json"):
        read_split(tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match=r"raw\.zip: a file, not a folder"):
        read_split(put(tmp_path / "raw.zip", b"PK"), "train")


def test_a_missing_file_is_named_with_what_is_there(tmp_path):
    folder = write_layout(tmp_path / "raw", {"test1.json": None})
    with pytest.raises(UserError) as error:
        read(folder, SETTINGS)
    assert str(error.value).startswith(
        f"{folder}: no test file. Looked for test1.json or test2.json or test.json, there and in "
        "dureader_robust-data/; found dev.json, train.json. Unpack"
    )


def test_only_some_of_many_files_are_listed_and_the_folder_below_is_proposed(tmp_path):
    for number in range(30):
        put(tmp_path / f"a{number:02}.txt", b"")
    inner = write_layout(tmp_path / "z_unpacked")
    with pytest.raises(UserError, match=rf"a19\.txt, and 11 more\. Did you mean {inner}\?"):
        read_split(tmp_path, "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "train.json: the file is empty"),
        (b"\xef\xbb\xbf \n", "train.json: the file is empty"),
        (b'{"data": [\n  {"paragraphs" []}]}', "train.json:2:17: not JSON: Expecting ':' delimiter"),
        (b'{"data": []}\n{"data": []}\n', "train.json:2:1: more than one JSON document. Expected one JSON document"),
        (b'{"data": [' + b"1" * 5000 + b"]}", "train.json: not usable JSON"),
        (b"[" * 100_000, "train.json: not usable JSON"),
        ('{"data": "桥"}'.encode("gb18030"), "train.json:1: not UTF-8: byte 0x"),
        (b"[]", "train.json: a list. Expected one JSON document {'data':"),
        (b"{}", "train.json: no 'data'. Expected"),
        (b'{"data": {}}', "train.json: 'data' is an object. Expected"),
        (b'{"data": []}', "train.json: no usable question. Expected at least one"),
        (document(), "train.json: no usable question"),
        (document(paragraph()), "train.json: no usable question"),
    ],
)
@pytest.mark.parametrize("on_bad_line", ["error", "skip"])
def test_a_file_of_another_kind_is_always_an_error(tmp_path, content, message, on_bad_line):
    with pytest.raises(UserError) as error:
        train(tmp_path, content, on_bad_line)
    assert str(error.value).removeprefix(f"{tmp_path}/raw/").startswith(message)


GOOD = paragraph(question("good"))
BAD_PARTS = [
    ({"data": ["x"]}, "data[0]", "found a string. Expected an object"),
    ({"data": [{"title": ""}]}, "data[0]", "no 'paragraphs'. Expected a list"),
    ({"data": [{"paragraphs": {}}]}, "data[0]", "'paragraphs' is an object. Expected a list"),
    (document(GOOD, None), "data[0].paragraphs[1]", "found null. Expected an object"),
    (document({"context": "桥"}), "data[0].paragraphs[0]", "no 'qas'. Expected a list"),
    (
        document({"qas": [question(), question("q2")]}),
        "data[0].paragraphs[0]",
        "no 'context'. Expected a text. Questio",
    ),
    (document(paragraph(question(), context=" \u3000")), "data[0].paragraphs[0]", "'context' is empty."),
    (document(paragraph(question(), context=3)), "data[0].paragraphs[0]", "'context' is a number. Expected a text"),
    (document(paragraph(question(), context="\ud83d")), "data[0].paragraphs[0]", "half of a surrogate pair"),
    (document(paragraph("q")), "data[0].paragraphs[0].qas[0]", "found a string. Expected an object"),
    (document(paragraph(question(None))), "data[0].paragraphs[0].qas[0]", "no 'id'. Expected a text"),
    (document(paragraph(question(["a"]))), "data[0].paragraphs[0].qas[0] (id a list)", "'id' is a list"),
    (document(paragraph(question(True))), "data[0].paragraphs[0].qas[0] (id true)", "'id' is true"),
    (document(paragraph(question(""))), 'data[0].paragraphs[0].qas[0] (id "")', "'id' is empty"),
    (document(GOOD, paragraph(question(question=None))), 'data[0].paragraphs[1].qas[0] (id "q1")', "no 'question'."),
    (document(paragraph(question(question=3))), 'data[0].paragraphs[0].qas[0] (id "q1")', "'question' is a number"),
    (document(paragraph(question(answers=None))), 'data[0].paragraphs[0].qas[0] (id "q1")', "no 'answers'. Expected"),
    (document(paragraph(question(answers="桥"))), 'data[0].paragraphs[0].qas[0] (id "q1")', "'answers' is a string"),
    (document(paragraph(question(answers=[]))), 'data[0].paragraphs[0].qas[0] (id "q1")', "'answers' is an empty list"),
    (
        document(paragraph(question(answers=[{"text": "桥"}, "桥"]))),
        'data[0].paragraphs[0].qas[0] (id "q1")',
        "answers[1]: found a string. Expected an object",
    ),
    (
        document(paragraph(question(answers=[{"answer_start": 0}]))),
        'data[0].paragraphs[0].qas[0] (id "q1")',
        "answers[0]: no 'text'. Expected a text",
    ),
    (
        document(paragraph(question("good"), question("good"))),
        'data[0].paragraphs[0].qas[1] (id "good")',
        "the same id as data[0].paragraphs[0].qas[0]. Ids must be unique",
    ),
    *[
        (
            document(paragraph(question(start=start))),
            'data[0].paragraphs[0].qas[0] (id "q1")',
            f"answers[0]: 'answer_start' is {shown}. Expected a whole number from 0 on, or -1",
        )
        for start, shown in [(-2, "-2"), ("0", '"0"'), (1.0, "1.0"), (True, "true"), (None, "null")]
    ],
]


@pytest.mark.parametrize(("content", "place", "message"), BAD_PARTS)
def test_a_bad_part_is_named_by_its_place_in_the_document(tmp_path, content, place, message):
    error = train_error(tmp_path, json.dumps(content))
    assert error.startswith(f"train.json: {place}: {message}")
    assert "data.on_bad_line" in error


@pytest.mark.parametrize(("content", "place", "message"), BAD_PARTS)
def test_skip_leaves_a_bad_part_out_and_names_it(tmp_path, content, place, message):
    content = {"data": [*content["data"], {"paragraphs": [paragraph(question("last"))]}]}
    examples, bad, _ = train(tmp_path, json.dumps(content), "skip")
    assert {example.id for example in examples} <= {"good", "last"}
    assert examples[-1].id == "last"
    assert [one.where for one in bad] == [f"{tmp_path}/raw/train.json: {place}"]
    assert bad[0].problem.startswith(message.removesuffix("."))


def test_a_paragraph_left_out_tells_how_many_questions_go_with_it(tmp_path):
    content = document({"qas": [question("a"), question("b")]}, GOOD)
    _, bad, _ = train(tmp_path, content, "skip")
    assert bad[0].problem == "no 'context'. Expected a text. Questions without a passage: 2"


def test_the_id_of_a_question_left_out_may_be_used_again(tmp_path):
    examples, bad, _ = train(tmp_path, document(paragraph(question("a", []), question("a"))), "skip")
    assert ([example.id for example in examples], len(bad)) == (["a"], 1)


def test_bad_parts_of_all_labelled_splits_are_collected(tmp_path):
    content = document(paragraph(question("a", []), question("b")))
    raw = read(write_layout(tmp_path / "raw", {"train.json": content, "dev.json": content}), SKIP)
    assert [Path(bad.where.split(":")[0]).name for bad in raw.bad_lines] == ["train.json", "dev.json"]


def test_a_file_without_any_usable_question_names_the_first_bad_part(tmp_path):
    with pytest.raises(
        UserError, match=r"no usable question.* bad part is .*qas\[0\] \(id \"a\"\): 'answers' is an emp"
    ):
        train(tmp_path, document(paragraph(question("a", []))), "skip")


@pytest.mark.parametrize("settings", [SETTINGS, SKIP], ids=["error", "skip"])
def test_a_bad_part_of_the_test_file_is_always_an_error(tmp_path, settings):
    folder = write_layout(tmp_path / "raw", {"test1.json": document(GOOD, {"qas": [question("x", None)]})})
    with pytest.raises(UserError, match=r"test1\.json: data\[0\]\.paragraphs\[1\]: no 'context'.*answer every test"):
        read(folder, settings)


def test_unknown_arguments_are_our_own_fault(tmp_path):
    with pytest.raises(ValueError, match=r"dev"):
        read_split(tmp_path, "dev")
    with pytest.raises(ValueError, match=r"ignore"):
        read_split(tmp_path, "train", "ignore")


def test_long_passages_take_linear_time(tmp_path):
    context = "桥" * 20_000 + "头"
    content = document(*(paragraph(question(f"q{n}", ("桥" * 30 + "头",)), context=context) for n in range(50)))
    start = time.perf_counter()
    examples, _, _ = train(tmp_path, content)
    assert len(examples) == 50
    assert time.perf_counter() - start < 5  # takes a tenth of a second; a million characters squared would never end


def test_the_development_data_is_read_whole(shared_data):
    counts = {}
    for name in ("dureader_robust", "cmrc2018"):
        raw = read(shared_data / "data" / name, SETTINGS)
        counts[name] = [len(raw.train), len(raw.valid), len(raw.test)]
        assert raw.bad_lines == []
    assert counts == {"dureader_robust": [538, 313, 193], "cmrc2018": [754, 131, 117]}
    assert len(raw.documents["train"].wrong_starts) == 5
