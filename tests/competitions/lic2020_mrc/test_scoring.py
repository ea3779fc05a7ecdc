import argparse
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from competitions.lic2020_mrc import scoring
from competitions.lic2020_mrc.scoring import (
    cmrc2018_normalize,
    cmrc2018_tokens,
    dureader_robust_normalize,
    dureader_robust_tokens,
    read_reference,
    score,
    score_files,
)
from shared.errors import UserError
from tests.competitions.lic2020_mrc.layout import document, paragraph, put, question, write_layout

REFERENCE = document(paragraph(question("a", ("青石桥",)), question("b", ("一九二六年", "1926年"))))


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    return parser.parse_args(argv)


def files(tmp_path: Path, reference: Any, predictions: Any, *argv: str) -> dict[str, Any]:
    return score_files(put(tmp_path / "gold.json", reference), put(tmp_path / "pred.json", predictions), options(*argv))


def one(predicted: str, *answers: str, metric: str = "dureader_robust") -> tuple[float, float]:
    """Returns F1 and exact match of one question."""
    result = score([("q", answers)], {"q": predicted}, metric)
    return pytest.approx(result["f1"], abs=1e-12), result["em"]


def test_figures_are_unrounded_means_over_all_questions():
    gold = [("a", ["青石桥"]), ("b", ["桥"]), ("c", ["小广场"])]
    result = score(gold, {"a": "青石桥", "b": "石桥", "other": "小广场"})
    # F1: 1, run of 1 in 2 and 1 tokens = 2/3, nothing; exact match: the first only.
    assert result["f1"] == pytest.approx((1 + 2 / 3) / 3, abs=1e-15)
    assert result["em"] == 1 / 3
    assert (result["total"], result["skip"]) == (3, 1)
    assert list(result)[:2] == ["f1", "em"]


def test_the_best_answer_counts_for_each_figure_apart():
    assert one("石桥", "青石桥", "桥") == (4 / 5, 0)
    assert one("桥", "青石桥", "桥") == (1, 1)


def test_an_id_that_comes_twice_is_scored_twice():
    assert score([("a", ["桥"]), ("a", ["路"])], {"a": "桥"})["em"] == 0.5


def test_two_answers_of_nothing_match_exactly_with_f1_zero():
    assert one("", "") == (0, 1)
    assert one("《》", "。") == (0, 1)


def test_figures_are_given_by_the_length_of_the_shortest_answer():
    gold = [("a", ["青石桥", "桥"]), ("b", ["路"]), ("c", ["一" * 40]), ("d", ["一" * 8]), ("e", ["一" * 9, ""])]
    result = score(gold, {"a": "桥", "c": "一" * 20, "d": "一" * 8})
    bands = result["by_answer_length"]
    assert bands["0-2"] == {"n": 3, "em": pytest.approx(1 / 3), "f1": pytest.approx(1 / 3)}
    assert bands["33+"] == {"n": 1, "em": 0.0, "f1": pytest.approx(2 / 3)}
    assert {name: found["n"] for name, found in bands.items()} == {"0-2": 3, "5-8": 1, "33+": 1}


def test_dureader_keeps_blanks_and_most_half_width_marks():
    assert dureader_robust_normalize(" A:b_c`d(e)f,g|h《甲》，。 ") == " abcdefgh甲 "
    assert dureader_robust_normalize("3-5~7/8%.?!;…‘【】") == "3-5~7/8%.?!;…‘【】"
    assert dureader_robust_normalize("ＡＢ３－５～７") == "ａｂ３５７"


def test_dureader_takes_ideographs_and_equals_signs_apart_and_the_rest_in_runs():
    assert dureader_robust_tokens("a b=c甲乙\n\n丙3.5米") == ["a b", "=", "c", "甲", "乙", "\n\n", "丙", "3.5", "米"]
    assert dureader_robust_tokens("㐀𠀀豈𫝀さくら😀") == ["㐀", "𠀀", "豈", "𫝀", "さくら😀"]
    assert dureader_robust_tokens("") == []


def test_cmrc_strips_before_marks_go_and_turns_other_values_into_text():
    assert cmrc2018_normalize(" 。 A-b=c~d^e 。\n") == " abcde "
    assert cmrc2018_normalize(None) == "none"
    assert cmrc2018_normalize(120) == "120"


