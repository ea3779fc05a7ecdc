"""Share of padding and number of shapes of the batches, for the bucket lengths of params.yaml and for others.

    python -m benchmarks.padding sohu2021 [--raw FOLDER] [--counts 6 8 12 16] [--tokens 2048 8192]

Lengths are those of the raw files: by default the development data in $BASELINE_KIT_SHARED (default ../shared), else
the bundled sample. "best N" are the N bucket lengths with the least padding for these lengths, "auto" is what
`train.bucket_lengths: auto` takes. Rows that fill up a batch count as padding. Prediction is of the validation rows;
"fitted" is how it goes with TensorFlow without XLA, where each batch has a width of its own. Nothing is computed but
lengths, so it takes seconds.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from shared.cli import run
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.training.batches import (
    Batch,
    BucketLengths,
    bucket_widths_for,
    padded_share,
    shapes,
    training_batches,
)
from shared.training.prediction_batches import fitted_batches, prediction_batches
from shared.training.settings import TrainSettings

REPEATS = 20  # random epochs


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.padding",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--raw", type=Path, help="folder of official files")
    parser.add_argument("--counts", type=int, nargs="*", default=[4, 6, 8, 10, 12, 16], help="how many bucket lengths")
    parser.add_argument("--tokens", type=int, nargs="*", default=[1024, 2048, 4096, 8192], help="of a batch")
    arguments = parser.parse_args(argv)
    task = load_task(arguments.name)
    settings = load_settings(arguments.name, task.settings)
    development = Path(os.environ.get("BASELINE_KIT_SHARED", "../shared"), "data", arguments.name)
    raw = arguments.raw or (development if development.is_dir() else raw_folders()[arguments.name])
    prepared = task.encode(task.read(raw, settings.data), settings)
    lengths, valid = (
        task.feed(prepared.splits[name], settings, prepared.labels).lengths for name in ("train", "valid")
    )

    train = settings.train
    size = train.batch_size
    print(f"{raw}\n{_described(lengths)}: training, batches of {size}")
    print(f"  {'':24} padding  shapes   steps")
    print(f"  {'as drawn, to the longest':24} {_random_share(lengths, size):7.1%}")
    print(_training_line("params.yaml", lengths, train))
    for count in arguments.counts:
        print(_training_line(f"best {count}", lengths, _with(train, tuple(bucket_widths_for(lengths, count, size)))))
    print(_training_line("auto", lengths, _with(train, "auto")))
    print("  by tokens, auto")
    for tokens in arguments.tokens:
        print(_training_line(f"batch_tokens {tokens}", lengths, _with(train, "auto", tokens)))

    size = settings.hardware.predict_batch_size
    print(f"{_described(valid)}: prediction, batches of {size}")
    print(_prediction_line("fitted", valid, fitted_batches(valid, size)))
    print(_prediction_line("params.yaml", valid, prediction_batches(valid, size, train.bucket_lengths)))
    for count in arguments.counts:
        buckets = bucket_widths_for(valid, count, size)
        print(_prediction_line(f"best {count}", valid, prediction_batches(valid, size, buckets)))
    print(_prediction_line("auto", valid, prediction_batches(valid, size, "auto")))
    print("bucket lengths of training")
    for count in arguments.counts:
        print(f"  best {count}: {' '.join(map(str, bucket_widths_for(lengths, count, train.batch_size)))}")


def _described(lengths: np.ndarray) -> str:
    return f"{len(lengths)} rows of {lengths.min()} to {lengths.max()} tokens, {lengths.mean():.0f} on average"


def _with(train: TrainSettings, bucket_lengths: BucketLengths, tokens: int = 0) -> TrainSettings:
    return train.model_copy(update={"bucket_lengths": bucket_lengths, "batch_tokens": tokens})


def _training_line(label: str, lengths: np.ndarray, train: TrainSettings) -> str:
    batches = training_batches(lengths, train, 1, 1, np.random.default_rng(0))
    return f"  {label:24} {padded_share(lengths, batches):7.1%} {len(shapes(batches)):7} {len(batches):7}"


def _prediction_line(label: str, lengths: np.ndarray, batches: Sequence[Batch]) -> str:
    return f"  {label:24} {padded_share(lengths, batches):7.1%} {len(shapes(batches)):7} {len(batches):7}"


def _random_share(lengths: np.ndarray, size: int) -> float:
    """Returns the padding of batches in random order, each padded to its longest row, over some epochs."""
    rng, places = np.random.default_rng(0), 0
    for _ in range(REPEATS):
        order = rng.permutation(lengths)
        places += sum(len(chunk) * chunk.max() for chunk in (order[i : i + size] for i in range(0, len(order), size)))
    return 1.0 - REPEATS * float(lengths.sum()) / places


if __name__ == "__main__":
    sys.exit(main())
