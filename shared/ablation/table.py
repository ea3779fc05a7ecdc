"""The table of a plan: scores, differences to the baseline, costs; as Markdown and as CSV."""

import statistics
from typing import Any

from shared.ablation.plan import BASELINE, Overrides
from shared.ablation.results import Results, TrialResult
from shared.ablation.statistics import LEVEL, RESAMPLES
from shared.dvc_options import options
from shared.markdown import table
from shared.settings import PARAMS
from shared.settings_document import read_yaml

Row = dict[str, Any]


def rows(results: Results) -> list[Row]:
    """Returns a row for each trial, floats in full; None where something is not known.

    Columns: trial, seeds (runs that count), mean, sd (over seeds, n - 1), min, max, difference, low, high, verdict,
    step_time, epoch_time and memory (as multiples of the baseline's), rows_per_s, predict_rows_per_s, memory_bytes,
    failed (runs), missing. step_time is the time of a training row, so that trials with other batch sizes compare.
    """
    return [_row(trial, results.baseline) for trial in results.trials]


def _row(trial: TrialResult, baseline: TrialResult) -> Row:
    scores, apart = list(trial.scores.values()), trial.difference
    speed, usual_speed = trial.cost("rows_per_s"), baseline.cost("rows_per_s")
    epoch, usual_epoch = _epoch(trial), _epoch(baseline)
    memory, usual_memory = trial.cost("memory_bytes"), baseline.cost("memory_bytes")
    return {
        "trial": trial.name,
        "seeds": len(scores),
        "mean": statistics.fmean(scores) if scores else None,
        "sd": statistics.stdev(scores) if len(scores) > 1 else None,
        "min": min(scores, default=None),
        "max": max(scores, default=None),
        "difference": apart and apart.mean,
        "low": apart and apart.low,
        "high": apart and apart.high,
        "verdict": apart.verdict if apart else None,
        "step_time": usual_speed / speed if speed and usual_speed else None,
        "epoch_time": epoch / usual_epoch if epoch and usual_epoch else None,
        "memory": memory / usual_memory if memory and usual_memory else None,
        "rows_per_s": speed,
        "predict_rows_per_s": trial.cost("predict_rows_per_s"),
        "memory_bytes": memory,
        "failed": len(trial.failed),
        "missing": len(trial.missing),
    }


def markdown(results: Results) -> str:
    """Returns the table with its reading, notes, failures and gaps."""
    header = ["trial", "seeds", "mean", "sd", "min .. max", "difference", f"{LEVEL:.0%} interval", "better?"]
    header += ["step time", "epoch time", "memory", "rows/s", "predict rows/s"]
    lines = []
    for row in rows(results):
        low_high = f"{row['low']:+.4f} .. {row['high']:+.4f}" if row["low"] is not None else "-"
        spread = f"{row['min']:.4f} .. {row['max']:.4f}" if row["seeds"] else "-"
        lines.append(
            [
                row["trial"],
                row["seeds"],
                _text(row["mean"], ".4f"),
                _text(row["sd"], ".4f"),
                spread,
                _text(row["difference"], "+.4f"),
                low_high,
                row["verdict"] or ("-" if row["trial"] != BASELINE else "(baseline)"),
                _text(row["step_time"], ".2f", " x"),
                _text(row["epoch_time"], ".2f", " x"),
                _text(row["memory"], ".2f", " x"),
                _text(row["rows_per_s"], ".1f"),
                _text(row["predict_rows_per_s"], ".1f"),
            ]
        )
    plan = results.plan
    parts = [table(f"{plan.name}: {plan.measure} of {plan.task.name}", header, lines), "", READING, *_list(results)]
    return "\n".join([*parts, "", *_settings(results)]) + "\n"


READING = f"""\
Difference: mean over the seeds that trial and baseline share. Interval: bootstrap, paired, {RESAMPLES} times, over the
validation rows and, with two seeds or more, over seeds. "not shown": 0 lies within it. Of twenty trials without any
effect one or so will look better or worse all the same. Step time: of a training row, behind the first epoch, as a
multiple of the baseline's; memory likewise: what training added to the process, on a GPU the most it held."""


def _list(results: Results) -> list[str]:
    lines = [f"- {note}" for note in results.notes]
    for trial in results.trials:
        reasons = {seed: f"failed: {reason}" for seed, reason in trial.failed.items()} | trial.missing
        for reason in dict.fromkeys(reasons.values()):
            seeds = ", ".join(str(seed) for seed, other in reasons.items() if other == reason)
            lines.append(f"- {trial.name} seed {seeds}: {reason}")
    return ["", *lines] if lines else []


def _settings(results: Results) -> list[str]:
    """Returns a line for each trial with what it sets, as `dvc exp run` takes it."""
    plan, params = results.plan, read_yaml(PARAMS).value

    def line(name: str, overrides: Overrides) -> str:
        said = options({(plan.task.name, *place): value for place, value in overrides.items()}, params)
        return f"- {name}: `{' '.join(said)}`" if said else f"- {name}: as in params.yaml"

    return ["What each trial sets, beside what all of them set:", "", line("(all)", plan.base)] + [
        line(one.name, plan.trials[one.name].overrides) for one in results.trials if one.name != BASELINE
    ]


def _epoch(trial: TrialResult) -> float | None:
    """Returns the seconds of an epoch's steps, which a trial with more rows takes more of."""
    rows, speed = trial.cost("rows_an_epoch"), trial.cost("rows_per_s")
    return rows / speed if rows and speed else None


def _text(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
