"""ablate: the trials of a plan, each with each seed -> scores, differences to the baseline and costs, in a table.

`python -m pipelines.ablate plans/sohu2021.yaml` does what is missing and goes on where it was stopped. Results lie in
ablations/PLAN/; the table in table.md, table.csv and differences.svg there.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.ablation.commands import commands
from shared.ablation.plan import BASELINE, Plan, load_plan
from shared.ablation.runner import Run, run_plan, runs_of
from shared.ablation.versions import ABLATIONS
from shared.cli import run
from shared.csv_files import write_csv
from shared.errors import UserError
from shared.files import write_bytes, write_text
from shared.settings import PARAMS
from shared.settings_document import read_yaml
from shared.settings_errors import did_you_mean


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0 also where trials failed, which the table names; 130 if it was stopped."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    args = _parser().parse_args(argv)
    plan = load_plan(args.plan, args.raw)
    seeds = list(dict.fromkeys(args.seeds or plan.seeds))
    trials = _chosen(plan, args.only)
    if args.commands:
        params = read_yaml(PARAMS).value
        print("\n".join(commands(plan, params, trials, args.seeds or plan.seeds[:1])))
        return
    if not args.table:
        run_plan(plan, runs_of(plan, trials, seeds), args.jobs, any_code=args.any_code, retry=args.retry)
    _report(plan, runs_of(plan, list(plan.trials), sorted({*plan.seeds, *seeds})))


def _report(plan: Plan, runs: Sequence[Run]) -> None:
    """Prints and writes the table of all runs that there are."""
    from shared.ablation import table  # with Matplotlib half a second, which a mere --help does not need
    from shared.ablation.figure import plot
    from shared.ablation.results import collect

    results, folder = collect(plan, runs), ABLATIONS / plan.name
    if not any(trial.records or trial.failed for trial in results.trials):
        raise UserError(f"{folder}: no result yet. Run: python -m pipelines.ablate plans/{plan.name}.yaml")
    text = table.markdown(results)
    write_text(folder / "table.md", text)
    write_csv(folder / "table.csv", table.rows(results))
    write_bytes(folder / "differences.svg", plot(results))
    print(f"{text}\n-> {folder}/table.md, table.csv, differences.svg")


def _chosen(plan: Plan, only: Sequence[str] | None) -> list[str]:
    """Returns the trials to run: all, or those named and the baseline that they are compared with."""
    for name in only or ():
        if name not in plan.trials:
            near, names = did_you_mean(name, plan.trials), ", ".join(plan.trials)
            raise UserError(f"--only {name}: no trial of {plan.name}.{near} Trials: {names}.")
    return [name for name in plan.trials if not only or name in only or name == BASELINE]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.ablate", description=__doc__)
    add = parser.add_argument
    add("plan", type=Path, metavar="PLAN", help="e.g. plans/sohu2021.yaml; shared/ablation/plan.py tells what is in it")
    add("--only", nargs="+", metavar="NAME", help="only these trials, and the baseline")
    add("--seeds", nargs="+", type=int, metavar="N", help="other seeds than the plan's")
    add("--raw", type=Path, metavar="FOLDER", help="other official files than the plan or params.yaml name")
    add("--jobs", type=_positive, default=1, metavar="N", help="runs side by side (1), each on its share of the CPUs")
    add("--table", action="store_true", help="run nothing; only write the table of what there is")
    add("--commands", action="store_true", help="run nothing; print each trial as a line for `dvc exp run`")
    add("--any-code", action="store_true", help="results of another version of the code stand; they are named")
    add("--retry", action="store_true", help="run failed trials again")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
