import argparse
import base64
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competitions.lic2020_re import scoring, submission
from competitions.lic2020_re.scoring import normalize, score, score_files
from pipelines.score import main
from shared.errors import UserError
from tests.competitions.lic2020_re.layout import ACTORS, DIRECTOR, FILES_2020, ROLE, TEXT, line, put, spo, write_layout

COUNTS = ("correct", "found", "predicted", "gold")


def options(*argv: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    scoring.add_arguments(parser)
    return parser.parse_args(argv)


def write_zip(path: Path, *lines: str | bytes, name: str = "duie.json") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"".join((row if isinstance(row, bytes) else row.encode()) + b"\n" for row in lines))
    return path


def one(gold: list[Any], predicted: list[Any], aliases: dict[str, set[str]] | None = None) -> tuple[int, ...]:
    """Returns correct, found, predicted and gold of one text."""
    result = score({"文": gold}, {"文": predicted}, aliases)
    return tuple(result[name] for name in COUNTS)


def test_figures_are_unrounded_fractions_of_the_counts():
    result = score({"甲": [DIRECTOR, *ACTORS]}, {"甲": [DIRECTOR, spo("北岸来信", "导演", "陆平")]})
    assert (result["precision"], result["recall"]) == (1 / 2, 1 / 3)
    assert result["f1"] == 2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3)
    assert [result[name] for name in COUNTS] == [1, 1, 2, 3]


def test_the_official_figure_comes_first():
    assert list(score({}, {}))[:3] == ["f1", "precision", "recall"]


def test_each_predicate_has_its_own_figures_the_most_frequent_first():
    result = score({"甲": [DIRECTOR, *ACTORS]}, {"甲": [*ACTORS[:1], spo("苏禾", "获奖", "金叶奖")]})
    assert list(result["by_predicate"]) == ["主演", "导演", "获奖"]
    assert result["by_predicate"]["主演"] == {
        "n": 2,
        "f1": pytest.approx(2 / 3),
        "precision": 1.0,
        "recall": 0.5,
        "correct": 1,
        "found": 1,
        "predicted": 1,
    }
    assert result["by_predicate"]["获奖"] == {
        "n": 0,
        "f1": 0.0,
        "precision": 0.0,
        "recall": 0.0,
        "correct": 0,
        "found": 0,
        "predicted": 1,
    }


def test_nothing_to_divide_by_gives_zero():
    assert [score({}, {})[name] for name in ("f1", "precision", "recall")] == [0, 0, 0]
    assert score({"甲": []}, {"甲": [DIRECTOR]})["recall"] == 0
    assert score({"甲": [DIRECTOR]}, {})["precision"] == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Nova LAB", "nova lab"),
        ("《北岸》", "北岸"),
        ("《北岸", "《北岸"),
        ("北《岸》", "北《岸》"),
        ("《甲》与《乙》", "甲》与《乙"),
        ("《《甲》》", "《甲》"),
        (" 北岸 ", " 北岸 "),
        ("ＮＯＶＡ，1", "ｎｏｖａ，1"),
        ("《》", ""),
        ("", ""),
    ],
)
def test_names_are_compared_in_lower_case_without_one_layer_of_book_marks(name, expected):
    assert normalize(name) == expected


def test_both_sides_and_all_slots_are_normalized():
    assert one([ROLE], [spo("苏禾", "饰演", "小满", inWork="《白塔》")]) == (1, 1, 1, 1)
    assert one([spo("《A》", "导演", "《B》")], [spo("a", "导演", "b")]) == (1, 1, 1, 1)


def test_predicates_and_slot_names_are_compared_as_they_are():
    assert one([spo("甲", "P", "乙", inWork="丙")], [spo("甲", "p", "乙", inWork="丙")]) == (0, 0, 1, 1)
    assert one([spo("甲", "P", "乙", inWork="丙")], [spo("甲", "P", "乙", inwork="丙")]) == (0, 0, 1, 1)


def test_types_are_ignored():
    assert one([{**DIRECTOR, "subject_type": "影视作品"}], [{**DIRECTOR, "object_type": 3}]) == (1, 1, 1, 1)


def test_all_slots_must_match():
    missing, extra = spo("苏禾", "饰演", "小满"), spo("苏禾", "饰演", "小满", inWork="白塔", onDate="2001年")
    assert one([ROLE], [missing]) == one([ROLE], [extra]) == (0, 0, 1, 1)


