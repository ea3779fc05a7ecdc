"""The official measures of DuReader-robust and of CMRC 2018: F1 and exact match of the best golden answer, on average.

Both compare normalized answers; F1 is that of the longest common run of tokens, see `shared.scoring.answer_f1`. They
give the figures of baidu/DuReader, DuReader-Robust/evaluate.py, and ymcui/cmrc2018, baseline/cmrc2018_evaluate.py, in
fractions where the scripts print per cent. Where a script dies of a fault in its files, here is a message.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from competitions.lic2020_mrc import data
from shared.errors import UserError
from shared.files import read_bytes
from shared.json_lines import kind, short
from shared.scoring.answer_f1 import run_f1

Gold = Iterable[tuple[Any, Sequence[Any]]]  # id and golden answers of each question, as a rule texts

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LENGTH_BANDS = ((0, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, None))  # characters, both ends inclusive
PUNCTUATION = (
    "，。：？！“”；’《》·、「」（）－～『』"  # … is kept: the scripts list it twice in a row, which no character equals
)
DUREADER_DROPPED = str.maketrans("", "", ":_`(),|" + PUNCTUATION)
CMRC_DROPPED = str.maketrans("", "", "-:_*^/\\~`+=" + PUNCTUATION)
# The blocks of Chinese ideographs, each ideograph a token, as is `=`. Everything between two such is one token.
IDEOGRAPHS = (
    "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f\U0002b820-\U0002ceaf"
    "\uf900-\ufaff\U0002f800-\U0002fa1f"
)
DUREADER_TOKEN = re.compile(f"[={IDEOGRAPHS}]|[^={IDEOGRAPHS}]+")
CMRC_PART = re.compile("[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")


def dureader_robust_normalize(answer: str) -> str:
    """Returns the answer in lower case, without some marks. Blanks stay, also at the edges."""
    return answer.lower().translate(DUREADER_DROPPED)


def dureader_robust_tokens(normalized: str) -> list[str]:
    """Returns each Chinese ideograph and `=` by itself, and every run of anything else, blanks included, as one."""
    return DUREADER_TOKEN.findall(normalized)


def cmrc2018_normalize(answer: Any) -> str:
    """Returns the answer in lower case, stripped, then without some marks. Other values are turned into text first."""
    return str(answer).lower().strip().translate(CMRC_DROPPED)


def cmrc2018_tokens(normalized: str) -> list[str]:
    """Returns each character of U+4E00 to U+9FA5 by itself, and the words of everything else.

    The script leaves the words to NLTK, which first cuts the text into sentences by a model that has to be downloaded.
    That step is left out: it can matter only where a sentence in Latin script ends inside the answer.
    """
    tokens: list[str] = []
    for part in CMRC_PART.findall(normalized):
        tokens += part if "\u4e00" <= part[0] <= "\u9fa5" else _word_tokenizer().tokenize(part)
    return tokens


@cache
def _word_tokenizer() -> Any:
    from nltk.tokenize import NLTKWordTokenizer  # only here: it takes a second, and no other measure needs it

    return NLTKWordTokenizer()


@dataclass(frozen=True, slots=True)
class Metric:
    """How a measure reads answers. text_only: whether an answer that is no text is an error."""

    normalize: Callable[[Any], str]
    tokens: Callable[[str], list[str]]
    text_only: bool


METRICS = {
    "dureader_robust": Metric(dureader_robust_normalize, dureader_robust_tokens, text_only=True),
    "cmrc2018": Metric(cmrc2018_normalize, cmrc2018_tokens, text_only=False),
}


def score(gold: Gold, predictions: Mapping[str, Any], metric: str = "dureader_robust") -> dict[str, Any]:
    """Returns the official figures as unrounded fractions.

    Args:
        gold: id and golden answers of each question, at least one; an id that comes twice is scored twice.
        predictions: id -> answer; those of other ids are ignored.
        metric: a key of METRICS.

    Returns: `f1`, `em`, for cmrc2018 `average` of both; `total` (questions) and `skip` (those without a prediction:
        they count as 0); `by_answer_length`: for each band of the shortest golden answer's length in characters that
        occurs, e.g. `3-4`, an object of `n`, `em`, `f1`.

    Raises: UserError for a question without an answer, no question at all, or an answer that is no text where the
        metric takes only texts; ValueError for an unknown metric.
    """
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; valid ones: {', '.join(METRICS)}")
    measure = METRICS[metric]
    rows: list[tuple[str, float, float]] = []  # band, exact match, F1
    skip = 0
    for question_id, answers in gold:
        if not answers:
            raise UserError(
                f"question {short(question_id)} has no golden answer, so there is nothing to score against."
            )
        band = _band(min(len(str(answer)) for answer in answers))
        if question_id in predictions:
            rows.append((band, *_question(measure, answers, predictions[question_id], question_id)))
        else:
            skip += 1
            rows.append((band, 0.0, 0.0))
    if not rows:
        raise UserError("no question to score. Expected a reference with at least one, and its answers.")
    whole = _figures(rows)
    result: dict[str, Any] = {"f1": whole["f1"], "em": whole["em"]}
    if metric == "cmrc2018":
        result["average"] = (whole["em"] + whole["f1"]) / 2
    by_band = {band: [row for row in rows if row[0] == band] for band in map(_band_name, LENGTH_BANDS)}
    slices = {band: _figures(found) for band, found in by_band.items() if found}
    return result | {"total": len(rows), "skip": skip, "by_answer_length": slices}


def _question(measure: Metric, answers: Sequence[Any], predicted: Any, question_id: Any) -> tuple[float, float]:
    """Returns exact match and F1 of the best golden answer. Raises: UserError."""
    for name, value in [("prediction", predicted), *(("golden answer", answer) for answer in answers)]:
        if measure.text_only and not isinstance(value, str):
            raise UserError(f"the {name} of question {short(question_id)} is {kind(value)}. Expected one text.")
    found, golden = measure.normalize(predicted), [measure.normalize(answer) for answer in answers]
    tokens = measure.tokens(found)
    return float(found in golden), max(run_f1(tokens, measure.tokens(answer)) for answer in golden)


def _figures(rows: Sequence[tuple[str, float, float]]) -> dict[str, float]:
    total = len(rows)
    return {"n": total, "em": sum(row[1] for row in rows) / total, "f1": sum(row[2] for row in rows) / total}


def _band(length: int) -> str:
    return next(_band_name(band) for band in LENGTH_BANDS if band[1] is None or length <= band[1])


def _band_name(band: tuple[int, int | None]) -> str:
    return f"{band[0]}+" if band[1] is None else f"{band[0]}-{band[1]}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `pipelines.score` that only this competition has."""
    parser.add_argument(
        "--metric",
        choices=tuple(METRICS),
        default="dureader_robust",
        help="whose script to follow (default: the first)",
    )


