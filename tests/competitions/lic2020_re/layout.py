"""Writes tiny folders in the official layouts of DuIE 2.0, for tests; all texts are invented."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from competitions.lic2020_re.schema import Predicate, Schema

SETTINGS = SimpleNamespace(on_bad_line="error")
SKIP = SimpleNamespace(on_bad_line="skip")
SCHEMA = Schema(
    {
        "导演": Predicate("影视作品", {"@value": "人物"}),
        "主演": Predicate("影视作品", {"@value": "人物"}),
        "饰演": Predicate("娱乐人物", {"@value": "人物", "inWork": "影视作品"}),
        "获奖": Predicate("娱乐人物", {"@value": "奖项", "inWork": "作品", "onDate": "Date"}),
    }
)
SCHEMA_LINES = [  # as in the official file, `@value` is not always first
    '{"object_type": {"@value": "人物"}, "predicate": "导演", "subject_type": "影视作品"}',
    '{"object_type": {"@value": "人物"}, "predicate": "主演", "subject_type": "影视作品"}',
    '{"object_type": {"inWork": "影视作品", "@value": "人物"}, "predicate": "饰演", "subject_type": "娱乐人物"}',
    '{"object_type": {"inWork": "作品", "@value": "奖项", "onDate": "Date"}, "predicate": "获奖", '
    '"subject_type": "娱乐人物"}',
]
TEXT = "《北岸来信》由江雪执导，陆平、苏禾主演"
TEST_TEXTS = ["《白塔》由高远执导", "苏禾在《白塔》里饰演小满"]
FILES_2021 = {
    "schema": "duie_schema.json",
    "train": "duie_train.json",
    "valid": "duie_dev.json",
    "test": "duie_test2.json",
}
FILES_2020 = {
    "schema": "schema.json",
    "train": "train_data/train_data.json",
    "valid": "dev_data/dev_data.json",
    "test": "test1_data/test1_data.json",
}


def spo(subject: Any, predicate: Any, value: Any, **slots: Any) -> dict[str, Any]:
    """Returns a triple in the official form, without types."""
    return {"subject": subject, "predicate": predicate, "object": {"@value": value, **slots}}


DIRECTOR = spo("北岸来信", "导演", "江雪")
ACTORS = [spo("北岸来信", "主演", "陆平"), spo("北岸来信", "主演", "苏禾")]
ROLE = spo("苏禾", "饰演", "小满", inWork="白塔")


def line(text: Any = TEXT, spo_list: Any = (DIRECTOR, *ACTORS), **changes: Any) -> str:
    """Returns one official line; a change to None drops the field."""
    fields = {"text": text, "spo_list": spo_list, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}, ensure_ascii=False)


def write_layout(
    folder: Path,
    files: Mapping[str, Sequence[str] | bytes] | None = None,
    names: Mapping[str, str] = FILES_2021,
) -> Path:
    """Writes the schema, two train, two dev and two test lines.

    files: schema, train, valid or test -> lines or bytes that take the place of the usual ones.
    """
    labelled = [line(), line(TEST_TEXTS[1], [ROLE])]
    content: dict[str, Sequence[str] | bytes] = {
        "schema": SCHEMA_LINES,
        "train": labelled,
        "valid": labelled,
        "test": [line(text, None) for text in TEST_TEXTS],
        **(files or {}),
    }
    for name, lines in content.items():
        put(folder / names[name], lines)
    return folder


def put(path: Path, content: Sequence[str] | bytes) -> Path:
    """Writes one file: lines, or raw bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else "".join(f"{row}\n" for row in content).encode("utf-8"))
    return path