def test_an_empty_slot_counts_as_a_slot():
    assert one([spo("苏禾", "饰演", "小满", inWork="")], [spo("苏禾", "饰演", "小满")]) == (0, 0, 1, 1)


def test_triples_equal_after_normalization_count_once_on_both_sides():
    upper = spo("《北岸来信》", "导演", "江雪")
    assert one([DIRECTOR, upper, *ACTORS], [upper, DIRECTOR, DIRECTOR]) == (1, 1, 1, 3)


def test_predictions_for_unknown_texts_are_ignored():
    result = score({"甲": [DIRECTOR]}, {"甲": [DIRECTOR], "乙": [ROLE] * 9})
    assert [result[name] for name in COUNTS] == [1, 1, 1, 1]


def test_the_direction_of_a_subject_alias_decides_what_it_helps():
    gold, predicted = [spo("诺瓦", "简称", "甲")], [spo("nova", "简称", "甲")]
    assert one(gold, predicted, {"nova": {"诺瓦"}}) == (1, 0, 1, 1)
    assert one(gold, predicted, {"诺瓦": {"nova"}}) == (0, 1, 1, 1)


def test_an_alias_of_a_slot_must_hold_in_both_directions():
    gold, predicted = [spo("甲", "总部地点", "江北市")], [spo("甲", "总部地点", "江北")]
    assert one(gold, predicted, {"江北": {"江北市"}}) == (0, 0, 1, 1)
    assert one(gold, predicted, {"江北市": {"江北"}}) == (0, 0, 1, 1)
    assert one(gold, predicted, {"江北": {"江北市"}, "江北市": {"江北"}}) == (1, 1, 1, 1)


def test_triples_that_are_aliases_of_each_other_count_once():
    aliases = {"江北": {"江北市"}, "江北市": {"江北"}}
    both = [spo("甲", "总部地点", "江北"), spo("甲", "总部地点", "江北市")]
    assert one(both, both, aliases) == (1, 1, 1, 1)


NAMES = st.sampled_from(["a", "B", "《b》", "c", "d", ""])
TRIPLES = st.lists(
    st.fixed_dictionaries(
        {
            "subject": NAMES,
            "predicate": st.sampled_from("pq"),
            "object": st.dictionaries(st.sampled_from(["@value", "inWork"]), NAMES, max_size=2),
        }
    ),
    max_size=6,
)
ALIASES = st.dictionaries(st.sampled_from("abcd"), st.frozensets(st.sampled_from("abcd"), max_size=3))


def as_defined(gold: list[Any], predicted: list[Any], aliases: dict[str, frozenset[str]]) -> tuple[int, ...]:
    """Returns the counts of one text by the definition, comparing all pairs."""

    def normalized(triples: list[Any]) -> list[tuple[str, str, dict[str, str]]]:
        return [
            (one["predicate"], normalize(one["subject"]), {k: normalize(v) for k, v in one["object"].items()})
            for one in triples
        ]

    def forms(name: str) -> set[str]:
        return {name, *aliases.get(name, ())}

    def listed(target: Any, others: list[Any]) -> bool:
        return any(
            target[0] == other[0]
            and other[1] in forms(target[1])
            and target[2].keys() == other[2].keys()
            and all(other[2][k] in forms(v) and v in forms(other[2][k]) for k, v in target[2].items())
            for other in others
        )

    def distinct(triples: list[Any]) -> Iterator[Any]:
        kept: list[Any] = []
        for triple in triples:
            if not listed(triple, kept):
                kept.append(triple)
        return iter(kept)

    wanted, answered = list(distinct(normalized(gold))), normalized(predicted)
    kept = list(distinct(answered))
    correct = sum(listed(triple, wanted) for triple in kept)
    return correct, sum(listed(triple, answered) for triple in wanted), len(kept), len(wanted)


@given(TRIPLES, TRIPLES, ALIASES)
def test_counts_equal_those_of_comparing_all_pairs(gold, predicted, aliases):
    assert one(gold, predicted, aliases) == as_defined(gold, predicted, aliases)


def golden(shared_data: Path, name: str) -> dict[str, Any]:
    return json.loads((shared_data / "scorers" / name).read_text(encoding="utf-8"))


