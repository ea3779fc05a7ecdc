"""params.yaml into checked, frozen models; every slip in it is reported with file:line before any work is done.

The file's top level is `version`, `raw` (competition: folder of its official files) and one block per competition. All
problems of the file and of one competition's block come in a single UserError, one per line:

    params.yaml:10: unknown key 'sohu2021.train.epoch'. Did you mean 'epochs'? Valid keys: learning_rate, epochs.
    params.yaml:12: sohu2021.train.ema_momentum = 1.5: expected a number >= 0 and < 1 (0 switches averaging off).
"""

import keyword
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from shared.errors import UserError
from shared.settings_document import Document, Place, read_yaml
from shared.settings_errors import add_problems, did_you_mean, found, unknown_key

VERSION = 1  # of the layout of params.yaml; raise it when an old file would be misread

PARAMS = Path("params.yaml")
COMPETITIONS = Path("competitions")


class Section(BaseModel):
    """One block of settings: subclass it, with bounds and a description in each `Field`.

    Types are exact: an integer is a float too, but true is no integer, '3' no number and 2.0 no integer; nan and inf
    are refused. (Literal alone compares with ==: Literal[1, 2] reads true and 1.0 as 1.) A field without default must
    be in the file. Annotate sequences as tuple[int, ...]: the lists of the file become tuples, so that nothing changes
    a model after its check. No list, set, Path or Enum fields: a file has none. Rules over several keys: a
    `model_validator` that raises ValueError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _lists_become_tuples(cls, value: Any) -> Any:
        return _with_tuples(value)


def rule(check: Callable[[Any], None]) -> Any:
    """Decorates a method of a Section that raises ValueError where settings do not go together.

    Settings of a trained model are exempt: they were allowed when it was trained, and prediction may not care.
    """

    def checked(self: Any, info: ValidationInfo) -> Any:
        if not (info.context or {}).get("trained"):
            check(self)
        return self

    return model_validator(mode="after")(checked)


SectionT = TypeVar("SectionT", bound=Section)


def load_settings(
    name: str, model: type[SectionT], path: Path = PARAMS, *, competitions: Path = COMPETITIONS
) -> SectionT:
    """Returns the checked settings of competition `name`; of the other blocks only the names are checked.

    Raises: UserError with every problem of the file's top level and of this block.
    """
    document = _open(Path(path), Path(competitions))
    raw = document.value.get("raw")
    if isinstance(raw, dict) and name not in raw:
        names = ", ".join(raw) or "none"
        document.add(("raw",), f"'{name}' is not in raw.{did_you_mean(name, raw)} Competitions in raw: {names}.")
    if not _is_name(name) or name not in document.value:
        document.raise_problems()  # there is at least one: the name is not in raw, or raw or the block is missing
    return _validated(model, document, (name,))


def raw_folders(path: Path = PARAMS, *, competitions: Path = COMPETITIONS) -> dict[str, Path]:
    """Returns the map `raw:`, competition to folder of its official files, in the order of the file.

    Raises: UserError with every problem of the file's top level. Whether the folders exist is for the reader to say.
    """
    document = _open(Path(path), Path(competitions))
    document.raise_problems()
    return {name: Path(folder) for name, folder in document.value["raw"].items()}


def settings_from_dict(model: type[SectionT], value: Any, where: str, *, trained: bool = False) -> SectionT:
    """Returns the settings checked as in params.yaml, for a parsed JSON file: `where` begins each message.

    Args: value: as parsed, or as made by `settings.model_dump(mode="json")`. trained: they are those of a trained
        model, for which a `rule` does not hold.
    Raises: UserError with every problem, one per line.
    """
    return _validated(model, Document(where, value), (), trained=trained)


def json_schema(models: dict[str, type[Section]]) -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of a params.yaml with these competitions.

    JSON schema takes 2.0 for an integer; here alone it is more lenient than `load_settings`.
    """
    references, definitions = models_json_schema(
        [(model, "validation") for model in models.values()], schema_generator=_SchemaWithoutFieldTitles
    )
    folder = {"type": "string", "minLength": 1, "description": "folder of the official files"}
    raw = {
        "description": "competition: folder of its official files; the only place where competitions are registered",
        "type": "object",
        "properties": dict.fromkeys(models, folder),
        "additionalProperties": False,
        "minProperties": 1,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "params.yaml",
        "type": "object",
        "properties": {
            "version": {"const": VERSION, "description": "of this file's layout; see CHANGELOG.md"},
            "raw": raw,
            **{name: references[(model, "validation")] for name, model in models.items()},
        },
        "required": ["version", "raw"],
        "additionalProperties": False,
        "allOf": [  # a competition in raw needs its block; a block without an entry in raw is merely switched off
            {"if": {"properties": {"raw": {"required": [name]}}}, "then": {"required": [name]}} for name in models
        ],
        **definitions,
    }


