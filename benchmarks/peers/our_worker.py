"""Trains and predicts with this project, on orders from standard input; the other end is `WorkerProcess`.

    python -m benchmarks.peers.our_worker '{"marked": false, "case": {"name": "sohu2021", "rows": 64}}'

Orders and answers are JSON, a line each; every answer has `seconds`, `gib`: the peak of the memory, and `rss`: what is
held of it now, GiB.
    {"do": "warm"}: a step of every shape -> first_step: seconds until the first is done; compilations
    {"do": "train"}: an epoch -> loss: its mean; waited: share of the time, for input
    {"do": "steps", "width": 256, "steps": 5}: steps of that width, on the rows that fit -> the same
    {"do": "predict"}: answers to all rows -> found: items
    {"do": "rate", "precision": "bfloat16"}: large matrix products -> flops: a second
    {"do": "work"} -> useful, padded: FLOPs of the matrix products in an epoch, without and with padding
    {"do": "facts"} -> hardware; weights: their number
"""

import json
import os
import sys
import time
from typing import Any

from benchmarks.ours import Case, Ours
from benchmarks.throughput import peak_gib


def main() -> None:
    """Answers orders until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    description = json.loads(sys.argv[1])
    case = description["case"]
    ours = Ours.of(Case(**case | {"overrides": tuple(case.get("overrides", ()))}), marked=description["marked"])
    for line in sys.stdin:
        started = time.perf_counter()
        answer = _obey(ours, **json.loads(line))
        memory = {"gib": peak_gib(), "rss": _resident_gib()}
        print(json.dumps({"seconds": time.perf_counter() - started} | memory | answer), file=answers)


def _obey(ours: Ours, do: str, **order: Any) -> dict[str, Any]:
    started = time.perf_counter()
    match do:
        case "warm":
            ours.train(ours.one_of_each_shape()[:1])
            first_step = time.perf_counter() - started
            ours.train(ours.one_of_each_shape())
            return {"first_step": first_step, "compilations": ours.engine.compilations}
        case "train":
            return ours.train(ours.batches)
        case "steps":
            return ours.train(ours.of_width(order["width"], order["steps"]))
        case "predict":
            found = ours.predict()
            return {"found": sum(map(len, found.get("triples", found.get("events", []))))}
        case "rate":
            return {"flops": ours.matrix_rate(order["precision"])}
        case "work":
            return dict(zip(("useful", "padded"), ours.work(), strict=True))
        case "facts":
            return {"hardware": str(ours.machine), "weights": ours.network.count_params()}
    raise ValueError(f"unknown order {do!r}")


def _resident_gib() -> float:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30
    except OSError:  # no Linux
        return peak_gib()


if __name__ == "__main__":
    main()
