"""Rows of real files made ready to be trained on and predicted: what benchmarks over official files share."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.arrays import Ragged, Split
from shared.settings import load_settings, raw_folders, settings_from_dict
from shared.task import Labels, load_task
from shared.training.batches import Planned, training_batches
from shared.training.feed import Feed
from shared.training.hardware import Hardware, configure


@dataclass
class RealRows:
    """A competition's network, its engine, and training rows with the lengths of real files.

    raw: the folder of these files. batches: those of one epoch.
    """

    raw: Path
    task: Any
    settings: Any
    labels: Labels
    machine: Hardware
    network: Any
    engine: Any
    split: Split
    feed: Feed
    batches: list[Planned]

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "RealRows":
        """Reads the files, configures Keras and builds the network, by the arguments that `add_arguments` adds."""
        task = load_task(arguments.name)
        settings = overridden(load_settings(arguments.name, task.settings), task, arguments.S)
        raw = arguments.raw or development_data(arguments.name) or raw_folders()[arguments.name]
        prepared = task.encode(task.read(raw, settings.data), settings)
        machine = configure(settings.hardware, settings.train.seed)
        from shared.training.fit import engine_for  # imports Keras, which is configured now

        with machine.distribution.scope():
            network = task.build(settings, prepared.vocabulary, prepared.labels)
        split = evenly(prepared.splits["train"], arguments.rows)
        feed = task.feed(split, settings, prepared.labels)
        engine = engine_for(network, task.loss(settings), feed, settings, machine)
        replicas, rng = machine.distribution.replicas, np.random.default_rng(0)
        batches = training_batches(feed.lengths, settings.train, replicas, engine.burst, rng)
        return cls(raw, task, settings, prepared.labels, machine, network, engine, split, feed, batches)

    def predict(self) -> None:
        """Finds the answers to all rows."""
        self.task.infer(self.network, self.split, self.settings, self.labels)

    def train(self) -> Any:
        """Takes a step for each batch. Returns: the epoch's `Meter`."""
        from shared.training.epoch import Meter, train_epoch

        meter = Meter()
        train_epoch(self.engine, self.feed, self.batches, [0], "", show=False, meter=meter)
        return meter


def add_arguments(parser: argparse.ArgumentParser, rows: int) -> None:
    """Adds what says which rows and settings to take. Args: rows: how many by default."""
    parser.add_argument("name", help="competition")
    parser.add_argument("--raw", type=Path, help="folder of official files")
    parser.add_argument("--rows", type=int, default=rows, help=f"training rows, drawn evenly by length ({rows})")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="another value, as in dvc exp run")


def overridden(settings: Any, task: Any, overrides: Sequence[str]) -> Any:
    """Returns the settings with other values. Args: overrides: KEY=VALUE, the key with or without the competition."""
    values = settings.model_dump(mode="json")
    for override in overrides:
        key, _, text = override.partition("=")
        *parents, last = key.removeprefix(f"{task.name}.").split(".")
        section = values
        for parent in parents:
            section = section[parent]
        try:
            section[last] = json.loads(text)
        except ValueError:
            section[last] = text
    return settings_from_dict(task.settings, values, "-S")


def development_data(name: str) -> Path | None:
    """Returns the folder of a competition's development data, or None if it is not there."""
    folder = Path(os.environ.get("BASELINE_KIT_SHARED", "../shared"), "data", name)
    return folder if folder.is_dir() else None


def evenly(split: Split, rows: int) -> Split:
    """Returns `rows` rows spread evenly over their sizes, so that few rows have the whole file's distribution."""
    sizes = sum(field.lengths for field in split.values() if isinstance(field, Ragged))
    order = np.argsort(sizes, kind="stable")
    return split.take(np.sort(order[np.linspace(0, len(order) - 1, min(rows, len(order))).astype(int)]))
