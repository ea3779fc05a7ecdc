"""This project against transformers and torch: the same rows, in turn, in one run; rates and ratios with their spread.

    python -m benchmarks.peer sohu2021 --preset small --peer-python ~/torch-env/bin/python

The peer is an encoder of the same size with the competition's head, as a competent user of transformers 5 writes it:
BertModel with sdpa attention, AdamW in its fastest kind, clipping, autocast for bfloat16, an allocator that keeps its
memory; for events with a softmax and with a CRF. It trains on random batches padded to their longest row (`own`) and on
our bucketed batches (`ours`), and predicts the whole file by rising length. Rows are synthetic, of real lengths, cut
and batched as the published baselines do. Every way has its own process, bound to --threads cores; the processes work
in turn, one at a time, each way once in every repeat. Ratios compare the repeats that ran after one another: read them
rather than the rates. Ours and the peer both run in each precision that is asked for; all are held in memory at once,
so give the base preset one precision and one phase at a time.
"""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.ours import PRECISIONS, PRESETS, VOCABULARY_SIZE, Case
from benchmarks.peers.problem import random_batches, unit_lengths, write_problem
from benchmarks.peers.process import WorkerProcess, environment
from benchmarks.peers.ratios import Spread, best, rates, speedups
from shared.cli import run
from shared.errors import UserError
from shared.files import write_json
from shared.training.batches import Batch, Planned, padded_share
from shared.training.prediction_batches import planned_batches

WORKER = Path(__file__).parent / "peers" / "transformers_worker.py"
PHASES = ("train", "predict")
PLANS = {"own": "own batches", "ours": "our batches", "": ""}


@dataclass
class Way:
    """One way to do the work: a worker and the order it gets each repeat.

    seconds: what the repeats took. waited: share of it that the device had no input. gib: peak memory of the worker.
    """

    name: str
    worker: WorkerProcess
    order: dict[str, str]
    seconds: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    gib: float = 0.0

    def repeat(self) -> None:
        """Does the work once more."""
        answer = self.worker.ask(**self.order)
        self.seconds.append(answer["seconds"])
        self.gib = answer["gib"]
        self.waited.append(answer.get("waited", 0.0))


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    arguments = _parser().parse_args(argv)
    if not shutil.which(arguments.peer_python):
        raise UserError(
            f"--peer-python: no interpreter at {arguments.peer_python}. Make one apart from this project's: "
            "python -m venv ~/torch-env && ~/torch-env/bin/pip install numpy torch transformers"
        )
    case = Case(
        arguments.name,
        arguments.rows,
        arguments.preset,
        overrides=tuple(arguments.S),
        vocabulary_size=arguments.vocabulary,
    )
    results = {phase: _measured(case, phase, arguments) for phase in arguments.phase}
    if arguments.json:
        write_json(arguments.json, {"case": vars(arguments) | {"json": str(arguments.json)}, "seconds": results})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="competition")
    parser.add_argument("--peer-python", required=True, metavar="PATH", help="interpreter that has torch, transformers")
    parser.add_argument("--preset", default="small", choices=PRESETS, help="size of both encoders (default: small)")
    parser.add_argument(
        "--precision", nargs="+", default=list(PRECISIONS), choices=PRECISIONS, help="one or more (default: both)"
    )
    parser.add_argument("--phase", nargs="+", default=list(PHASES), choices=PHASES, help="(default: both)")
    parser.add_argument("--rows", type=int, default=640, help="rows an epoch and in the predicted file (default: 640)")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns of every way (default: 5)")
    parser.add_argument("--threads", type=int, default=2, help="cores and threads of each worker (default: 2)")
    parser.add_argument(
        "--heads",
        nargs="+",
        choices=("softmax", "crf"),
        default=["softmax", "crf"],
        help="of the peer, for events only",
    )
    parser.add_argument("--peer-batch", type=int, help="rows the peer predicts at once (default: as many as ours)")
    parser.add_argument("--plain-allocator", action="store_true", help="the peer runs with glibc's usual settings")
    parser.add_argument("--vocabulary", type=int, default=VOCABULARY_SIZE, help=f"tokens (default: {VOCABULARY_SIZE})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the seconds of all repeats there")
    parser.add_argument("-S", action="append", default=[], metavar="KEY=VALUE", help="of ours, as in dvc exp run")
    return parser