def test_cmrc_takes_common_ideographs_apart_and_the_rest_in_words():
    assert cmrc2018_tokens("甲adam lowe's 3.5米") == ["甲", "adam", "lowe", "'s", "3.5", "米"]
    assert cmrc2018_tokens("𠀀𠀁桥") == ["𠀀𠀁", "桥"]


def test_the_two_metrics_differ_in_words_and_blanks():
    assert one("Adam", "Adam Lowe") == (0, 0)
    assert one("Adam", "Adam Lowe", metric="cmrc2018") == (2 / 3, 0)
    assert one(" 青石桥", "青石桥") == (6 / 7, 0)
    assert one(" 青石桥", "青石桥", metric="cmrc2018") == (1, 1)


def test_only_cmrc_has_an_average_and_takes_answers_that_are_no_text():
    result = score([("a", ["120"])], {"a": 120}, "cmrc2018")
    assert (result["average"], result["em"]) == (1.0, 1.0)
    assert "average" not in score([("a", ["120"])], {"a": "120"})


@pytest.mark.parametrize(("value", "shown"), [(None, "null"), (["桥"], "a list"), (120, "a number"), ({}, "an object")])
def test_dureader_refuses_answers_that_are_no_text(value, shown):
    with pytest.raises(UserError, match=rf'the prediction of question "a" is {shown}\. Expected one text'):
        score([("a", ["桥"])], {"a": value})
    with pytest.raises(UserError, match=rf'the golden answer of question "a" is {shown}\.'):
        score([("a", [value])], {"a": "桥"})


def test_answers_of_other_questions_are_not_looked_at():
    assert score([("a", ["桥"])], {"a": "桥", "b": None})["em"] == 1.0


def test_nothing_to_score_is_refused():
    with pytest.raises(UserError, match=r"no question to score"):
        score([], {"a": "桥"})
    with pytest.raises(UserError, match=r'question "a" has no golden answer'):
        score([("a", [])], {"a": "桥"})
    with pytest.raises(ValueError, match=r"metric is 'rouge'; valid ones: dureader_robust, cmrc2018"):
        score([("a", ["桥"])], {"a": "桥"}, "rouge")


def test_a_file_is_scored_against_a_file_or_its_folder(tmp_path, capsys):
    predictions = {"a": "青石桥", "b": "1926年"}
    assert files(tmp_path, REFERENCE, predictions)["f1"] == 1.0
    folder = write_layout(tmp_path / "raw", {"dev.json": REFERENCE})
    assert score_files(folder, tmp_path / "pred.json", options())["em"] == 1.0
    assert capsys.readouterr().err == ""


def test_missing_answers_are_told(tmp_path, capsys):
    assert files(tmp_path, REFERENCE, {"a": "青石桥"})["skip"] == 1
    assert "pred.json: no answer to 1 of 2 questions; they count as 0." in capsys.readouterr().err


def test_a_list_counts_as_no_prediction_at_all(tmp_path, capsys):
    result = files(tmp_path, REFERENCE, ["a", "b"])
    assert (result["skip"], result["f1"]) == (2, 0.0)
    assert "pred.json: a list" in capsys.readouterr().err


def test_of_repeated_ids_in_a_prediction_the_last_counts(tmp_path):
    assert files(tmp_path, document(paragraph(question("a"))), '{"a": "路", "a": "青石桥"}')["em"] == 1.0


def test_dureader_reads_the_first_element_only_and_numbers_as_ids(tmp_path):
    reference = {"data": [*document(paragraph(question(7)))["data"], *REFERENCE["data"]]}
    path = put(tmp_path / "gold.json", reference)
    assert read_reference(path) == [("7", ["青石桥"])]
    assert [found[0] for found in read_reference(path, "cmrc2018")] == [7, "a", "b"]
    assert files(tmp_path, reference, {"7": "青石桥"})["skip"] == 0
    assert files(tmp_path, reference, {"7": "青石桥"}, "--metric", "cmrc2018")["skip"] == 3


