"""Writes tiny folders in the official layout of DuReader-robust, for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from competitions.lic2020_mrc.data import Answer, Document, Example, RawData

SETTINGS = SimpleNamespace(on_bad_line="error")
SKIP = SimpleNamespace(on_bad_line="skip")
CONTEXT = "青石桥建于一九二六年，全长48.5米。桥头有一座小广场。"


def question(id: Any = "q1", answers: Any = ("青石桥",), start: Any = -1, **changes: Any) -> dict[str, Any]:
    """Returns one entry of `qas`; `answers` of texts, or anything else as it is; a change to None drops the field."""
    if isinstance(answers, tuple):
        answers = [{"text": text, "answer_start": start} for text in answers]
    fields = {"question": "桥建于哪年？", "id": id, "answers": answers}
    return {name: value for name, value in (fields | changes).items() if value is not None}


def paragraph(*questions: Any, context: str = CONTEXT) -> dict[str, Any]:
    """Returns one entry of `paragraphs`."""
    return {"context": context, "qas": list(questions)}


def document(*paragraphs: Any) -> dict[str, Any]:
    """Returns a file's document with one element in `data`."""
    return {"data": [{"title": "", "paragraphs": list(paragraphs)}]}


def write_layout(folder: Path, files: Mapping[str, Any] | None = None) -> Path:
    """Writes train.json, dev.json and test1.json with two questions each.

    files: name -> document, or bytes or text of the file, in place of the usual one; None: no such file.
    """
    usual: dict[str, Any] = {
        "train.json": document(paragraph(question("t1", ("一九二六年",), 5), question("t2", ("青石桥",), 0))),
        "dev.json": document(paragraph(question("d1", ("一九二六年", "1926年"))), paragraph(question("d2"))),
        "test1.json": document(paragraph(question("e1", None), question("e2", None))),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (usual | dict(files or {})).items():
        if content is not None:
            put(folder / name, content)
    return folder


def put(path: Path, content: Any) -> Path:
    """Writes bytes, a text, or anything else as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes | str):
        content = json.dumps(content, ensure_ascii=False)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def example(
    id: str, question: str = "何时？", context: str = CONTEXT, answers: Sequence[str] = (), start=-1
) -> Example:
    return Example(id, question, context, tuple(Answer(text, start) for text in answers))


def raw_data(train=(), valid=(), test=(), bad_lines=(), **changes: Any) -> RawData:
    """Returns data as if read from files of one element, a paragraph to each question; changes: of the documents."""
    splits = {"train": train, "valid": valid, "test": test}
    facts = {"elements": 1, "beyond_first": 0, "wrong_starts": ()} | changes
    documents = {
        split: Document(file=Path("raw") / f"{split}.json", paragraphs=len(rows), **facts)
        for split, rows in splits.items()
    }
    return RawData(list(train), list(valid), list(test), list(bad_lines), documents)
