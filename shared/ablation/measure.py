"""What a training takes: time of a step and peak memory, of a process that does nothing else."""

import contextlib
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.training.batch import Batch
from shared.training.engine import Engine
from shared.training.hardware import Hardware


@dataclass
class Pass:
    """An epoch as far as this process trained it. started: at each call of the device, seconds."""

    started: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)  # of each call
    rows: list[int] = field(default_factory=list)  # of each call
    ended: float = 0.0

    def speed(self, skip: int = 0) -> dict[str, float]:
        """Returns seconds_per_step and rows_per_s, without the first calls."""
        seconds = max(self.ended - self.started[skip], 1e-9)
        return {"seconds_per_step": seconds / sum(self.steps[skip:]), "rows_per_s": sum(self.rows[skip:]) / seconds}


class Stopwatch:
    """Times the epochs of an engine: from the first step of each, when its batch is there, to `epoch_ends`.

    The first epoch compiles a step for each shape; so the speed is the median over the later ones, and with a single
    epoch that of its second half.
    """

    def __init__(self, engine: Engine):
        self._run, self.passes = engine.run, [Pass()]
        engine.run = self._timed  # type: ignore[method-assign]

    def _timed(self, batches: Sequence[Batch]) -> dict[str, Any]:
        current = self.passes[-1]
        current.started.append(time.perf_counter())
        current.steps.append(len(batches))
        current.rows.append(sum(int(batch.weight.sum()) for batch in batches))
        return self._run(batches)

    def epoch_ends(self) -> None:
        """To be called when all steps of an epoch are done."""
        if self.passes[-1].started:
            self.passes[-1].ended = time.perf_counter()
            self.passes.append(Pass())

    def speed(self) -> dict[str, float] | None:
        """Returns seconds_per_step and rows_per_s; None if no epoch was trained here."""
        done = self.passes[:-1]
        if not done:
            return None
        if len(done) == 1:
            return done[0].speed(skip=len(done[0].started) // 2)
        found = [one.speed() for one in done[1:]]
        return {name: statistics.median(one[name] for one in found) for name in found[0]}


class MemoryMeter:
    """Peak memory from now on, in bytes: on a CPU what the process grew by, elsewhere what the device held at most."""

    def __init__(self, machine: Hardware):
        self._machine = machine
        self._before = _resident()
        if self._before:
            with contextlib.suppress(OSError):  # not allowed everywhere; the peak then is that of the whole process
                Path("/proc/self/clear_refs").write_text("5")  # the kernel forgets the peak so far

    def peak(self) -> dict[str, Any]:
        """Returns `bytes` and `of`: process or device."""
        if self._machine.accelerator == "cpu":
            return {"bytes": max(0, _peak() - self._before), "of": "process"}
        return {"bytes": _device_peak(self._machine.backend), "of": "device"}


def _device_peak(backend: str) -> int:
    if backend == "tensorflow":
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    import jax

    return int((jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0))


def _resident() -> int:
    """Returns what the process holds now, 0 where /proc does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