def test_a_reference_need_not_satisfy_the_reader(tmp_path):
    odd = {"id": "a", "answers": [{"text": "不在其中"}]}
    assert read_reference(put(tmp_path / "gold.json", document({"qas": [odd, odd]}))) == [("a", ["不在其中"])] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "pred.json: the file is empty"),
        (b'\xef\xbb\xbf{"a": ""}', "pred.json: starts with a byte order mark"),
        (
            b'{"a": ""}\n{"b": ""}\n',
            "pred.json:2:1: more than one JSON document. Expected one JSON object id -> answer",
        ),
        (b'{"a": ', "pred.json:1:7: not JSON"),
        ('{"a": "桥"}'.encode("gb18030"), "pred.json:1: not UTF-8"),
        (b'"a"', "pred.json: found a string. Expected one JSON object"),
        (b'{"a": null}', 'pred.json against {0}/gold.json: the prediction of question "a" is null'),
    ],
)
def test_predictions_that_stop_the_official_script_are_refused(tmp_path, content, message):
    with pytest.raises(UserError) as error:
        files(tmp_path, REFERENCE, content)
    assert str(error.value).startswith(f"{tmp_path}/{message.replace('{0}', str(tmp_path))}")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({}, "gold.json: data: no 'data'. Expected a reference such as dev.json"),
        ({"data": []}, "gold.json: data: not of the expected shape"),
        ([], "gold.json: data: not of the expected shape"),
        ({"data": [{}]}, "gold.json: data[0].paragraphs: no 'paragraphs'"),
        (document({}), "gold.json: data[0].paragraphs[0].qas: no 'qas'"),
        (document(paragraph(question(None))), "gold.json: data[0].paragraphs[0].qas[0]: no 'id'"),
        (
            document(paragraph(question("a"), question("b", None))),
            "gold.json: data[0].paragraphs[0].qas[1]: no 'answers'",
        ),
        (document(paragraph(question("a", [{}]))), "gold.json: data[0].paragraphs[0].qas[0]: no 'text'"),
        (document(paragraph(question("a", ["桥"]))), "gold.json: data[0].paragraphs[0].qas[0]: not of the expected"),
        (b"\xef\xbb\xbf{}", "gold.json: starts with a byte order mark"),
    ],
)
def test_a_reference_of_another_shape_is_named_with_the_place(tmp_path, reference, message):
    with pytest.raises(UserError) as error:
        files(tmp_path, reference, {})
    assert str(error.value).startswith(f"{tmp_path}/{message}")


def test_an_id_that_cannot_be_looked_up_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"qas\[0\]: not of the expected shape"):
        files(tmp_path, document(paragraph(question(["a"]))), {}, "--metric", "cmrc2018")


def test_the_default_metric_does_without_heavy_imports():
    code = (
        "import sys; from competitions.lic2020_mrc import data, scoring, submission; "
        "scoring.score([('a', ['b'])], {'a': 'b'}); "
        "print(*{'keras', 'tensorflow', 'pandas', 'sklearn', 'pydantic', 'nltk'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def in_official_form(result: dict[str, Any]) -> dict[str, Any]:
    shown = {name.upper(): f"{100 * result[name]:.3f}" for name in ("average", "f1", "em") if name in result}
    return shown | {"TOTAL": result["total"], "SKIP": result["skip"]}


@pytest.mark.parametrize(("metric", "number"), [("dureader_robust", 64), ("cmrc2018", 41)])
def test_reproduces_every_golden_vector(shared_data, tmp_path, metric, number):
    cases = json.loads((shared_data / "scorers" / f"{metric}.json").read_text(encoding="utf-8"))["cases"]
    assert len(cases) == number
    for case in cases:
        content: Any = case.get("prediction_raw", case.get("prediction"))
        if "prediction_base64" in case:
            content = base64.b64decode(case["prediction_base64"])
        if case["expect"]["exit"] == 0:
            result = files(tmp_path, case["reference"], content, "--metric", metric)
            assert in_official_form(result) == case["expect"]["output"], case["name"]
        else:
            with pytest.raises(UserError):
                files(tmp_path, case["reference"], content, "--metric", metric)


def test_reproduces_the_official_figures_of_three_real_systems(shared_data, tmp_path):
    golden = json.loads((shared_data / "scorers" / "dureader_robust_real.json").read_text(encoding="utf-8"))
    reference = shared_data / "data" / golden["reference"]
    assert len(golden["systems"]) == 3
    for name, system in golden["systems"].items():
        result = score_files(reference, put(tmp_path / "pred.json", system["predictions"]), options())
        assert in_official_form(result) == system["expect"], name
