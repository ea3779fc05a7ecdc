"""Reads the official files of DuReader-robust: train, dev and test, each one JSON document in the shape of SQuAD.

`data[]` holds elements with `paragraphs[]`, these a `context` (the passage) and `qas[]`, these `question`, `id` and, in
train and dev, `answers[]` of `text` and `answer_start`. Starts count characters (code points) of the passage; -1, as
everywhere in the official dev file, means that none is given. Texts are never altered. Other data in this shape, such
as CMRC 2018, is read too.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from shared.errors import UserError
from shared.files import read_text
from shared.json_lines import BadLine, Problem, check_surrogates, kind, short, text_field

# Of several the first that is there is read: beside each other, else in the folder that the archive of 2020 unpacks to.
FILES = {"train": ("train.json",), "valid": ("dev.json",), "test": ("test1.json", "test2.json", "test.json")}
ARCHIVE_FOLDER = "dureader_robust-data"
README = "competitions/lic2020_mrc/README.md"
LISTED_NAMES = 20


class DataSettings(Protocol):
    """What the reader needs of the section `data`; importing `settings.py` itself would slow `pipelines.score`."""

    @property
    def on_bad_line(self) -> str:
        """`error` or `skip`; a `line` is a part of the document here: a question, paragraph or element of `data`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One golden answer. start: of `text` in the passage, in characters; -1: not given, or given wrong."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its passage. answers: at least one in train and dev, none in test, even if the file has some.

    An answer may be empty or be no part of the passage: the official scorer takes those too.
    """

    id: str
    question: str
    context: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds besides its examples.

    elements: of `data`. beyond_first: usable questions in elements other than the first, which the official scorer
    never reads. paragraphs: those with a usable question. wrong_starts: ids of the questions with an annotated start
    that does not hold its answer, once for each such answer.
    """

    file: Path
    elements: int
    beyond_first: int
    paragraphs: int
    wrong_starts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawData:
    """All that the official folder holds. valid: the official dev file; documents: by split."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    bad_lines: list[BadLine]
    documents: dict[str, Document]

    @property
    def files(self) -> list[Path]:
        """The files, in the order in which they were read."""
        return [document.file for document in self.documents.values()]


def read(folder: Path, settings: DataSettings) -> RawData:
    """Reads the three splits. Raises: UserError, see `find_file` and `read_split`."""
    splits: dict[str, list[Example]] = {}
    bad_lines: list[BadLine] = []
    documents: dict[str, Document] = {}
    for split in FILES:
        splits[split], bad, documents[split] = read_split(folder, split, settings.on_bad_line)
        bad_lines += bad
    return RawData(**splits, bad_lines=bad_lines, documents=documents)


def find_file(folder: Path, split: str) -> Path:
    """Returns the file of a split (`train`, `valid`, `test`) under any of its official names.

    Raises: UserError that lists what was looked for and what is there.
    """
    folder, names = Path(folder), FILES[split]
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {found}. Expected the folder that holds {names[0]}; see {README}.")
    for place in (folder, folder / ARCHIVE_FOLDER):
        for name in names:
            if (place / name).is_file():
                return place / name
    there = sorted(path.name for path in folder.iterdir())
    more = f", and {len(there) - LISTED_NAMES} more" if len(there) > LISTED_NAMES else ""
    inner = [path.parent for name in names for path in sorted(folder.glob(f"*/{name}"))]
    advice = f"Did you mean {inner[0]}?" if inner else f"Unpack the official archive there; see {README}."
    raise UserError(
        f"{folder}: no {split} file. Looked for {' or '.join(names)}, there and in {ARCHIVE_FOLDER}/; "
        f"found {', '.join(there[:LISTED_NAMES]) or 'nothing'}{more}. {advice}"
    )


def load_json(file: Path, expected: str, pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Returns the JSON document in a UTF-8 file.

    Args:
        file: a byte order mark is accepted.
        expected: what it should hold, for messages: `one JSON object ...`.
        pairs_hook: makes an object of its pairs, as `object_pairs_hook` of `json.loads`.

    Raises: UserError if the file cannot be read, is not UTF-8, or not one JSON document (with line and column).
    """
    text = read_text(file)
    if not text.strip():
        raise UserError(f"{file}: the file is empty. Expected {expected}; see {README}.")
    try:
        return json.loads(text, object_pairs_hook=pairs_hook)
    except json.JSONDecodeError as error:
        problem = "more than one JSON document" if error.msg == "Extra data" else f"not JSON: {error.msg}"
        raise UserError(f"{file}:{error.lineno}:{error.colno}: {problem}. Expected {expected}; see {README}.") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, brackets nested too deep
        raise UserError(f"{file}: not usable JSON: {error}. Expected {expected}; see {README}.") from None


def read_split(folder: Path, split: str, on_bad_line: str = "error") -> tuple[list[Example], list[BadLine], Document]:
    """Reads one split.

    Args:
        folder: holds the official files.
        split: `train`, `valid` or `test`.
        on_bad_line: `error`, or `skip` to leave bad parts out and return them, each with its place such as
            `train.json: data[0].paragraphs[3].qas[1]`. The test file is always checked strictly: a submission must
            answer each of its questions, so there is none to leave out.

    Returns: the examples, the parts left out, and what the file holds besides.

    Raises: UserError for a file that is missing, unreadable, not one JSON document with a list `data`, or without a
        usable question, whatever `on_bad_line` says; for a bad part unless it is skipped.
    """
    if split not in FILES:
        raise ValueError(f"split is {split!r}; valid ones: {', '.join(FILES)}")
    if on_bad_line not in ("error", "skip"):
        raise ValueError(f"on_bad_line is {on_bad_line!r}; valid ones: error, skip")
    reader = _Reader(find_file(folder, split), split, on_bad_line)
    document = reader.read()
    if not reader.examples:
        first = "".join(f" The first bad part is {bad.where}: {bad.problem}." for bad in reader.bad_lines[:1])
        raise UserError(
            f"{document.file}: no usable question. Expected at least one under data[].paragraphs[].qas[]; "
            f"see {README}.{first}"
        )
    return reader.examples, reader.bad_lines, document


