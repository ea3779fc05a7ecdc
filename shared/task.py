"""The record that binds a competition to the stages: everything the pipelines ask of `competitions/<name>/`."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.arrays import Split
from shared.cli import competition_module
from shared.text.vocabulary import Vocabulary
from shared.training.feed import Feed

Outputs = Mapping[str, Any]  # answers by name, one entry a row
Labels = Mapping[str, Any]  # what labels.json holds: the label schema and how it is written on tokens


@dataclass(frozen=True)
class Prepared:
    """What `prepare` leaves for the later stages: splits by name (train, valid, test), vocabulary, label schema."""

    splits: Mapping[str, Split]
    vocabulary: Vocabulary
    labels: Labels


@dataclass(frozen=True)
class Task:
    """One competition.

    name: folder below competitions/, block of params.yaml and key of its `raw:` map.
    settings: Section of its block; has at least the sections data, text, model, train, hardware, predict.
    spans: whether answers are pieces of the texts; then a token should be a character, not a word.
    figures: those of `score` that the learning curve shows; by the first the best epoch is chosen, larger is better.

    read(folder, settings.data) -> examples of all splits, in the competition's own record. Raises UserError.
    report(examples) -> JSON document on the data; render(document) -> the same as Markdown.
    encode(examples, settings) -> Prepared.
    ceiling(examples, prepared, settings) -> what a perfect model could reach under these settings, by split: figures of
        `score` and, under `lost`, how many gold items are out of reach and why. None: everything is within reach.
    build(settings, vocabulary, labels) -> keras.Model, a dict of inputs to a dict of outputs.
    loss(settings) -> Loss, of shared.training.loss: what training makes small.
    feed(split, settings, labels) -> Feed: batches for the network and the loss.
    infer(network, split, settings, labels, label=None) -> outputs: answers by name, row by row. label: text of a
        progress bar; None: no bar.
    score(outputs, split, settings, labels) -> the official measure (floats at top level) and its slices; outputs are
        those of the network or of a baseline.
    tables(outputs, split, settings, labels) -> file name -> list of rows (dicts), written as CSV beside the metrics:
        at least one file in each of pr_curve/ (threshold, recall, precision, f1) and confusion/ (gold, predicted).
    baselines(train, valid, settings, labels) -> name -> outputs of trivial baselines on valid.
    write(folder, outputs, split, settings, labels) -> path of the submission file, written into folder.
    check(file, raw) -> number of rows. Raises UserError naming what is wrong with a submission.
    """

    name: str
    settings: type[Any]
    spans: bool
    figures: tuple[str, ...]
    read: Callable[[Path, Any], Any]
    report: Callable[[Any], dict[str, Any]]
    render: Callable[[dict[str, Any]], str]
    encode: Callable[[Any, Any], Prepared]
    ceiling: Callable[[Any, Prepared, Any], dict[str, Any]] | None
    build: Callable[[Any, Vocabulary, Labels], Any]
    loss: Callable[[Any], Any]
    feed: Callable[[Split, Any, Labels], Feed]
    infer: Callable[..., Outputs]
    score: Callable[[Outputs, Split, Any, Labels], dict[str, Any]]
    tables: Callable[[Outputs, Split, Any, Labels], dict[str, list[dict[str, Any]]]]
    baselines: Callable[[Split, Split, Any, Labels], dict[str, Outputs]]
    write: Callable[[Path, Outputs, Split, Any, Labels], Path]
    check: Callable[[Path, Path], int]

    @property
    def select_by(self) -> str:
        """The figure by which the best epoch is chosen."""
        return self.figures[0]


def load_task(name: str) -> Task:
    """Returns `competitions.<name>.task`. Raises: UserError for an unknown name, with the nearest one."""
    return competition_module(name, "task").task


def lazy(module: str, function: str) -> Callable[..., Any]:
    """Returns a function that imports its module at the first call: for modules that take seconds to import."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(importlib.import_module(module), function)(*args, **kwargs)

    return call
