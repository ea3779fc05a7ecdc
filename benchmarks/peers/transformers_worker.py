"""Trains and predicts with transformers and torch, on orders from standard input.

    python transformers_worker.py FOLDER

FOLDER is what `benchmarks.peers.problem` wrote. Orders and answers are JSON, a line each:
    {"do": "warm", "head": "softmax", "plan": "own"}     -> {"seconds": of its first step, "optimizer": the fastest}
    {"do": "train", "head": "softmax", "plan": "own"}    -> {"seconds": of one epoch, "loss": mean, "gib": peak memory}
    {"do": "predict", "head": "softmax"}                 -> {"seconds": of the whole file, "found": items, "gib": ...}
Runs in an interpreter of its own: nothing of this project is imported but its two neighbours.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch_models import Batch, Model, build, padded

OPTIMIZERS = ({"fused": True}, {"foreach": True}, {"foreach": False})


class Worker:
    """The models made so far, by head, and their optimizers."""

    def __init__(self, folder: Path):
        self.problem = json.loads((folder / "problem.json").read_text("utf-8"))
        with np.load(folder / "data.npz") as file:
            self.data = dict(file)
        torch.set_num_threads(self.problem["threads"])
        torch.manual_seed(0)
        self.bfloat16 = self.problem["precision"] == "bfloat16"
        self.models: dict[str, Model] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {}

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        """Returns the answer to an order."""
        head = order["head"]
        if head not in self.models:
            self.models[head] = build(self.problem, self.data, head)
        model = self.models[head]
        if order["do"] == "predict":
            answer = self.predict(model)
        else:
            batches = [(np.array(rows), width) for rows, width in self.problem["plans"][order["plan"]]]
            answer = (self.warm if order["do"] == "warm" else self.train)(model, head, batches)
        return answer | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}

    def warm(self, model: Model, head: str, batches: list) -> dict[str, Any]:
        """Takes steps on the three widest batches and, the first time, chooses the fastest kind of AdamW."""
        answer, widest = {}, sorted(batches, key=lambda batch: -batch[1])[:3]
        if head not in self.optimizers:
            started = time.perf_counter()
            self._backward(model, self._batch(model, *widest[0], train=True))
            answer["seconds"] = time.perf_counter() - started
            timed = {json.dumps(kind): self._step_seconds(model, kind) for kind in OPTIMIZERS}
            chosen = min(timed, key=lambda kind: timed[kind])
            self.optimizers[head] = _optimizer(model, json.loads(chosen))
            answer["optimizer"] = chosen
        self.train(model, head, widest)
        return answer

    def train(self, model: Model, head: str, batches: list) -> dict[str, Any]:
        """Takes a step for each batch."""
        optimizer, total = self.optimizers[head], 0.0
        model.train()
        started = time.perf_counter()
        for rows, width in batches:
            loss = self._backward(model, self._batch(model, rows, width, train=True))
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            total += float(loss.detach())
        return {"seconds": time.perf_counter() - started, "loss": total / len(batches)}

    def predict(self, model: Model) -> dict[str, Any]:
        """Answers all rows, in batches by rising length."""
        model.eval()
        if self.bfloat16:
            model.bfloat16()  # autocast would cast the weights anew in each batch
        lengths, size, found = np.diff(self.data["offsets"]), self.problem["predict_batch_size"], 0
        started = time.perf_counter()
        order = np.argsort(lengths, kind="stable")
        with torch.inference_mode():
            for first in range(0, len(order), size):
                rows = order[first : first + size]
                found += model.answers(self._batch(model, rows, int(lengths[rows].max()), train=False))
        return {"seconds": time.perf_counter() - started, "found": found}

    def _batch(self, model: Model, rows: np.ndarray, width: int, *, train: bool) -> Batch:
        offsets = self.data["offsets"]
        tokens, segments = (
            torch.from_numpy(padded(self.data[name], offsets, rows, width)) for name in ("token_ids", "segment_ids")
        )
        batch = {"rows": rows, "token_ids": tokens, "segment_ids": segments, "mask": tokens != 0}
        return batch | (model.targets(rows, width) if train else {})

    def _backward(self, model: Model, batch: Batch) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.bfloat16):
            loss = model.loss(batch)
        loss.backward()
        return loss

    def _step_seconds(self, model: Model, kind: dict[str, bool]) -> float:
        """Returns the time of an optimizer step of this kind, the best of three after the first."""
        optimizer, seconds = _optimizer(model, kind), []
        for _ in range(4):
            started = time.perf_counter()
            optimizer.step()
            seconds.append(time.perf_counter() - started)
        return min(seconds[1:])


def _optimizer(model: Model, kind: dict[str, bool]) -> torch.optim.Optimizer:
    decayed = [weight for weight in model.parameters() if weight.dim() > 1]
    others = [weight for weight in model.parameters() if weight.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-5, eps=1e-6, **kind)


def main() -> None:
    """Answers orders until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    worker = Worker(Path(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(worker.obey(json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
