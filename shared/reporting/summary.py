"""What the results of a competition come to: a few tables, the same on the terminal, in Markdown and in HTML."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.files import read_json, read_text
from shared.folders import Folders
from shared.markdown import display_width, padded

OVERVIEW = ["competition", "figure", "model", "best trivial baseline", "label ceiling", "submission"]
SHOWN_SLICES = 12  # of each table, on the terminal and in Markdown


@dataclass(frozen=True)
class Table:
    """A titled table of texts; the first column names the row."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Returns a Markdown table whose columns line up in a terminal too."""
        lines = [self.header, ["-" * len(name) for name in self.header], *self.rows]
        widths = [max(display_width(line[column]) for line in lines) for column in range(len(self.header))]
        cells = [
            [padded(cell, width, right=i > 0) for i, (cell, width) in enumerate(zip(line, widths, strict=True))]
            for line in lines
        ]
        cells[1] = ["-" * width if i == 0 else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
        return "\n".join("| " + " | ".join(line) + " |" for line in cells)


@dataclass(frozen=True)
class Summary:
    """The results of one competition, as far as its stages have run."""

    name: str
    metrics: dict[str, Any]
    curves: dict[Path, list[dict[str, str]]]
    data_report: str
    ceiling: dict[str, dict[str, Any]]
    manifest: dict[str, Any]

    @classmethod
    def exists(cls, name: str) -> bool:
        """Whether the competition was evaluated."""
        return (Folders(name).results / "metrics.json").exists()

    @classmethod
    def load(cls, name: str) -> "Summary":
        """Reads `results/<name>/` and the manifest of its submission. Raises: UserError if it was not evaluated yet."""
        folders = Folders(name)
        if not cls.exists(name):
            raise UserError(f"{folders.results}: no metrics.json. Run: dvc repro evaluate@{name}")
        manifest = folders.submission / "manifest.json"
        return cls(
            name,
            read_json(folders.results / "metrics.json"),
            {path: _rows(path) for path in sorted(folders.results.rglob("*.csv"))},
            read_text(folders.results / "data_report.md"),
            read_json(folders.results / "data_report.json").get("ceiling", {}),
            read_json(manifest) if manifest.exists() else {},
        )

    def curve(self, name: str) -> dict[str, list[dict[str, str]]]:
        """Rows of `<name>.csv`, or of each file in `<name>/`, by the file's stem; empty files are left out."""
        wanted = Folders(self.name).results / name
        chosen = {path: rows for path, rows in self.curves.items() if wanted in (path.parent, path.with_suffix(""))}
        return {path.stem: rows for path, rows in chosen.items() if rows}

    def figures(self) -> list[str]:
        """Names of the official figures, the one that counts first."""
        return [key for key, value in self.metrics.items() if isinstance(value, float)]

    def scores(self) -> Table:
        """The model beside the trivial baselines: official figures, and F1 at the best threshold if there is one."""
        columns = self.figures()
        rows = {f"model (epoch {self.metrics['best_epoch']})": self.metrics, **self.metrics["baselines"]}
        header = ["", *columns]
        lines = [[name, *(f"{figures[column]:.4f}" for column in columns)] for name, figures in rows.items()]
        if "best_threshold" in self.metrics:
            header.append("f1 at best thresholds")
            for line, figures in zip(lines, rows.values(), strict=True):
                line.append(f"{figures['best_threshold']['f1']:.4f}")
        return Table("Scores on the validation rows", header, lines)

    def slices(self) -> list[Table]:
        """The official figures by slice, model beside baselines: a table for each way of slicing."""
        found = {"": self.metrics} | {key: value for key, value in self.metrics.items() if key.startswith("by_")}
        tables = [self._slices(key, {n: p for n, p in group.items() if _is_slice(p)}) for key, group in found.items()]
        return [table for table in tables if table.rows]

    def _slices(self, key: str, parts: dict[str, dict[str, Any]]) -> Table:
        figures = list(dict.fromkeys(f for part in parts.values() for f, v in part.items() if isinstance(v, float)))
        counts = [c for c in ("n", "positives") if any(c in part for part in parts.values())]
        count = figures[0] if figures else ""
        kind = key.removeprefix("by_").replace("_", " ") or "slice"
        header = [kind, *("rows" if c == "n" else c for c in counts), *figures]
        rows = []
        for name, part in parts.items():
            others = [(b[key] if key else b).get(name, {}).get(count, 0.0) for b in self.metrics["baselines"].values()]
            numbers = [*(part.get(f, 0.0) for f in figures), *others]
            rows.append([name, *(str(part.get(c, 0)) for c in counts), *(f"{number:.4f}" for number in numbers)])
        header += [f"{count} {baseline}" for baseline in self.metrics["baselines"]]
        return Table(f"By {kind}", header, rows)

    def overview(self) -> list[str]:
        """One row of the table over all competitions: see OVERVIEW."""
        figure = self.figures()[0]
        best = max(self.metrics["baselines"], key=lambda name: self.metrics["baselines"][name][figure])
        ceiling = f"{self.ceiling['valid'][figure]:.4f}" if self.ceiling else "-"
        return [
            self.name,
            figure,
            f"{self.metrics[figure]:.4f}",
            f"{self.metrics['baselines'][best][figure]:.4f} ({best})",
            ceiling,
            f"{self.manifest['rows']} rows" if self.manifest else "-",
        ]

    def submission(self) -> str:
        """One line on the submission."""
        if not self.manifest:
            return f"no submission yet: dvc repro predict@{self.name}"
        file = Folders(self.name).submission / self.manifest["file"]
        return f"{file}: {self.manifest['rows']} rows, checked against the test files"

    def markdown(self) -> str:
        """Returns the section of this competition."""
        parts = [f"## {self.name}", "", self.scores().markdown(), ""]
        for table in self.slices():
            shown = replace(table, rows=table.rows[:SHOWN_SLICES])
            parts += [shown.markdown(), *_more(len(table.rows) - SHOWN_SLICES), ""]
        return "\n".join([*parts, f"Submission: {self.submission()}", ""])


def overview(summaries: Sequence[Summary]) -> Table:
    """Returns one table over all competitions, on their validation rows."""
    return Table("All competitions", OVERVIEW, [summary.overview() for summary in summaries])


def _is_slice(value: Any) -> bool:
    return isinstance(value, dict) and "n" in value


def _more(number: int) -> list[str]:
    return ["", f"and {number} more: see the page."] if number > 0 else []


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(path))))
