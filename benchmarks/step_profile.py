"""Where the time of a step of training or of prediction goes: kinds of work, slowest operations, waiting for input.

    python -m benchmarks.step_profile sohu2021 [--phase predict] [--rows 320] [-S model.backbone.preset=small ...]

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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.real_rows import RealRows, add_arguments
from shared.cli import run
from shared.errors import UserError
from shared.training.prediction_batches import planned_batches

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
    add_arguments(parser, rows=320)
    parser.add_argument("--phase", default="train", choices=("train", "predict"), help="(default: train)")
    parser.add_argument("--top", type=int, default=25, help="operations to list")
    arguments = parser.parse_args(argv)
    try:
        from jax.profiler import ProfileData  # reads what TensorFlow's profiler writes, too
    except ImportError as error:
        raise UserError(f"JAX reads the profiles of both backends: {error}. Install jax 0.8 or later.") from None
    real = RealRows.of(arguments)
    predicts = arguments.phase == "predict"
    work: Callable[[], Any] = real.predict if predicts else real.train
    first, plain = work(), work()
    with tempfile.TemporaryDirectory() as folder:
        _start(real.machine.backend, folder)
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        _stop(real.machine.backend)
        operations = Counter[str]()
        for name, nanoseconds in _events(Path(folder), ProfileData.from_file):
            operations[name] += nanoseconds
    total = sum(operations.values())
    steps = len(real.batches)
    if predicts:
        steps = len(planned_batches(real.feed.lengths, real.settings))
    print(f"{real.raw}: {steps} steps; {real.machine}; {real.network.count_params():,} weights")
    if not predicts:
        print(f"first step {first.first_step_s:.1f} s, {real.engine.compilations} compiled; {plain.line()}")
    print(f"profiled: {seconds:.2f} s, of which operations {total / 1e9:.2f} s, added up over threads")
    kinds = Counter[str]()
    for name, nanoseconds in operations.items():
        kinds[_kind(name)] += nanoseconds
    for name, nanoseconds in kinds.most_common():
        print(f"  {nanoseconds / total:6.1%} {nanoseconds / 1e9 / steps * 1e3:8.2f} ms a step  {name}")
    print("slowest operations:")
    for name, nanoseconds in operations.most_common(arguments.top):
        print(f"  {nanoseconds / total:6.1%} {nanoseconds / 1e9 / steps * 1e3:8.2f} ms a step  {name[-110:]}")


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


def _events(folder: Path, read: Callable[[str], Any]) -> Iterator[tuple[str, int]]:
    """Yields operations and their nanoseconds; numbers in names are dropped, so that equal layers add up."""
    for file in folder.rglob("*.xplane.pb"):
        for plane in read(str(file)).planes:
            for line in plane.lines:
                for event in line.events:
                    name = event.name.lstrip()
                    if _NOT_WORK.match(name) or "python" in line.name.lower():
                        continue
                    if ":" in name or plane.name.startswith(("/device", "/host:CPU")):
                        yield re.sub(r"[._]\d+(?=[/:.]|$)", "", name), int(event.duration_ns)


def _kind(name: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, name.lower())), "other")


if __name__ == "__main__":
    sys.exit(main())
