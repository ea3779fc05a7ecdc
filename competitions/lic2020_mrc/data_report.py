"""What the raw data holds: counts, lengths, how answers stand in their passages, repeats, overlaps and dirt.

The report names files, ids and places but never a text, so it may be shown where the data may not. It takes linear
time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from competitions.lic2020_mrc.data import Document, Example, RawData
from shared.markdown import percent, table
from shared.text.statistics import CHARACTER_KINDS, character_kinds, length_figures

LISTED_BAD_LINES = 100
QUESTION_FIGURES = ("questions", "paragraphs", "repeated_contexts", "repeated_questions", "empty_questions")
LENGTHS = ("min", "mean", "p50", "p95", "p99", "max")
# Figure of a labelled split -> how the rendered report names it.
ANSWER_FIGURES = {
    "count": "answers",
    "start_not_given": "answers without a start (-1)",
    "wrong_starts": "answers whose annotated start does not hold them (read as -1)",
    "several_places": "answers that stand in the passage several times",
    "not_in_context": "answers that are no part of the passage",
    "edge_blanks": "answers that start or end with a blank",
    "empty": "answers that are empty or blank",
    "questions_with_several": "questions with several answers",
    "questions_out_of_reach": "questions none of whose answers is a part of the passage",
}


def report(raw: RawData) -> dict[str, Any]:
    """Returns the report as a JSON document; equal data gives an equal document.

    Keys: `splits` (split -> figures; `answers` is None for test), `overlap` (questions whose passage, question text, or
    both stand in an earlier split too), `files` and `bad_lines`. Texts are compared exactly.
    """
    splits = {"train": raw.train, "valid": raw.valid, "test": raw.test}
    return {
        "splits": {split: _figures(rows, raw.documents[split], split != "test") for split, rows in splits.items()},
        "overlap": _overlap(splits),
        "files": [file.name for file in raw.files],
        "bad_lines": {
            "count": len(raw.bad_lines),
            "first": [{"where": bad.where, "problem": bad.problem} for bad in raw.bad_lines[:LISTED_BAD_LINES]],
        },
    }


def _figures(rows: Sequence[Example], document: Document, labelled: bool) -> dict[str, Any]:
    contexts = dict.fromkeys(row.context for row in rows)
    questions, answers = [row.question for row in rows], [answer.text for row in rows for answer in row.answers]
    return {
        "elements": document.elements,
        "questions_beyond_first_element": document.beyond_first,
        "paragraphs": document.paragraphs,
        "questions": len(rows),
        "repeated_contexts": document.paragraphs - len(contexts),
        "repeated_questions": len(rows) - len(set(questions)),
        "empty_questions": sum(not question.strip() for question in questions),
        "characters": {
            "question": _lengths(questions),
            "context": _lengths(row.context for row in rows),
            "answer": _lengths(answers),
        },
        "answers": _answers(rows, len(document.wrong_starts)) if labelled else None,
        "texts_with": {
            "edge_blanks": sum(_has_edge_blanks(text) for text in [*contexts, *questions]),
            **character_kinds(text for text in [*contexts, *questions, *answers] if text),
        },
    }


def _lengths(texts: Iterable[str]) -> dict[str, float] | None:
    lengths = np.array([len(text) for text in texts])
    return length_figures(lengths) if len(lengths) else None


def _has_edge_blanks(text: str) -> bool:
    return text != text.strip()


def _answers(rows: Sequence[Example], wrong_starts: int) -> dict[str, Any]:
    counts: Counter[str] = Counter({"wrong_starts": wrong_starts, "start_not_given": -wrong_starts})
    for row in rows:
        out_of_reach = 0
        for answer in row.answers:
            place = row.context.find(answer.text)
            is_empty = not answer.text.strip()
            out_of_reach += place == -1
            counts["count"] += 1
            counts["start_not_given"] += answer.start == -1
            counts["not_in_context"] += place == -1
            counts["several_places"] += not is_empty and place != -1 and row.context.find(answer.text, place + 1) != -1
            counts["edge_blanks"] += not is_empty and _has_edge_blanks(answer.text)
            counts["empty"] += is_empty
        counts["questions_with_several"] += len(row.answers) > 1
        counts["questions_out_of_reach"] += out_of_reach == len(row.answers)
    per_question = Counter(len(row.answers) for row in rows)
    return {
        **{name: counts[name] for name in ANSWER_FIGURES},
        "per_question": {str(number): per_question[number] for number in sorted(per_question)},
    }


def _overlap(splits: Mapping[str, Sequence[Example]]) -> dict[str, Any]:
    contexts = {split: {row.context for row in rows} for split, rows in splits.items()}
    questions = {split: {row.question for row in rows} for split, rows in splits.items()}
    pairs = {split: {(row.context, row.question) for row in rows} for split, rows in splits.items()}
    result = {}
    for earlier, later in (("train", "valid"), ("train", "test"), ("valid", "test")):
        rows = splits[later]
        found = {
            "context": sum(row.context in contexts[earlier] for row in rows),
            "question": sum(row.question in questions[earlier] for row in rows),
            "both": sum((row.context, row.question) in pairs[earlier] for row in rows),
        }
        result[f"{later}_in_{earlier}"] = {
            name: {"questions": number, "share": round(number / len(rows), 4) if rows else 0.0}
            for name, number in found.items()
        }
    return result


def render(document: dict[str, Any]) -> str:
    """Returns the report as Markdown, for a terminal or a file."""
    splits = document["splits"]
    labelled = {split: figures["answers"] for split, figures in splits.items() if figures["answers"]}
    sections = [
        "# LIC2020 reading comprehension: data report",
        table(
            "Questions and passages",
            ["split", *(name.replace("_", " ").replace("contexts", "passages") for name in QUESTION_FIGURES)],
            [[split, *(figures[name] for name in QUESTION_FIGURES)] for split, figures in splits.items()],
        ),
        table(
            "Lengths in characters (of the passage: once for each question)",
            ["split", "text", *LENGTHS],
            [
                [split, name.replace("context", "passage"), *(lengths[key] for key in LENGTHS)]
                for split, figures in splits.items()
                for name, lengths in figures["characters"].items()
                if lengths
            ],
        ),
        table(
            "Answers",
            ["", *labelled],
            [[text, *(found[name] for found in labelled.values())] for name, text in ANSWER_FIGURES.items()],
        ),
        table(
            "Dirt (passages, questions and answers; edge blanks without the answers)",
            ["split", "edge blanks", *CHARACTER_KINDS],
            [[split, *figures["texts_with"].values()] for split, figures in splits.items()],
        ),
        table(
            "Questions whose text or passage stands in an earlier split too",
            ["", "passage", "question", "both"],
            [
                [
                    name.replace("_", " "),
                    *(f"{count['questions']} ({percent(count['share'])})" for count in found.values()),
                ]
                for name, found in document["overlap"].items()
            ],
        ),
        *_several_elements(splits),
        "## Bad entries\n\n" + "\n".join(_bad_lines(document["bad_lines"])),
    ]
    return "\n\n".join(sections) + "\n"


def _several_elements(splits: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a section on files that the official scorer would not read to the end, if there are any."""
    lines = [
        f"- {split}: {figures['elements']} elements, {figures['questions_beyond_first_element']} of "
        f"{figures['questions']} questions behind the first"
        for split, figures in splits.items()
        if figures["elements"] > 1
    ]
    note = "All elements of `data` are read, but the official DuReader-robust scorer reads only the first."
    return [f"## Several elements in `data`\n\n{note}\n\n" + "\n".join(lines)] if lines else []


def _bad_lines(bad_lines: dict[str, Any]) -> list[str]:
    first = bad_lines["first"]
    more = [f"- and {bad_lines['count'] - len(first)} more"] if bad_lines["count"] > len(first) else []
    return [f"{bad_lines['count']} left out.", *(f"- {bad['where']}: {bad['problem']}" for bad in first), *more]