class _SchemaWithoutFieldTitles(GenerateJsonSchema):
    """Leaves out titles such as "Learning Rate", which only repeat the key."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _validated(model: type[SectionT], document: Document, place: Place, *, trained: bool = False) -> SectionT:
    """Returns the model of the block at `place`. Raises: UserError with the document's problems, these included."""
    block = document.value
    for part in place:
        block = block[part]
    try:
        settings = model.model_validate(block, context={"trained": trained})
    except ValidationError as error:
        add_problems(error, model, document, place)
        document.raise_problems()
        raise  # not reached: a ValidationError holds at least one problem
    document.raise_problems()
    return settings


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list) else value


def _open(path: Path, competitions: Path) -> Document:
    """Reads the file and notes the problems of its top level. Raises: UserError if there is no sense in going on."""
    document = read_yaml(path)
    value = document.value
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        expected = f"lines `key: value`, beginning with `version: {VERSION}`"
        raise UserError(f"{path}:1: expected {expected}, but found {kind}.")
    version = value.get("version")
    if "version" not in value:
        document.add((), f"missing key 'version'. Write `version: {VERSION}` as the first setting.")
    elif type(version) is not int:
        document.add(("version",), f"{found(('version',), version)}: expected {VERSION}.")
    elif version != VERSION:
        cure = (
            "change it as CHANGELOG.md says" if version < VERSION else "update the kit (CHANGELOG.md tells what is new)"
        )
        age = "an older" if version < VERSION else "a newer"
        line = document.line(("version",))
        raise UserError(
            f"{path}:{line}: version = {version}: settings of {age} version; this kit reads {VERSION}: {cure}."
        )
    folders = sorted(folder.name for folder in competitions.glob("*") if folder.is_dir() and _is_name(folder.name))
    raw = value.get("raw")
    for key in value:
        if key not in ("version", "raw", *folders) and not (isinstance(raw, dict) and key in raw):
            document.add((key,), unknown_key((key,), ["version", "raw", *folders]))
    if "raw" not in value:
        document.add((), "missing key 'raw': a mapping from each competition to the folder of its official files.")
    elif not isinstance(raw, dict) or not raw:
        document.add(
            ("raw",),
            f"{found(('raw',), raw)}: expected a mapping from each competition to the folder of its "
            f"official files. Competitions: {', '.join(folders)}.",
        )
    else:
        for name, folder in raw.items():
            _check_competition(name, folder, document, competitions, folders)
    return document


def _check_competition(name: str, folder: Any, document: Document, competitions: Path, folders: list[str]) -> None:
    place = ("raw", name)
    if not _is_name(name):
        document.add(
            place,
            f"'{name}' in raw: a competition's name is a letter, then letters, digits and _, all "
            f"lower-case, and no Python keyword.{did_you_mean(name, folders)}",
        )
    elif name not in folders:
        document.add(
            place,
            f"'{name}' in raw: there is no folder {competitions / name}.{did_you_mean(name, folders)} "
            f"Competitions: {', '.join(folders) or 'none'}.",
        )
    elif name not in document.value:
        document.add(
            place,
            f"'{name}' is in raw, but there is no block `{name}:` with its settings. Add one, or take "
            f"'{name}' out of raw.",
        )
    if not isinstance(folder, str) or not folder.strip():
        document.add(place, f"{found(place, folder)}: expected the folder of the official files.")


def _is_name(name: str) -> bool:
    usable = re.fullmatch(r"[a-z][a-z0-9_]*", name) is not None
    return usable and not keyword.iskeyword(name) and name not in ("version", "raw")
