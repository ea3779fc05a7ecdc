"""Trials as lines for `dvc exp run`, which does one of them in the workspace, with all its stages and files."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.ablation.plan import SEED, Overrides, Plan
from shared.dvc_options import options


def commands(plan: Plan, params: Mapping[str, Any], trials: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Returns a line for each trial and seed.

    Args: params: the parsed params.yaml; `-S` asks for a + before keys that are not in it.
    """
    lines = []
    for name in trials:
        for seed in seeds:
            chosen: Overrides = plan.base | plan.trials[name].overrides | {SEED: seed}
            raw = {("raw", plan.task.name): str(plan.raw)} if plan.raw_given else {}
            own = {(plan.task.name, *place): value for place, value in chosen.items()}
            lines.append(" ".join([f"dvc exp run evaluate@{plan.task.name}", *options(raw | own, params)]))
    return lines
