"""Plots as SVG text, the same bytes for the same numbers."""

import io
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("svg")

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

SHOWN_LABELS, OTHER = 12, "other"  # of a confusion

Rows = Sequence[Mapping[str, str]]
Files = Mapping[str, Rows]  # rows of each file by its name, e.g. one file a class


def learning_curve(files: Files) -> str:
    """Training loss and every validation figure by epoch; one file."""
    history = next(iter(files.values()))
    figure = Figure(figsize=(5.2, 3.2), layout="constrained")
    loss, score = figure.subplots(), None
    epochs = [int(row["epoch"]) for row in history]
    loss.plot(epochs, [float(row["loss"]) for row in history], color="0.5", marker="o", label="training loss")
    loss.set(xlabel="epoch", ylabel="training loss", ylim=(0, None))
    loss.xaxis.set_major_locator(MaxNLocator(integer=True))
    loss.set_xlim(0.5, epochs[-1] + 0.5)
    score = loss.twinx()
    for index, name in enumerate(name for name in history[0] if name not in ("epoch", "loss", "learning_rate")):
        score.plot(epochs, [float(row[name]) for row in history], marker=".", color=f"C{index}", label=name)
    score.set(ylabel="validation", ylim=(0, 1))
    figure.legend(*_handles(loss, score), loc="outside upper center", ncols=4, frameon=False)
    return _svg(figure)


def precision_recall(files: Files) -> str:
    """Precision against recall, a line for each class, with the contours of equal F1."""
    figure = Figure(figsize=(4.2, 3.2), layout="constrained")
    axes = figure.subplots()
    for f1 in (0.2, 0.4, 0.6, 0.8):
        recall = [f1 / 2 + 0.001 + i / 200 * (1 - f1 / 2) for i in range(200)]
        axes.plot(recall, [f1 * r / (2 * r - f1) for r in recall], color="0.85", linewidth=0.8, zorder=0)
        axes.annotate(f"F1 {f1}", (1.0, f1 / (2 - f1)), color="0.6", fontsize=7, ha="right", va="bottom")
    for name, rows in files.items():
        axes.plot([float(r["recall"]) for r in rows], [float(r["precision"]) for r in rows], label=f"class {name}")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.legend(loc="lower left", frameon=False)
    return _svg(figure)


def confusion(files: Files) -> str:
    """Counts of gold against predicted labels, one square for each class; rare labels are put together."""
    size = 2.6 if all(len({row["gold"] for row in rows}) < 5 for rows in files.values()) else 6.0
    figure = Figure(figsize=((size - 0.2) * len(files) + 0.4, size), layout="constrained")
    for axes, (name, chosen) in zip(figure.subplots(1, len(files), squeeze=False)[0], files.items(), strict=True):
        pairs, labels = _most_frequent([(row["gold"], row["predicted"]) for row in chosen])
        counts = [[pairs[g, p] for p in labels] for g in labels]
        axes.imshow(counts, cmap="Blues")
        darkest = max(map(max, counts))
        for y, line in enumerate(counts):
            for x, count in enumerate(line):
                axes.text(x, y, str(count), ha="center", va="center", color="w" if count > 0.65 * darkest else "k")
        axes.set(title=f"class {name}", xlabel="predicted", ylabel="gold")
        axes.set_xticks(range(len(labels)), labels, rotation=90 if max(map(len, labels)) > 3 else 0)
        axes.set_yticks(range(len(labels)), labels)
    return _svg(figure)


FIGURES = {  # file or folder in results/<name>/ -> caption, plot
    "history": ("Learning curve", learning_curve),
    "pr_curve": ("Precision and recall over the thresholds", precision_recall),
    "confusion": ("Confusion at the thresholds in force", confusion),
}


def _most_frequent(pairs: Sequence[tuple[str, str]]) -> tuple[Counter, list[str]]:
    """Returns how often each pair of labels occurs, and the labels; beyond SHOWN_LABELS they are called `other`."""
    frequency = Counter(label for pair in pairs for label in pair)
    kept = set(sorted(frequency, key=lambda label: (-frequency[label], label))[:SHOWN_LABELS])
    named = [tuple(label if label in kept else OTHER for label in pair) for pair in pairs]
    labels = sorted(kept) + ([OTHER] if len(kept) < len(frequency) else [])
    return Counter(named), labels


def _handles(*axes):
    handles, labels = [], []
    for one in axes:
        more, names = one.get_legend_handles_labels()
        handles += more
        labels += names
    return handles, labels


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "baseline-kit", "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the text stays text; the browser has the font
        figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