def write_case(folder: Path, case: dict[str, Any]) -> tuple[Path, Path, argparse.Namespace]:
    """Writes the files of a golden case and returns what `score_files` takes."""
    folder.mkdir()
    gold, pred, alias = folder / "gold.json", folder / "pred.zip", folder / "alias.txt"
    if case["gold"] is not None:
        mark = b"\xef\xbb\xbf" if case.get("gold_bom") else b""
        put(gold, mark + "".join(f"{row}\n" for row in case["gold"]).encode())
    if case["alias"] is not None:
        put(alias, case["alias"])
    handed = case["submission"]
    if handed["kind"] == "plain":
        put(pred, handed["lines"])
    elif handed["kind"] == "zip":
        with zipfile.ZipFile(pred, "w") as archive:
            for member in handed["members"]:
                lines = "".join(f"{row}\n" for row in member.get("lines", ())).encode()
                archive.writestr(member["name"], base64.b64decode(member.get("base64", "")) or lines)
    named = case["alias"] is not None or case.get("alias_missing")
    return gold, pred, argparse.Namespace(alias=alias if named else None)


def assert_expected(result: dict[str, Any], expect: dict[str, Any], name: str = "") -> None:
    official = {figure["name"]: figure["value"] for figure in expect["output"]["data"]}
    assert {key: round(result[key.removesuffix("-score")], 4) for key in official} == official, name
    counts = {"correct": "correct", "submitted": "predicted", "golden": "gold", "recall_correct": "found"}
    assert {key: result[counts[key]] for key in expect["counts"]} == expect["counts"], name


def test_reproduces_every_golden_vector(shared_data, tmp_path):
    cases = golden(shared_data, "duie2.json")["cases"]
    assert len(cases) == 78
    for case in cases:
        files = write_case(tmp_path / case["name"], case)
        if case["expect"]["exit"] == 0 and case["expect"]["output"]["errorCode"] == 0:
            assert_expected(score_files(*files), case["expect"], case["name"])
        else:
            with pytest.raises(UserError):
                score_files(*files)


def test_reproduces_the_official_figures_of_a_real_system(shared_data, tmp_path):
    case = golden(shared_data, "duie2_real.json")
    pred = write_zip(tmp_path / "pred.zip", *case["submission_lines"])
    assert_expected(score_files(shared_data / "data" / case["reference"], pred, options()), case["expect"])


