"""Markdown tables and numbers for reports."""

import unicodedata
from collections.abc import Sequence


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a section with a table whose columns line up in a terminal too."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(display_width(row[column]) for row in cells) for column in range(len(header))]
    lines = ["| " + " | ".join(padded(*pair) for pair in zip(row, widths, strict=True)) + " |" for row in cells]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return f"## {title}\n\n" + "\n".join(lines)


def display_width(text: str) -> int:
    """Returns the columns that a text takes in a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def padded(text: str, width: int, right: bool = False) -> str:
    """Returns the text with blanks up to a display width: behind it, or with `right` before it."""
    blanks = " " * (width - display_width(text))
    return blanks + text if right else text + blanks


def percent(share: float) -> str:
    """Returns e.g. `12.3 %` for 0.123."""
    return f"{100 * share:.1f} %"