def score_files(gold: Path, pred: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Scores a file of predictions against a reference, reading both as leniently as the official scripts do.

    Args:
        gold: an official file with answers, e.g. dev.json, or the folder that holds it.
        pred: one JSON object id -> answer. A JSON list counts as no prediction at all; of repeated ids the last counts.
        args: the options of `add_arguments`.

    Raises: UserError wherever the script would die: a file that is missing, not UTF-8, not one JSON document or with a
        byte order mark; a reference of another shape or without answers; see also `score`.
    """
    file = data.find_file(gold, "valid") if Path(gold).is_dir() else Path(gold)
    questions = read_reference(file, args.metric)
    predictions = _load(pred, "one JSON object id -> answer")
    if isinstance(predictions, list):
        print(f"{pred}: a list, in which no id can be looked up. Expected an object id -> answer.", file=sys.stderr)
        predictions = {}
    if not isinstance(predictions, dict):
        raise UserError(f"{pred}: found {kind(predictions)}. Expected one JSON object id -> answer.")
    try:
        result = score(questions, predictions, args.metric)
    except UserError as error:
        raise UserError(f"{pred} against {file}: {error}") from None
    if result["skip"]:
        print(
            f"{pred}: no answer to {result['skip']} of {result['total']} questions; they count as 0.", file=sys.stderr
        )
    return result


def read_reference(file: Path, metric: str = "dureader_robust") -> list[tuple[Any, list[Any]]]:
    """Returns id and golden answers of each question of a reference, in the order of the file.

    As the scripts do, it reads only the first element of `data` for dureader_robust, and takes the id 7 for "7" there,
    but never finds it for cmrc2018. Passages, starts and repeated ids are not looked at.

    Raises: UserError for a file that the script could not read.
    """
    document = _load(file, "one JSON document as dev.json")
    questions: list[tuple[Any, list[Any]]] = []
    place = "data"
    try:
        elements = document["data"]
        for e, element in enumerate([elements[0]] if metric == "dureader_robust" else elements):
            place = f"data[{e}].paragraphs"
            for p, paragraph in enumerate(element["paragraphs"]):
                place = f"data[{e}].paragraphs[{p}].qas"
                for q, question in enumerate(paragraph["qas"]):
                    place = f"data[{e}].paragraphs[{p}].qas[{q}]"
                    question_id = str(question["id"]) if metric == "dureader_robust" else question["id"]
                    hash(question_id)  # a list or object cannot be looked up: TypeError
                    questions.append((question_id, [answer["text"] for answer in question["answers"]]))
    except (KeyError, IndexError, TypeError) as error:
        found = f"no {error}" if isinstance(error, KeyError) else "not of the expected shape"
        raise UserError(
            f"{file}: {place}: {found}. Expected a reference such as dev.json: data[].paragraphs[].qas[] with 'id' and "
            f"answers[] with 'text'."
        ) from None
    return questions


def _load(file: Path, expected: str) -> Any:
    """Returns the JSON document. Raises: UserError, also for a byte order mark, which the scripts cannot read."""
    if read_bytes(file).startswith(BYTE_ORDER_MARK):
        raise UserError(
            f"{file}: starts with a byte order mark, at which the official script stops. Save it as UTF-8 without one."
        )
    return data.load_json(file, expected)
