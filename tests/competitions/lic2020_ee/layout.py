"""Writes tiny folders in the official layouts of DuEE 1.0, for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from competitions.lic2020_ee.schema import EventType, Schema

SETTINGS = SimpleNamespace(on_bad_line="error")
SKIP = SimpleNamespace(on_bad_line="skip")

MATCH, COLLAPSE, WEDDING = "竞赛行为-胜负", "灾害/意外-坍/垮塌", "人生-结婚"
SCHEMA = Schema(
    {
        MATCH: EventType("竞赛行为", ("时间", "胜者", "败者")),
        COLLAPSE: EventType("灾害/意外", ("时间", "坍塌主体", "死亡人数")),
        WEDDING: EventType("人生", ("时间", "结婚双方")),
    }
)
TEXT = "周六，红星队击败蓝海队"


def changed(fields: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns the fields with changes; None drops a field."""
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def argument(text: str, role: str, value: str, **changes: Any) -> dict[str, Any]:
    """Returns an official argument at its first place in the text."""
    fields = {"argument_start_index": text.find(value), "role": role, "argument": value, "alias": []}
    return changed(fields, **changes)


def event(text: str, event_type: str, trigger: str, *arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an official event; its trigger is at its first place in the text."""
    return {
        "event_type": event_type,
        "trigger": trigger,
        "trigger_start_index": text.find(trigger),
        "arguments": list(arguments),
        "class": event_type.split("-")[0],
    }


def match(**changes: Any) -> dict[str, Any]:
    """Returns the event of TEXT."""
    arguments = [argument(TEXT, *one) for one in (("时间", "周六"), ("胜者", "红星队"), ("败者", "蓝海队"))]
    return changed(event(TEXT, MATCH, "击败", *arguments), **changes)


def line(row_id: Any, events: Sequence[Any] | None = None, text: str | None = TEXT) -> str:
    """Returns one official line; None leaves a field out."""
    return json.dumps(changed({}, text=text, id=row_id, event_list=events), ensure_ascii=False)


def schema_lines(schema: Schema = SCHEMA) -> list[str]:
    """Returns the lines of an official schema file."""
    return [
        json.dumps(
            {
                "event_type": name,
                "role_list": [{"role": role} for role in one.roles],
                "id": "0",
                "class": one.event_class,
            },
            ensure_ascii=False,
        )
        for name, one in schema.event_types.items()
    ]


def write_layout(folder: Path, files: Mapping[str, Sequence[str] | bytes] | None = None) -> Path:
    """Writes two train lines, a dev line, two test lines and the schema, under the names of 2021.

    files: name -> lines or bytes that take the place of the usual ones.
    """
    usual: dict[str, Sequence[str] | bytes] = {
        "duee_train.json": [line("a1", [match()]), line("a2", [], text="今天无事")],
        "duee_dev.json": [line("b1", [match()])],
        "duee_test1.json": [line("c1"), line("c2", text="甲桥\n垮塌")],
        "duee_event_schema.json": schema_lines(),
    }
    for name, content in (usual | dict(files or {})).items():
        put(folder / name, content)
    return folder


def put(path: Path, content: Sequence[str] | bytes) -> Path:
    """Writes a file: lines, or raw bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content if isinstance(content, bytes) else "".join(f"{row}\n" for row in content).encode("utf-8")
    path.write_bytes(data)
    return path
