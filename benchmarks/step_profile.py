"""Where the time of a training step goes: kinds of work, slowest operations, waiting for input, Python.

    python -m benchmarks.step_profile sohu2021 [--rows 320] [--top 25] [-S model.backbone.preset=small ...]

Times are those of the operations, added up over threads that run at once; operations inside others are not counted
twice. Lengths are those of the raw files, as in `benchmarks.throughput`. On the TensorFlow backend every operation of
the graph is named; on JAX those of the compiled program, which the compiler has fused.
"""

import argparse
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.throughput import development_data, evenly, overridden
from shared.cli import run
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.training.batches import training_batches
from shared.training.hardware import configure

# The first pattern that an operation's name contains decides its kind.
KINDS = {
    "optimizer": r"adam|assign.*variable|global_norm|l2loss",
    "attention products": r"attention.*batchmatmul|batchmatmul|batch_dot",
    "matrix products": r"matmul|dot_general|\bdot|ynn|onednn",
    "embedding": r"token_embedding|unsortedsegmentsum|gather|resourcegather|scatter|one_hot|onehot",
    "dropout": r"dropout|random|bitcast",
    "normalization": r"norm|rsqrt",
    "attention, the rest": r"attention|softmax",
    "activation": r"ffn|erf|gelu|exp",
    "crf": r"crf|while|scan",
}
_NOT_WORK = re.compile(r"^(Executor|Eager|KernelAndDevice|__|\$|ThreadpoolListener|end: |PjitFunction|Thunk|XLA|PjRt)")


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.step_profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--raw", type=Path, help="folder of official files")
    parser.add_argument("--rows", type=int, default=320, help="training rows, drawn evenly by length")
    parser.add_argument("--top", type=int, default=25, help="operations to list")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="another value, as in dvc exp run")
    arguments = parser.parse_args(argv)
    task = load_task(arguments.name)
    settings = overridden(load_settings(arguments.name, task.settings), task, arguments.S)
    raw = arguments.raw or development_data(arguments.name) or raw_folders()[arguments.name]
    prepared = task.encode(task.read(raw, settings.data), settings)

    machine = configure(settings.hardware, settings.train.seed)
    from shared.training.epoch import Meter, train_epoch  # these import Keras, which is configured now
    from shared.training.fit import engine_for

    network = task.build(settings, prepared.vocabulary, prepared.labels)
    feed = task.feed(evenly(prepared.splits["train"], arguments.rows), settings, prepared.labels)
    engine = engine_for(network, task.loss(settings), feed, settings, machine)
    batches = training_batches(feed.lengths, settings.train, machine.distribution.replicas, 1, np.random.default_rng(0))

    def epoch() -> Meter:
        meter = Meter()
        train_epoch(engine, feed, batches, [0], "", show=False, meter=meter)
        return meter

    first = epoch()
    plain = epoch()
    with tempfile.TemporaryDirectory() as folder:
        _start(machine.backend, folder)
        started = time.perf_counter()
        epoch()
        seconds = time.perf_counter() - started
        _stop(machine.backend)
        operations = Counter[str]()
        for name, nanoseconds in _events(Path(folder)):
            operations[name] += nanoseconds
    total = sum(operations.values())
    print(f"{raw}: {len(batches)} steps; {machine}; {network.count_params():,} weights")
    print(f"first step {first.first_step_s:.1f} s, {engine.compilations} compiled; {plain.line()}")
    print(f"profiled: {seconds:.2f} s, of which operations {total / 1e9:.2f} s, added up over threads")
    kinds = Counter[str]()
    for name, nanoseconds in operations.items():
        kinds[_kind(name)] += nanoseconds
    for name, nanoseconds in kinds.most_common():
        print(f"  {nanoseconds / total:6.1%} {nanoseconds / 1e9 / len(batches) * 1e3:8.2f} ms a step  {name}")
    print("slowest operations:")
    for name, nanoseconds in operations.most_common(arguments.top):
        print(f"  {nanoseconds / total:6.1%} {nanoseconds / 1e9 / len(batches) * 1e3:8.2f} ms a step  {name[-110:]}")


def _start(backend: str, folder: str) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        tf.profiler.experimental.start(folder)
    else:
        import jax

        jax.profiler.start_trace(folder)


def _stop(backend: str) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        tf.profiler.experimental.stop()
    else:
        import jax

        jax.profiler.stop_trace()


def _events(folder: Path) -> Iterator[tuple[str, float]]:
    """Yields operations and their nanoseconds; numbers in names are dropped, so that equal layers add up."""
    from jax.profiler import ProfileData

    for file in folder.rglob("*.xplane.pb"):
        for plane in ProfileData.from_file(str(file)).planes:
            for line in plane.lines:
                for event in line.events:
                    name = event.name.lstrip()
                    if _NOT_WORK.match(name) or "python" in line.name.lower():
                        continue
                    if ":" in name or plane.name.startswith(("/device", "/host:CPU")):
                        yield re.sub(r"[._]\d+(?=[/:.]|$)", "", name), event.duration_ns


def _kind(name: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, name.lower())), "other")


if __name__ == "__main__":
    sys.exit(main())
