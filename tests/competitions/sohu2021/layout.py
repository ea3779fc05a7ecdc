"""Writes tiny folders in the official layout of Sohu 2021, for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from competitions.sohu2021.variants import VARIANTS, Variant

SETTINGS = SimpleNamespace(on_bad_line="error", extra_files=True)
SKIP = SimpleNamespace(on_bad_line="skip", extra_files=True)
SS_A, SS_B = VARIANTS[0], VARIANTS[1]


def line(variant: Variant, label: int | None = None, number: int | None = None, **changes: Any) -> str:
    """Returns one official line; a change to None drops the field."""
    fields: dict[str, Any] = {"source": "今天下雨了", "target": "明天放晴"}
    if label is not None:
        fields[variant.label_field] = str(label)
    if number is not None:
        fields["id"] = variant.id(number)
    fields = {name: value for name, value in (fields | changes).items() if value is not None}
    return json.dumps(fields, ensure_ascii=False)


def write_layout(folder: Path, files: Mapping[tuple[str, str], Sequence[str] | bytes] | None = None) -> Path:
    """Writes two train, two valid and two test lines for each variant.

    files: (variant's name, file name) -> lines or bytes that take the place of the usual ones.
    """
    for variant in VARIANTS:
        (folder / variant.folder).mkdir(parents=True)
        labelled = [line(variant, 0), line(variant, 1, source="天气转晴")]
        put(folder, variant, "train.txt", labelled)
        put(folder, variant, "valid.txt", labelled)
        put(folder, variant, "test_with_id.txt", [line(variant, number=0), line(variant, number=1)])
    by_name = {variant.name: variant for variant in VARIANTS}
    for (name, file), content in (files or {}).items():
        put(folder, by_name[name], file, content)
    return folder


def put(folder: Path, variant: Variant, file: str, content: Sequence[str] | bytes) -> Path:
    """Writes one file of a variant: lines, or raw bytes."""
    path = folder / variant.folder / file
    data = content if isinstance(content, bytes) else "".join(f"{row}\n" for row in content).encode("utf-8")
    path.write_bytes(data)
    return path


def valid_ids() -> list[str]:
    """Returns the ids of the usual valid (and test) lines, in the reader's order."""
    return [variant.id(number) for variant in VARIANTS for number in (0, 1)]
