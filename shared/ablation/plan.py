"""A plan of trials, read from YAML and checked as a whole before any of them runs.

    competition: sohu2021
    seeds:
      - 0
      - 1
    base:  # of the competition's block in params.yaml, for all trials
      train.epochs: 3
    trials:
      baseline:
      fgm:
        train.tricks.adversary: fgm

A key of `base` or of a trial is one of the competition's block, written as for `dvc exp run -S` without its name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from shared.errors import UserError
from shared.pretrained.settings import with_checkpoint
from shared.settings import Section, load_settings, raw_folders
from shared.settings_document import Document, Place, dotted, read_yaml
from shared.settings_errors import add_problems, did_you_mean
from shared.task import Task, load_task

BASELINE = "baseline"
SEED: Place = ("train", "seed")

Overrides = dict[Place, Any]  # place in the competition's block -> value


class PlanFile(Section):
    """What a plan file holds."""

    competition: str = Field(min_length=1, description="block of params.yaml and key of its `raw:`")
    raw: str | None = Field(None, min_length=1, description="folder of the official files; empty: as in params.yaml")
    measure: str | None = Field(None, description="figure of the official score that counts; empty: its first")
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = Field(
        min_length=1, description="values of train.seed; each trial runs with each of them"
    )
    base: dict[str, Any] | None = Field(None, description="settings that all trials have")
    trials: dict[str, dict[str, Any] | None] = Field(description=f"settings by trial; {BASELINE} has none")


@dataclass(frozen=True)
class Trial:
    """One trial: what it changes, and all its settings with the first seed."""

    name: str
    overrides: Overrides
    settings: Any

    def with_seed(self, seed: int) -> Any:
        """Returns the settings with another `train.seed`."""
        train = self.settings.train.model_copy(update={"seed": seed})
        return self.settings.model_copy(update={"train": train})


@dataclass(frozen=True)
class Plan:
    """A checked plan. name: of the file without `.yaml`; raw_given: whether the file names the raw folder itself."""

    name: str
    task: Task
    raw: Path
    raw_given: bool
    measure: str
    seeds: tuple[int, ...]
    base: Overrides
    trials: dict[str, Trial]


def load_plan(path: Path, raw: Path | None = None) -> Plan:
    """Reads a plan and checks the settings of all its trials, with params.yaml of the working directory below them.

    Args: raw: folder of the official files, in place of the one that plan or params.yaml name.
    Raises: UserError with every problem of all trials, each with file:line and the trial's name.
    """
    document = read_yaml(Path(path))
    try:
        file = PlanFile.model_validate(document.value)
    except ValidationError as error:
        if not isinstance(document.value, dict):
            raise UserError(f"{path}:1: expected lines `key: value`, beginning with `competition:`.") from None
        add_problems(error, PlanFile, document, ())
        document.raise_problems()
        raise  # not reached: a ValidationError holds at least one problem
    task = _task(file.competition, document)
    measure = file.measure or task.select_by
    if measure not in task.figures:
        names = ", ".join(task.figures)
        text = (
            f"measure = {measure!r}: no figure of {task.name}.{did_you_mean(measure, task.figures)} Figures: {names}."
        )
        document.add(("measure",), text)
    if len(set(file.seeds)) < len(file.seeds):
        document.add(("seeds",), "seeds: one is given twice. Each trial runs once with each seed; remove it.")
    _check_names(file.trials, document)
    document.raise_problems()

    params = load_settings(task.name, task.settings).model_dump(mode="json")
    base = _overrides(("base",), file.base, document)
    own = {name: _overrides(("trials", name), given, document) for name, given in file.trials.items()}
    document.raise_problems()
    checked = {BASELINE: _checked(BASELINE, base, file.seeds[0], params, task, document)}
    document.raise_problems()  # a slip in base would come again with every trial
    for name in file.trials:
        if name != BASELINE:
            checked[name] = _checked(name, base | own[name], file.seeds[0], params, task, document)
    document.raise_problems()
    _check_different(checked, document)
    document.raise_problems()
    trials = {name: Trial(name, own[name], settings) for name, settings in checked.items()}
    given = raw or (Path(file.raw) if file.raw else None)
    folder = given or raw_folders()[task.name]
    if not folder.is_dir():
        line = document.line(("raw",))
        raise UserError(f"{path}:{line}: {folder}: no such folder. Name that of the official files under `raw:`.")
    return Plan(Path(path).stem, task, folder, given is not None, measure, file.seeds, base, trials)


def _task(name: str, document: Document) -> Task:
    try:
        return load_task(name)
    except UserError as error:
        document.add(("competition",), f"competition: {error}")
        document.raise_problems()
        raise


def _check_names(trials: Mapping[str, Mapping[str, Any] | None], document: Document) -> None:
    for name in trials:
        if not re.fullmatch(r"[a-z0-9][a-z0-9_+-]*", name):
            text = f"trial {name!r}: a name, which becomes a folder, is made of a-z, 0-9, _, + and -."
            document.add(("trials", name), text)
    if BASELINE not in trials:
        document.add(
            ("trials",), f"no trial {BASELINE!r}. Add `{BASELINE}:` without settings; the others stand beside it."
        )
    elif trials[BASELINE]:
        text = f"trial {BASELINE!r} has settings of its own. Move them to `base:`, which holds for all trials."
        document.add(("trials", BASELINE), text)


def _overrides(section: Place, given: Mapping[str, Any] | None, document: Document) -> Overrides:
    """Returns the settings of one section of the plan by their place in the competition's block."""
    found: Overrides = {}
    for key, value in (given or {}).items():
        for place, leaf in _leaves(tuple(key.split(".")), value):
            where = (*section, key)
            if place in found:
                document.add(where, f"{dotted(place)} is given twice in {dotted(section)}. Remove one of them.")
            elif place == SEED:
                document.add(where, f"{dotted(place)} in {dotted(section)}: the plan's `seeds:` set it. Remove it.")
            found[place] = leaf
    return found


