"""A case as files that another framework's worker can read: problem.json and data.npz."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ours import Case
from competitions.lic2020_ee.labelling import SCHEMES, Roles
from competitions.lic2020_ee.span_labels import gold_of
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.files import write_json
from shared.training.batches import Batch


def random_batches(lengths: np.ndarray, batch_size: int, seed: int) -> list[Batch]:
    """Returns one epoch's batches of rows in random order, each as wide as its longest row, as a data loader makes."""
    order = np.random.default_rng(seed).permutation(len(lengths))
    chunks = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    return [(rows, int(lengths[rows].max())) for rows in chunks]


def unit_lengths(case: Case, phase: str) -> np.ndarray:
    """Returns the tokens of what is trained on or predicted: rows or, for reading, windows."""
    if phase == "predict" and case.name == "lic2020_mrc":
        return WindowedSplit(case.split, case.prepared.labels).lengths
    return case.feed.lengths


def write_problem(folder: Path, case: Case, phase: str, threads: int, predict_batch_size: int) -> None:
    """Writes what a worker needs to train (phase `train`) or predict (`predict`) this case."""
    settings, labels, lengths = case.settings, case.prepared.labels, unit_lengths(case, phase)
    backbone = settings.model.backbone
    sizes = backbone.sizes
    ours = [(one.rows, one.width) for one in case.batches()]
    plans = {"own": random_batches(lengths, settings.train.batch_size, case.seed), "ours": ours}
    problem: dict[str, Any] = {
        "name": case.name,
        "precision": case.precision,
        "threads": threads,
        "predict_batch_size": predict_batch_size,
        "sizes": {
            **{name: getattr(sizes, name) for name in ("num_layers", "hidden_dim", "num_heads", "ffn_dim")},
            "vocabulary": len(case.prepared.vocabulary),
            "longest": max(int(lengths.max()), *(width for _, width in ours)),
            "dropout": backbone.dropout,
            "attention_dropout": backbone.attention_dropout,
        },
        "plans": {
            name: [(rows.tolist(), width) for rows, width in plan] if phase == "train" else []
            for name, plan in plans.items()
        },
    }
    tokens, segments = _tokens(case, phase)
    data: dict[str, Any] = {
        "token_ids": np.concatenate(tokens).astype(np.int64),
        "segment_ids": np.concatenate(segments).astype(np.int64),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]),
    }
    if case.name == "sohu2021":
        data["label"] = case.split.dense("label").astype(np.int64)
    elif case.name == "lic2020_re":
        problem |= {"relations": len(labels["relations"]), "all_subjects": settings.train.subjects_per_step == "all"}
        spans = case.split.ragged("spans")
        data |= {"spans": spans.values, "span_offsets": spans.offsets}
    elif case.name == "lic2020_ee":
        problem["labels"] = 2 * len(labels["roles"]) + 1
        data["labels"] = _bio(case)
    else:
        problem["max_answer_length"] = settings.predict.max_answer_length
        rng = np.random.default_rng(case.seed)
        if phase == "train":
            targets = case.feed.batch(np.arange(len(lengths)), int(lengths.max()), rng)[1]
            data["places"] = np.stack([targets["start"], targets["end"]], axis=1).astype(np.int64)
    write_json(folder / "problem.json", problem)
    np.savez(folder / "data.npz", **data)


def _tokens(case: Case, phase: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns token and segment ids of all units."""
    if case.name == "lic2020_mrc":
        windowed = WindowedSplit(case.split, case.prepared.labels)
        feed: Any = case.feed  # a WindowFeed
        units = feed.units if phase == "train" else np.arange(len(windowed.lengths))
        inputs = windowed.inputs(units, int(windowed.lengths.max()))
        tokens, segments = (
            [row[:length] for row, length in zip(inputs[name], windowed.lengths[units], strict=True)]
            for name in ("token_ids", "segment_ids")
        )
        return tokens, segments
    fields = case.split.ragged("token_ids")
    tokens = [fields[row] for row in range(case.split.rows)]
    if "segment_ids" in case.split:
        fields = case.split.ragged("segment_ids")
        return tokens, [fields[row] for row in range(case.split.rows)]
    return tokens, [np.zeros(len(row), np.int64) for row in tokens]


def _bio(case: Case) -> np.ndarray:
    """Returns the published labels of all tokens, one sequence over all roles: (all tokens,) int64."""
    lengths, roles = case.feed.lengths, Roles.of(case.prepared.labels["roles"])
    rows, width = np.arange(case.split.rows), int(lengths.max())
    spans = gold_of(case.split, rows, roles, triggers=False).spans
    labels = SCHEMES["bio"].labels(spans, len(rows), width, roles)["labels"]
    return labels[np.arange(width) < lengths[:, None]].astype(np.int64)
