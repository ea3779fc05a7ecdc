"""What the results of a competition come to: a few tables, the same on the terminal, in Markdown and in HTML."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import UserError
from shared.files import read_json, read_text
from shared.folders import Folders


@dataclass(frozen=True)
class Table:
    """A titled table of texts; the first column names the row."""

    title: str
    header: list[str]
    rows: list[list[str]]

    def markdown(self) -> str:
        """Returns a Markdown table whose columns line up in a terminal too."""
        lines = [self.header, ["-" * len(name) for name in self.header], *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        cells = [
            [
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
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
            read_json(manifest) if manifest.exists() else {},
        )

    def curve(self, name: str) -> dict[str, list[dict[str, str]]]:
        """Rows of `<name>.csv`, or of each file in `<name>/`, by the file's stem; empty files are left out."""
        wanted = Folders(self.name).results / name
        chosen = {path: rows for path, rows in self.curves.items() if wanted in (path.parent, path.with_suffix(""))}
        return {path.stem: rows for path, rows in chosen.items() if rows}

    def scores(self) -> Table:
        """The model beside the trivial baselines: official figures, and F1 at the best threshold if there is one."""
        columns = [key for key, value in self.metrics.items() if isinstance(value, float)]
        rows = {f"model (epoch {self.metrics['best_epoch']})": self.metrics, **self.metrics["baselines"]}
        header = ["", *columns]
        lines = [[name, *(f"{figures[column]:.4f}" for column in columns)] for name, figures in rows.items()]
        if "best_threshold" in self.metrics:
            header.append("f1 at best thresholds")
            for line, figures in zip(lines, rows.values(), strict=True):
                line.append(f"{figures['best_threshold']['f1']:.4f}")
        return Table("Scores on the validation rows", header, lines)

    def slices(self) -> Table | None:
        """The official figure by slice, model beside baselines."""
        names = [key for key, value in self.metrics.items() if isinstance(value, dict) and "n" in value]
        if not names:
            return None
        baselines = self.metrics["baselines"]
        header = ["slice", "rows", "positive", "precision", "recall", "f1", *(f"f1 {name}" for name in baselines)]
        rows = [
            [
                name,
                str(part["n"]),
                str(part["positives"]),
                *(f"{part[figure]:.4f}" for figure in ("precision", "recall", "f1")),
                *(f"{figures[name]['f1']:.4f}" for figures in baselines.values()),
            ]
            for name, part in ((name, self.metrics[name]) for name in names)
        ]
        return Table("Slices", header, rows)

    def submission(self) -> str:
        """One line on the submission."""
        if not self.manifest:
            return f"no submission yet: dvc repro predict@{self.name}"
        file = Folders(self.name).submission / self.manifest["file"]
        return f"{file}: {self.manifest['rows']} rows, checked against the test files"

    def markdown(self) -> str:
        """Returns the section of this competition."""
        parts = [f"## {self.name}", "", self.scores().markdown(), ""]
        slices = self.slices()
        if slices:
            parts += [slices.markdown(), ""]
        return "\n".join([*parts, f"Submission: {self.submission()}", ""])


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(path))))