def test_the_official_lines_score_one_against_themselves(shared_data, tmp_path):
    gold = shared_data / "data" / "duie2" / "duie_dev.json"
    with zipfile.ZipFile(tmp_path / "pred.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(gold, "duie.json")
    result = score_files(gold, tmp_path / "pred.zip", options())
    assert [result[name] for name in COUNTS] == [2525] * 4  # 2526 triples, one of them twice
    assert result["f1"] == 1


def test_the_command_prints_one_json_object(tmp_path, capsys):
    gold = put(tmp_path / "gold.json", [line()])
    pred = write_zip(tmp_path / "pred.zip", line(spo_list=[DIRECTOR]))
    assert main(["lic2020_re", "--gold", str(gold), "--pred", str(pred)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["recall"] == 1 / 3
    assert err == ""


def test_aliases_come_from_a_file(tmp_path):
    gold, pred = put(tmp_path / "gold.json", [line()]), tmp_path / "pred.zip"
    write_zip(pred, line(spo_list=[spo("北岸", "导演", "江雪"), spo("Letters", "主演", "陆平")]))
    alias = put(tmp_path / "alias.txt", ["北岸\t北岸来信", "", "LETTERS\t信\t北岸来信 "])
    assert score_files(gold, pred, options())["correct"] == 0
    assert score_files(gold, pred, options("--alias", str(alias)))["correct"] == 2


def test_a_later_alias_line_replaces_an_earlier_one(tmp_path):
    alias = put(tmp_path / "alias.txt", ["甲\t乙\t丙", "甲\t丁"])
    assert scoring.read_aliases(alias)["甲"] == {"丁"}


@pytest.mark.parametrize("names", [None, FILES_2020], ids=["2021", "2020"])
def test_gold_may_be_the_official_folder(tmp_path, names):
    gold = write_layout(tmp_path / "raw", **({"names": names} if names else {}))
    pred = write_zip(tmp_path / "pred.zip", line(), line("苏禾在《白塔》里饰演小满", [ROLE]))
    assert score_files(gold, pred, options())["f1"] == 1


def test_what_is_written_as_a_submission_can_be_scored(tmp_path):
    submission.write(tmp_path / "pred.zip", [TEXT], [[DIRECTOR, *ACTORS]])
    assert score_files(put(tmp_path / "gold.json", [line()]), tmp_path / "pred.zip", options())["f1"] == 1


def test_of_equal_texts_the_last_line_counts_in_gold_and_over_all_members(tmp_path):
    gold = put(tmp_path / "gold.json", [line(), line(spo_list=[DIRECTOR])])
    with zipfile.ZipFile(tmp_path / "pred.zip", "w") as archive:
        archive.writestr("a.json", line(spo_list=ACTORS))
        archive.writestr("folder/", "")
        archive.writestr("folder/b.txt", line(spo_list=[DIRECTOR]))
    result = score_files(gold, tmp_path / "pred.zip", options())
    assert [result[name] for name in COUNTS] == [1, 1, 1, 1]


def test_texts_that_do_not_meet_are_told_on_standard_error(tmp_path, capsys):
    gold = put(tmp_path / "gold.json", [line(), line("另一句", [])])
    score_files(gold, write_zip(tmp_path / "pred.zip", line(), line("无此句"), line("也无")), options())
    assert "1 of 2 gold texts are not in it; 2 of its texts are not in " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        ("", "a blank line"),
        ("{", "not JSON"),
        ("3", "found a number"),
        ("[]", "found a list"),
        (line(None), "no 'text'"),
        (line(spo_list=None), "no 'spo_list'"),
        ('{"text": "一", "spo_list": null}', "'spo_list' is null"),
        (line(spo_list=[[]]), "a triple is a list"),
        (line(spo_list=[{"subject": "a", "object": {}}]), "no 'predicate'"),
        (line(spo_list=[spo(1, "导演", "b")]), "'subject' is a number"),
        (line(spo_list=[{"subject": "a", "predicate": "导演"}]), "no 'object'"),
        (line(spo_list=[{**DIRECTOR, "object": "江雪"}]), "'object' is a string"),
        (line(spo_list=[spo("a", "导演", None)]), "'@value' is null"),
        (TEXT.encode("gb18030"), "not UTF-8: byte 0x"),
        ("[" * 100_000, "not usable JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_place_in_both_files(tmp_path, bad, found):
    good, broken = line(), bad if isinstance(bad, bytes) else bad.encode()
    pred = write_zip(tmp_path / "pred.zip", good, broken)
    with pytest.raises(UserError) as error:
        score_files(put(tmp_path / "gold.json", [good]), pred, options())
    assert str(error.value).startswith(f"{tmp_path}/pred.zip: duie.json:2: ")
    assert found in str(error.value)
    with pytest.raises(UserError) as error:
        score_files(put(tmp_path / "gold.json", good.encode() + b"\n" + broken + b"\n"), pred, options())
    assert str(error.value).startswith(f"{tmp_path}/gold.json:2: ")
    assert found in str(error.value)


@pytest.mark.parametrize("missing", ["gold.json", "pred.zip", "alias.txt"])
def test_a_missing_file_is_named(tmp_path, missing, capsys):
    put(tmp_path / "gold.json", [line()])
    put(tmp_path / "alias.txt", ["甲\t乙"])
    write_zip(tmp_path / "pred.zip", line())
    (tmp_path / missing).unlink()
    arguments = {"--gold": "gold.json", "--pred": "pred.zip", "--alias": "alias.txt"}
    argv = [part for name, file in arguments.items() for part in (name, str(tmp_path / file))]
    assert main(["lic2020_re", *argv]) == 1
    assert f"{missing}: no such file" in capsys.readouterr().err


def test_a_byte_order_mark_is_accepted_in_the_prediction_only(tmp_path):
    marked = b"\xef\xbb\xbf" + line().encode()
    pred = write_zip(tmp_path / "pred.zip", marked)
    assert score_files(put(tmp_path / "gold.json", [line()]), pred, options())["f1"] == 1
    with pytest.raises(UserError, match=r"gold.json:1: a byte order mark"):
        score_files(put(tmp_path / "gold.json", marked + b"\n"), pred, options())
