"""The finished runs of a plan, brought together by trial and set beside the baseline."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.ablation.plan import BASELINE, Plan
from shared.ablation.record import METRICS, Record, load_record
from shared.ablation.runner import Run
from shared.ablation.statistics import Difference, difference, resampled
from shared.errors import UserError


@dataclass
class TrialResult:
    """What the runs of a trial came to, by seed. missing: seeds without a result of these settings, with the reason."""

    name: str
    records: dict[int, Record] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)
    difference: Difference | None = None

    @property
    def scores(self) -> dict[int, float]:
        """The figure by seed."""
        return {seed: float(record.score) for seed, record in self.records.items() if record.score is not None}

    def cost(self, name: str) -> float | None:
        """Returns the median over seeds of a cost, None if no run has it; see `Record.cost`, and `memory_bytes`."""
        costs = [one.cost | {"memory_bytes": one.cost["memory"]["bytes"]} for one in self.records.values()]
        found = [float(cost[name]) for cost in costs if cost.get(name)]
        return statistics.median(found) if found else None


@dataclass(frozen=True)
class Results:
    """All trials of a plan, and what the reader of their table has to know."""

    plan: Plan
    trials: list[TrialResult]
    notes: list[str]

    @property
    def baseline(self) -> TrialResult:
        """The trial that the others are compared with."""
        return next(one for one in self.trials if one.name == BASELINE)


def collect(plan: Plan, runs: Sequence[Run]) -> Results:
    """Reads what there is of these runs and compares each trial with the baseline.

    Results of other settings than the plan's are left out, with a note; those of other data or code are not.
    """
    trials = {name: TrialResult(name) for name in dict.fromkeys(run.trial for run in runs)}
    trials.setdefault(BASELINE, TrialResult(BASELINE))
    shares: dict[tuple[str, int], np.ndarray] = {}
    for run in runs:
        trial = trials[run.trial]
        if not (run.folder / METRICS).exists():
            trial.missing[run.seed] = "not run yet"
            continue
        try:
            record = load_record(run.folder, type(run.settings))
        except UserError as error:
            trial.missing[run.seed] = str(error)
            continue
        if record.origin.settings != run.settings.model_dump(mode="json") or record.measure != plan.measure:
            trial.missing[run.seed] = "only a result of other settings"
        elif record.failed:
            trial.failed[run.seed] = record.failed
        else:
            trial.records[run.seed] = record
            rows = record.shares(run.folder)
            if rows is not None:
                shares[run.trial, run.seed] = rows
    notes = _compare(trials, shares)
    return Results(plan, list(trials.values()), notes + _notes(trials))


def _compare(trials: dict[str, TrialResult], shares: dict[tuple[str, int], np.ndarray]) -> list[str]:
    """Fills in the differences; returns notes on what could not be taken into account."""
    records = {(name, seed) for name, trial in trials.items() for seed in trial.records}
    same_rows = len({one.shape for one in shares.values()}) == 1
    by_rows = bool(shares) and same_rows and shares.keys() == records
    columns: dict[tuple[str, int], np.ndarray] = {}
    if by_rows:
        figures = resampled(list(shares.values()))
        columns = {key: figures[:, number] for number, key in enumerate(shares)}
    baseline = trials[BASELINE]
    for name, trial in trials.items():
        if name == BASELINE:
            continue
        mine, theirs = ({s: columns[n, s] for s in trials[n].records} if by_rows else None for n in (name, BASELINE))
        trial.difference = difference(trial.scores, baseline.scores, mine, theirs)
    if by_rows or not records:
        return []
    why = "the runs differ in their validation rows" if shares and not same_rows else "not every run tells of its rows"
    return [f"The intervals tell of the spread of seeds only: {why}."]


def _notes(trials: dict[str, TrialResult]) -> list[str]:
    records = [record for trial in trials.values() for record in trial.records.values()]
    notes = []
    if len({record.origin.raw for record in records}) > 1:
        notes.append(
            "The runs were made from different official files: their scores do not compare. Run the plan again."
        )
    for name, values in {
        "code": {record.origin.code for record in records},
        "machines": {record.cost["machine"] for record in records},
    }.items():
        if len(values) > 1:
            notes.append(
                f"The runs were made with {len(values)} versions of the {name}."
                if name == "code"
                else f"The runs were made on different machines ({'; '.join(sorted(values))}): compare no times."
            )
    if len({record.cost["jobs"] for record in records}) > 1:
        notes.append("The runs were made with different --jobs: compare no times.")
    return notes