def _leaves(place: Place, value: Any) -> Iterator[tuple[Place, Any]]:
    """Yields the values in a mapping, each with its place; of anything else itself."""
    if not isinstance(value, dict) or not value:
        yield place, list(value) if isinstance(value, tuple) else value
        return
    for key, item in value.items():
        yield from _leaves((*place, key), item)


def _checked(
    name: str, overrides: Overrides, seed: int, params: dict[str, Any], task: Task, document: Document
) -> Any | None:
    """Returns a trial's settings, None if they are not valid; then the document has problems more."""
    merged = Document(document.name, _merged(params, overrides | {SEED: seed}), _lines(name, document))
    settings = None
    try:
        settings = task.settings.model_validate(merged.value)
        with_checkpoint(settings)
    except ValidationError as error:
        add_problems(error, task.settings, merged, ())
    except UserError as error:
        merged.add((), str(error))
    for line, text in merged.problems:
        where = f"{document.name}:{line}: "
        found = text.removeprefix(where).removeprefix("the content: ")
        document.problems.append((line, f"{where}trial '{name}': {found}"))
    return None if merged.problems else settings


def _merged(params: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Returns a copy of the block with other values; what is on the way to one and no mapping is replaced by one."""
    merged = _copy(params)
    for place, value in overrides.items():
        section = merged
        for part in place[:-1]:
            if not isinstance(section.get(part), dict):
                section[part] = {}
            section = section[part]
        section[place[-1]] = value
    return merged


def _copy(value: Any) -> Any:
    return {key: _copy(item) for key, item in value.items()} if isinstance(value, dict) else value


def _lines(name: str, document: Document) -> dict[Place, int]:
    """Returns the lines of the plan by places in the competition's block; all that it does not name: the trial's."""
    lines: dict[Place, int] = {(): document.line(("trials", name))}
    sections: tuple[Place, ...] = (("base",), ("trials", name))
    for section in sections:
        for place, line in document.lines.items():
            if place[: len(section)] == section and len(place) > len(section):
                key, *rest = place[len(section) :]
                lines[(*str(key).split("."), *rest)] = line
    return lines


def _check_different(checked: Mapping[str, Any], document: Document) -> None:
    """Notes each trial whose settings another one has too."""
    seen: dict[str, str] = {}
    for name, settings in checked.items():
        text = settings.model_dump_json()
        if text in seen:
            cure = "it changes nothing" if seen[text] == BASELINE else "no trial runs twice"
            document.add(("trials", name), f"trial '{name}' has the settings of '{seen[text]}': {cure}. Remove it.")
        seen.setdefault(text, name)
