"""Runs what is missing of a plan, each run in a process of its own, and tells how far it is."""

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from shared.ablation.plan import Plan
from shared.ablation.record import LOG, METRICS, REQUEST, ROWS, Origin, Record, load_record, why_run
from shared.ablation.versions import ABLATIONS, code_version, prepare_params, prepared_folder
from shared.ablation.worker import FAILURE
from shared.errors import UserError
from shared.files import read_json, sha256_folder, write_json
from shared.training.provenance import ROOT

Say = Callable[[str], None]
STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM)  # exit statuses


@dataclass(frozen=True)
class Run:
    """One trial with one seed."""

    trial: str
    seed: int
    folder: Path
    settings: Any

    @property
    def label(self) -> str:
        """Names it to the user."""
        return f"{self.trial} seed {self.seed}"


class Stopped(UserError):
    """The user ended the plan; finished runs stay, the one at work goes on from its state next time."""

    status = 130


@dataclass
class Processes:
    """The processes at work, to be ended with this one."""

    running: set[subprocess.Popen] = field(default_factory=set)
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, what: str, folder: Path, hear: Say) -> int:
        """Runs the worker on a folder, hands each line of its output to `hear`, and returns its exit status."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        environment = os.environ | {"PYTHONPATH": path, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
        command = [sys.executable, "-m", "shared.ablation.worker", what, str(folder)]
        with (folder / LOG).open("w", encoding="utf-8") as log:
            with self.lock:
                if self.stopped:
                    return STOPPED[0]
                process = subprocess.Popen(
                    command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8"
                )
                self.running.add(process)
            try:
                for line in process.stdout or ():
                    log.write(line)
                    log.flush()
                    hear(line.rstrip())
                return process.wait()
            finally:
                with self.lock:
                    self.running.discard(process)

    def stop(self) -> None:
        """Asks all to save their state and end."""
        with self.lock:
            self.stopped = True
            for process in self.running:
                process.terminate()

    @contextlib.contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """While active, Ctrl-C and SIGTERM end the processes first."""

        def note(number: int, frame: Any) -> None:
            self.stop()

        before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def runs_of(plan: Plan, trials: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    """Returns the runs: all trials with the first seed, then with the next, so that half a plan tells something."""
    folder = ABLATIONS / plan.name
    return [
        Run(name, seed, folder / name / f"seed-{seed}", plan.trials[name].with_seed(seed))
        for seed in seeds
        for name in trials
    ]


def run_plan(
    plan: Plan,
    runs: Sequence[Run],
    jobs: int = 1,
    *,
    any_code: bool = False,
    retry: bool = False,
    say: Say = tqdm.write,
) -> int:
    """Runs those whose result is not there, and returns how many there were.

    Args: jobs: runs side by side, each on its share of the CPUs; on a GPU their times and memory do not compare with
    those of a run alone. any_code, retry: see `why_run`.
    Raises: Stopped; UserError if the data cannot be prepared. A run that fails is recorded, not raised.
    """
    code, processes = code_version(plan.task.name), Processes()
    with processes.ended_by_signals():
        raw = sha256_folder(plan.raw)
        arrays = _prepare_all(plan, runs, raw, code, processes, say)
        todo = []
        for one in runs:
            prepared, data, problem = arrays[one.label]
            origin = Origin(one.settings.model_dump(mode="json"), raw, data, code)
            if problem:
                say(f"{one.label}: failed: {problem}")
                _fail(plan, one, origin, problem, {"jobs": jobs})
                continue
            reason = why_run(
                one.folder, origin, plan.measure, settings=type(one.settings), any_code=any_code, retry=retry
            )
            if reason:
                say(f"{one.label}: {reason}")
                todo.append((one, prepared, origin))
        there = len(runs) - len(todo)
        say(f"{plan.name}: {len(todo)} runs to do, {there} of {len(runs)} there already")
        started, shares = time.monotonic(), shares_of_cpus(jobs)
        with ThreadPoolExecutor(jobs) as pool:
            waiting = [pool.submit(_run, plan, *one, jobs, shares, processes, say) for one in todo]
            for done, future in enumerate(as_completed(waiting), start=1):
                result = future.result()
                if result and not processes.stopped:
                    each = (time.monotonic() - started) / done
                    left = len(todo) - done
                    rate = f"{60 / each:.2g} runs a minute, {left} left, about {_duration(left * each)}"
                    say(f"[trial {there + done} of {len(runs)}] {result} ({rate})")
    if processes.stopped:
        raise Stopped("stopped; the same command goes on with what is missing.")
    return len(todo)


def _run(
    plan: Plan,
    one: Run,
    prepared: Path,
    origin: Origin,
    jobs: int,
    shares: "queue.SimpleQueue[list[int]]",
    processes: Processes,
    say: Say,
) -> str | None:
    """Does one run on a share of the CPUs and returns a line on it; None if it was stopped."""
    one.folder.mkdir(parents=True, exist_ok=True)
    for name in (METRICS, ROWS, FAILURE):
        (one.folder / name).unlink(missing_ok=True)
    for state in (one.folder / "checkpoints").glob("*"):
        if state.name != origin.fingerprint:
            shutil.rmtree(state, ignore_errors=True)
    started, cpus = time.monotonic(), shares.get()
    try:
        request = {
            "competition": plan.task.name,
            "trial": one.trial,
            "measure": plan.measure,
            "prepared": str(prepared),
            "jobs": jobs,
            "cpus": cpus,
            "origin": asdict(origin),
        }
        write_json(one.folder / REQUEST, request)
        status = processes.call("train", one.folder, lambda line: say(f"  {one.label}: {line}"))
    finally:
        shares.put(cpus)
    if processes.stopped or status in STOPPED:
        return None if processes.stopped else f"{one.label}: stopped from outside (exit status {status})"
    seconds = time.monotonic() - started
    if status == 0:
        record = load_record(one.folder)
        rate = f", {record.cost['rows_per_s']:.1f} rows/s" if "rows_per_s" in record.cost else ""
        best = f"{plan.measure} {record.score:.4f} in epoch {record.best_epoch}"
        return f"{one.label}: {best}{rate}, {_duration(seconds)}"
    reason = _reason(one.folder, status)
    _fail(plan, one, origin, reason, {"seconds": seconds, "jobs": jobs})
    return f"{one.label}: failed: {reason}"


def shares_of_cpus(jobs: int) -> "queue.SimpleQueue[list[int]]":
    """Returns a share of this process's CPUs for each run side by side, so that they do not share cores.

    Shares are empty, which means all CPUs, for one run, for fewer CPUs than runs, and where processes cannot be bound.
    """
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    each = len(cpus) // jobs if jobs > 1 else 0
    shares: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for job in range(jobs):
        shares.put(cpus[job * each : (job + 1) * each])
    return shares


def _fail(plan: Plan, one: Run, origin: Origin, reason: str, cost: dict[str, Any]) -> None:
    """Records a failure in place of a result."""
    one.folder.mkdir(parents=True, exist_ok=True)
    Record(plan.task.name, one.trial, one.seed, plan.measure, origin, cost, failed=reason).save(one.folder)
    shutil.rmtree(one.folder / "checkpoints", ignore_errors=True)


def _prepare_all(
    plan: Plan, runs: Sequence[Run], raw: str, code: str, processes: Processes, say: Say
) -> dict[str, tuple[Path, str, str | None]]:
    """Returns for each run the folder of its arrays, their checksum, and why they could not be made, if so.

    Runs with equal data settings share a folder.
    """
    params = prepare_params()
    found: dict[str, tuple[Path, str, str | None]] = {}
    known: dict[Path, tuple[Path, str, str | None]] = {}
    for one in runs:
        settings = one.settings.model_dump(mode="json")
        folder = prepared_folder(plan.task.name, settings, raw, code, params)
        if folder not in known:
            problem = None
            if not folder.exists():
                say(f"preparing the data of {one.trial}")
                problem = _prepare(plan, folder, settings, processes)
            known[folder] = (folder, "" if problem else sha256_folder(folder), problem)
        found[one.label] = known[folder]
    return found


def _prepare(plan: Plan, folder: Path, settings: dict[str, Any], processes: Processes) -> str | None:
    """Makes the arrays; returns why they could not be made, if so."""
    work = folder.with_name(f"{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    request = {"competition": plan.task.name, "raw": str(plan.raw), "settings": settings, "prepared": str(folder)}
    write_json(work / REQUEST, request)
    status = processes.call("prepare", work, lambda line: None)
    if processes.stopped or status in STOPPED:
        raise Stopped("stopped while preparing the data; the same command begins with that again.")
    problem = f"its data could not be prepared: {_reason(work, status)}" if status else None
    shutil.rmtree(work)
    return problem


def _reason(folder: Path, status: int) -> str:
    """Returns why a worker failed."""
    if (folder / FAILURE).exists():
        return str(read_json(folder / FAILURE)["reason"])
    if status < 0:
        name = signal.Signals(-status).name
        more = "; the system does so when memory runs out" if status == -signal.SIGKILL else ""
        return f"killed by {name}{more}"
    lines = (folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
    return f"exit status {status}: {last[:500]}"


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
