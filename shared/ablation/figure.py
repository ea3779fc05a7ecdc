"""The differences of a plan as a plot: a point with its interval for each trial, the baseline at 0."""

import io

import matplotlib

matplotlib.use("svg")

from matplotlib.figure import Figure

from shared.ablation.results import Results

COLORS = {"better": "C2", "worse": "C3", "not shown": "0.45", "-": "0.45"}


def plot(results: Results) -> bytes:
    """Returns an SVG file, the same bytes for the same numbers; trials without a difference are left out."""
    shown = [(one.name, one.difference) for one in results.trials if one.difference is not None]
    figure = Figure(figsize=(6.4, 1.0 + 0.28 * max(1, len(shown))), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="0.7", linewidth=1.0)
    for place, (_, apart) in enumerate(shown):
        color = COLORS[apart.verdict]
        if apart.low is not None and apart.high is not None:
            axes.plot([apart.low, apart.high], [place, place], color=color, linewidth=2.0, solid_capstyle="butt")
        axes.plot([apart.mean], [place], color=color, marker="o", markersize=5)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.set_ylim(max(1, len(shown)) - 0.5, -0.5)
    axes.set(xlabel=f"{results.plan.measure} of {results.plan.task.name}, difference to the baseline")
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "baseline-kit", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
