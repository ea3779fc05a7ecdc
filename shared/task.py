"""The record that binds a competition to the stages: everything the pipelines ask of `competitions/<name>/`."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.arrays import Split
from shared.cli import competition_module
from shared.text.vocabulary import Vocabulary

Outputs = Mapping[str, Any]


@dataclass(frozen=True)
class Prepared:
    """What `prepare` leaves for the later stages: splits by name (train, valid, test), vocabulary, label schema."""

    splits: Mapping[str, Split]
    vocabulary: Vocabulary
    labels: Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """One competition.

    name: folder below competitions/, block of params.yaml and key of its `raw:` map.
    settings: Section of its block; has at least the sections data, text, model, train, hardware.
    length_field: ragged field whose row lengths decide the batches. targets: fields that the loss reads.
    select_by: the figure of `score` by which the best epoch is chosen; larger is better.

    read(folder, settings.data) -> examples of all splits, in the competition's own record. Raises UserError.
    report(examples) -> JSON document on the data; render(document) -> the same as Markdown.
    encode(examples, settings) -> Prepared.
    build(settings, vocabulary) -> keras.Model, a dict of inputs to a dict of outputs.
    loss(settings) -> (targets, outputs, sample_weight) -> scalar.
    score(outputs, split, settings) -> the official measure and its slices; outputs are those of the network or of a
        baseline, arrays by name with the split's rows.
    tables(outputs, split, settings) -> file name -> list of rows (dicts), written as CSV beside the metrics.
    baselines(train, valid, settings) -> name -> outputs of trivial baselines on valid.
    write(folder, outputs, split, settings) -> path of the submission file, written into folder.
    check(file, raw) -> number of rows. Raises UserError naming what is wrong with a submission.
    """

    name: str
    settings: type[Any]
    length_field: str
    targets: tuple[str, ...]
    select_by: str
    read: Callable[[Path, Any], Any]
    report: Callable[[Any], dict[str, Any]]
    render: Callable[[dict[str, Any]], str]
    encode: Callable[[Any, Any], Prepared]
    build: Callable[[Any, Vocabulary], Any]
    loss: Callable[[Any], Any]
    score: Callable[[Outputs, Split, Any], dict[str, Any]]
    tables: Callable[[Outputs, Split, Any], dict[str, list[dict[str, Any]]]]
    baselines: Callable[[Split, Split, Any], dict[str, Outputs]]
    write: Callable[[Path, Outputs, Split, Any], Path]
    check: Callable[[Path, Path], int]


def load_task(name: str) -> Task:
    """Returns `competitions.<name>.task`. Raises: UserError for an unknown name, with the nearest one."""
    return competition_module(name, "task").task


def lazy(module: str, function: str) -> Callable[..., Any]:
    """Returns a function that imports its module at the first call: for modules that take seconds to import."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*args, **kwargs)

    return call
