"""Small tables as CSV files that diff well: LF line ends, floats in their shortest exact form."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.files import write_text


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes the rows, atomically; the header holds the first row's keys."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(path, text.getvalue())
