"""One run of a trial with one seed, as its folder keeps it, and whether it has to run again."""

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from shared.errors import UserError
from shared.files import read_json, sha256_file, write_json
from shared.settings_document import dotted

METRICS, ROWS, REQUEST, LOG = "metrics.json", "rows.npz", "request.json", "log.txt"
VERSION = 1


@dataclass(frozen=True)
class Origin:
    """What a result depends on. settings: all of the competition's; raw, data, code: checksums.

    Those are of the official files, of the arrays made from them, and of the sources.
    """

    settings: dict[str, Any]
    raw: str
    data: str
    code: str

    @property
    def fingerprint(self) -> str:
        """Names the states from which an interrupted run goes on."""
        text = repr((sorted(_flat(self.settings).items()), self.raw, self.data, self.code))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def changes(self, other: "Origin") -> list[str]:
        """Returns what of this one is otherwise in the other, a phrase each."""
        mine, theirs = _flat(self.settings), _flat(other.settings)
        keys = [key for key in sorted(mine.keys() | theirs.keys()) if mine.get(key) != theirs.get(key)]
        found = [f"{key} was {theirs.get(key)!r}, is {mine.get(key)!r}" for key in keys]
        found += ["other official files"] * (self.raw != other.raw)
        found += ["other arrays"] * (self.data != other.data and self.raw == other.raw)
        return found + ["other code"] * (self.code != other.code)


@dataclass(frozen=True)
class Record:
    """The result of a run: either score, best_epoch, metrics (the official ones) and cost, or `failed` with its reason.

    cost: seconds (whole run), weights, machine, jobs (runs side by side), memory (see `MemoryMeter`), rows_an_epoch,
    micro_batches, predict_rows_per_s and, unless only the end of a run was left to do, seconds_per_step and rows_per_s.
    A failed run has less. rows_sha256: of the file with each row's shares in the score, None where there are none.
    """

    competition: str
    trial: str
    seed: int
    measure: str
    origin: Origin
    cost: dict[str, Any]
    score: float | None = None
    best_epoch: int | None = None
    metrics: dict[str, Any] | None = None
    rows_sha256: str | None = None
    failed: str | None = None

    def save(self, folder: Path) -> None:
        """Writes metrics.json."""
        write_json(folder / METRICS, {"version": VERSION, **asdict(self)})

    def shares(self, folder: Path) -> np.ndarray | None:
        """Returns what each validation row gives to the score, (rows, classes, 2); None if it is not known."""
        if self.rows_sha256 is None:
            return None
        with np.load(folder / ROWS) as file:
            return np.asarray(file["shares"])


def load_record(folder: Path, settings: type[BaseModel] | None = None) -> Record:
    """Reads what `Record.save` wrote. Raises: UserError if it is absent, damaged or of another version.

    Args: settings: the competition's model of them. Keys that are newer than the record then have their defaults.
    """
    path = folder / METRICS
    document = read_json(path)
    try:
        if document.pop("version") != VERSION:
            raise UserError(f"{path}: of another version of the kit.")
        origin = Origin(**document["origin"])
        if settings is not None:
            origin = replace(origin, settings=_completed(origin.settings, settings))
        record = Record(**document | {"origin": origin})
        if record.failed is None:
            float(record.score)  # type: ignore[arg-type]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not the metrics of a run ({error}).") from None
    rows = folder / ROWS
    if record.rows_sha256 is not None and (not rows.is_file() or sha256_file(rows) != record.rows_sha256):
        raise UserError(f"{rows}: missing, or not the file that was written with {METRICS}.")
    return record


def why_run(
    folder: Path,
    origin: Origin,
    measure: str,
    *,
    settings: type[BaseModel] | None = None,
    any_code: bool = False,
    retry: bool = False,
) -> str | None:
    """Returns why the run of this folder has to run, None if its result stands.

    Args: origin: what it would depend on now. settings: see `load_record`. any_code: a result of other code stands too.
        retry: failed ones do not.
    """
    if not (folder / METRICS).exists():
        return "new"
    try:
        record = load_record(folder, settings)
    except UserError as error:
        return f"again: {error}"
    found = [change for change in origin.changes(record.origin) if not (any_code and change == "other code")]
    if record.measure != measure:
        found.append(f"measure was {record.measure!r}, is {measure!r}")
    if found:
        rest = f" and {len(found) - 3} more" if len(found) > 3 else ""
        return f"again: {'; '.join(found[:3])}{rest}"
    return f"again, as it failed: {record.failed}" if record.failed and retry else None


def _completed(document: dict[str, Any], settings: type[BaseModel]) -> dict[str, Any]:
    """Returns the settings with defaults for keys that they lack; as they are if they are none of this model."""
    try:
        return settings.model_validate(document).model_dump(mode="json")
    except ValidationError:
        return document


def _flat(value: Any, place: tuple[str | int, ...] = ()) -> dict[str, Any]:
    """Returns the values of nested mappings by their dotted place."""
    if isinstance(value, dict) and value:
        return {name: leaf for key, item in value.items() for name, leaf in _flat(item, (*place, key)).items()}
    return {dotted(place): list(value) if isinstance(value, tuple) else value}