def _measured(case: Case, phase: str, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Prints the table of a phase and returns the seconds of each way."""
    lengths = unit_lengths(case, phase)
    settings = case.settings
    batches: dict[str, Sequence[Batch | Planned]] = {"our": planned_batches(lengths, settings)}
    if phase == "train":
        own = random_batches(lengths, settings.train.batch_size, case.seed)
        batches = {"our": case.batches(), "the peer's own": own}
    padding = ", ".join(f"{padded_share(lengths, plan):.0%} in {name}" for name, plan in batches.items())
    print(
        f"\n{case.name} {case.preset}, {phase}: {case.rows} rows, {lengths.mean():.0f} tokens each on average, "
        f"{len(batches['our'])} batches, padding {padding} batches; {arguments.threads} threads; "
        f"{' '.join(case.overrides)}".rstrip("; "),
        flush=True,
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = [
            way
            for precision in arguments.precision
            for way in _ways(replace(case, precision=precision), phase, arguments, folder / precision, stack)
        ]
        for _ in range(arguments.repeats):
            for way in ways:
                way.repeat()
    _print_table(ways, case.rows, float(lengths.sum()))
    return {way.name: way.seconds for way in ways}


def _ways(
    case: Case, phase: str, arguments: argparse.Namespace, folder: Path, stack: contextlib.ExitStack
) -> list[Way]:
    """Starts the workers of a precision, ours and the peer's, and warms each of them up; ours comes first."""
    folder.mkdir()
    threads = arguments.threads
    description = json.dumps({"marked": phase == "predict", "case": asdict(case)})
    command = [sys.executable, "-m", "benchmarks.peers.our_worker", description]
    ours = stack.enter_context(WorkerProcess("ours", command, threads, environment(threads), folder / "ours.log"))
    predict_batch_size = arguments.peer_batch or case.settings.hardware.predict_batch_size
    write_problem(folder, case, phase, threads, predict_batch_size)
    variables = environment(threads, allocator=not arguments.plain_allocator)
    command = [arguments.peer_python, str(WORKER), str(folder)]
    peer = stack.enter_context(WorkerProcess("the peer", command, threads, variables, folder / "peer.log"))

    do = {"do": phase}
    ways = [Way(f"ours {case.precision}", ours, do)]
    for head in arguments.heads if case.name == "lic2020_ee" else [""]:
        for plan in ("own", "ours") if phase == "train" else ("",):
            name = " ".join(filter(None, ["peer", case.precision, head, PLANS[plan]]))
            ways.append(Way(name, peer, do | {"head": head, "plan": plan}))
    for way in ways:
        _warm_up(way, phase)
    return ways


def _warm_up(way: Way, phase: str) -> None:
    if phase == "predict":
        way.worker.ask(**way.order)
        return
    answer: dict[str, Any] = way.worker.ask(**way.order | {"do": "warm"})
    notes = []
    if "first_step" in answer:
        notes.append(f"first step after {answer['first_step']:.1f} s")
    if "compilations" in answer:
        notes.append(f"{answer['compilations']} compilations")
    if "optimizer" in answer:
        notes.append(f"fastest AdamW: {answer['optimizer']}")
    if notes:
        print(f"{way.name}: {', '.join(notes)}", flush=True)


def _print_table(ways: Sequence[Way], rows: int, tokens: float) -> None:
    """Prints the rates of each way and how many times faster ours is, in each precision."""
    ours = [way for way in ways if way.name.startswith("ours")]
    columns = "".join(f"{one.name + ' is faster by':>34}" for one in ours)
    print(f"{'':38}{'rows/s':>24}{'tokens/s':>28}{'GiB':>6}{columns}")
    for way in ways:
        faster = "" if way in ours else "".join(f"{speedups(one.seconds, way.seconds).text(2):>34}" for one in ours)
        rate, token_rate = rates(rows, way.seconds).text(), rates(tokens, way.seconds).text(0)
        print(f"{way.name:38}{rate:>24}{token_rate:>28}{way.gib:6.1f}{faster}")
    for way in ours:
        if any(way.waited):
            waited = Spread.of([100 * share for share in way.waited])
            print(f"{way.name} waited for input {waited.text(2)} % of the time")
    _print_best(ways)


def _print_best(ways: Sequence[Way]) -> None:
    """Compares the fastest of ours with the fastest of each kind of the peer, whatever their precision."""
    seconds = {way.name: way.seconds for way in ways}
    mine = best({name: one for name, one in seconds.items() if name.startswith("ours")})
    kinds: dict[str, dict[str, Sequence[float]]] = {}
    for name, one in seconds.items():
        if name.startswith("peer"):
            kinds.setdefault(" ".join(name.split()[2:]) or "peer", {})[name] = one
    for group in kinds.values():
        theirs = best(group)
        print(f"{mine} / {theirs}: {speedups(seconds[mine], seconds[theirs]).text(2)}")


if __name__ == "__main__":
    sys.exit(main())