class _Reader:
    """Reads one file, collecting examples and bad parts."""

    def __init__(self, file: Path, split: str, on_bad_line: str):
        self.file, self.split = file, split
        self.strict = on_bad_line == "error" or split == "test"
        self.examples: list[Example] = []
        self.bad_lines: list[BadLine] = []
        self.wrong_starts: list[str] = []
        self.places: dict[str, str] = {}  # id -> where it stands

    def read(self) -> Document:
        """Reads all elements of `data`. Raises: UserError."""
        expected = "one JSON document {'data': [{'paragraphs': [...]}]}, not JSON lines"
        root = load_json(self.file, expected)
        if not isinstance(root, dict) or not isinstance(root.get("data"), list):
            found = f"'data' is {kind(root['data'])}" if isinstance(root, dict) and "data" in root else "no 'data'"
            raise UserError(f"{self.file}: {found if isinstance(root, dict) else kind(root)}. Expected {expected}.")
        elements = root["data"]
        paragraphs = beyond_first = 0
        for number, element in enumerate(elements):
            before_element = len(self.examples)
            with self._part(f"data[{number}]"):
                for index, paragraph in enumerate(_list(_object(element), "paragraphs")):
                    before, place = len(self.examples), f"data[{number}].paragraphs[{index}]"
                    with self._part(place):
                        self._paragraph(_object(paragraph), place)
                    paragraphs += len(self.examples) > before
            beyond_first += len(self.examples) - before_element if number else 0
        return Document(self.file, len(elements), beyond_first, paragraphs, tuple(self.wrong_starts))

    @contextmanager
    def _part(self, place: str) -> Iterator[None]:
        """Turns a Problem into an error, or notes it and goes on behind this part."""
        try:
            yield
        except Problem as problem:
            where = f"{self.file}: {place}"
            if not self.strict:
                self.bad_lines.append(BadLine(where, str(problem)))
                return
            advice = "Mend or remove it, or set data.on_bad_line to skip"
            if self.split == "test":
                advice = "Mend it: a submission must answer every test question, so none can be skipped"
            raise UserError(f"{where}: {problem}. {advice}; see {README}.") from None

    def _paragraph(self, paragraph: dict[str, Any], place: str) -> None:
        questions = _list(paragraph, "qas")
        try:
            context = text_field(paragraph, "context")
            check_surrogates(context, "'context'")
        except Problem as problem:
            raise Problem(f"{problem}. Questions without a passage: {len(questions)}") from None
        for index, fields in enumerate(questions):
            name = f"{place}.qas[{index}]"
            with self._part(f"{name} (id {short(fields['id'])})" if _has_id(fields) else name):
                self._question(_object(fields), context, name)

    def _question(self, fields: dict[str, Any], context: str, place: str) -> None:
        example_id = _id(fields)
        if example_id in self.places:
            raise Problem(f"the same id as {self.places[example_id]}. Ids must be unique")
        question = text_field(fields, "question", blank=True)
        check_surrogates(question, "'question'")
        found = [] if self.split == "test" else _list(fields, "answers")
        if not found and self.split != "test":
            raise Problem("'answers' is an empty list. Expected at least one answer")
        answers = []
        for index, answer in enumerate(found):
            try:
                answers.append(_answer(_object(answer), context))
            except Problem as problem:
                raise Problem(f"answers[{index}]: {problem}") from None
        self.places[example_id] = place
        self.wrong_starts += [example_id for _, is_wrong in answers if is_wrong]
        self.examples.append(Example(example_id, question, context, tuple(answer for answer, _ in answers)))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Problem(f"found {kind(value)}. Expected an object")
    return value


def _list(fields: dict[str, Any], name: str) -> list[Any]:
    value = fields.get(name)
    if not isinstance(value, list):
        raise Problem(f"{f'{name!r} is {kind(value)}' if name in fields else f'no {name!r}'}. Expected a list")
    return value


def _has_id(fields: Any) -> bool:
    return isinstance(fields, dict) and "id" in fields


def _id(fields: dict[str, Any]) -> str:
    """Returns the id as text: the official scorer, too, takes the number 7 for "7". Raises: Problem."""
    if type(fields.get("id")) is int:  # bool is an int, and true is no id
        return str(fields["id"])
    check_surrogates(text_field(fields, "id"), "'id'")
    return str(fields["id"])


def _answer(fields: dict[str, Any], context: str) -> tuple[Answer, bool]:
    """Returns an answer, and whether its annotated start is wrong. A missing start counts as -1. Raises: Problem."""
    text, start = text_field(fields, "text", blank=True), fields.get("answer_start", -1)
    check_surrogates(text, "'text'")
    if type(start) is not int or start < -1:
        raise Problem(f"'answer_start' is {short(start)}. Expected a whole number from 0 on, or -1 if it is not known")
    if start == -1 or context.startswith(text, start):
        return Answer(text, start), False
    return Answer(text, -1), True
