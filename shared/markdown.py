"""Markdown tables and numbers for reports."""

from collections.abc import Sequence


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a section with a table whose columns line up in a terminal too."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return f"## {title}\n\n" + "\n".join(lines)


def percent(share: float) -> str:
    """Returns e.g. `12.3 %` for 0.123."""
    return f"{100 * share:.1f} %"
