"""Checksums of what the runs of a plan depend on, and the folder of the arrays that equal data settings share."""

import ast
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from shared.training.provenance import ROOT

ABLATIONS = Path("ablations")
PREPARED = ".prepared"  # in ABLATIONS
NO_RESULT = (
    "shared/ablation/",
    "shared/reporting/",
    "shared/search/",
    "shared/dvc_options.py",
)  # sources that no result depends on


def code_version(name: str, root: Path = ROOT) -> str:
    """Returns a SHA-256 over the sources that shape a competition's results, without their comments and layout."""
    digest = hashlib.sha256()
    for folder in ("shared", f"competitions/{name}"):
        for file in sorted((root / folder).rglob("*.py")):
            path = file.relative_to(root).as_posix()
            if not path.startswith(NO_RESULT):
                digest.update(f"{path}\0{ast.dump(ast.parse(file.read_bytes()))}\0".encode())
    return digest.hexdigest()


def prepare_params(root: Path = ROOT) -> list[tuple[str, ...]]:
    """Returns the places in a competition's block that its arrays depend on: the params of `prepare` in dvc.yaml."""
    stages = YAML(typ="safe", pure=True).load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    prefix = "${key}."
    params = stages["prepare"]["do"]["params"]
    return [tuple(name.removeprefix(prefix).split(".")) for name in params if name.startswith(prefix)]


def prepared_folder(
    name: str, settings: dict[str, Any], raw: str, code: str, params: Sequence[tuple[str, ...]]
) -> Path:
    """Returns the folder for the arrays of these settings. Args: raw, code: checksums of official files and sources."""
    read = {".".join(place): _at(settings, place) for place in params}
    text = json.dumps([name, read, raw, code], sort_keys=True)
    return ABLATIONS / PREPARED / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _at(settings: Any, place: Sequence[str]) -> Any:
    for part in place:
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings
