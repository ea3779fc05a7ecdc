"""The label ceiling: what a perfect model could reach under the settings in force, and what is out of its reach."""

from typing import Any

from shared.markdown import table

WARN_BELOW = 0.97


def render(ceiling: dict[str, dict[str, Any]]) -> str:
    """Returns the Markdown section. ceiling: as `Task.ceiling` returns it."""
    figures = [name for name, value in next(iter(ceiling.values())).items() if isinstance(value, float)]
    reasons = list(dict.fromkeys(reason for split in ceiling.values() for reason in split["lost"]))
    rows = [
        [name, *(f"{split[figure]:.4f}" for figure in figures), *(split["lost"].get(reason, 0) for reason in reasons)]
        for name, split in ceiling.items()
    ]
    title = "Label ceiling: the official score of the gold labels after encoding and decoding, and what is lost"
    return table(title, ["split", *figures, *reasons], rows)


def warnings(ceiling: dict[str, dict[str, Any]], figure: str) -> list[str]:
    """Returns a sentence for each split whose ceiling is low. figure: the one that counts."""
    return [
        f"a perfect model would reach {figure} {split[figure]:.4f} on {name} under these settings "
        f"(lost: {', '.join(f'{reason} {count}' for reason, count in split['lost'].items() if count)}); "
        "see the label ceiling in the data report."
        for name, split in ceiling.items()
        if split[figure] < WARN_BELOW
    ]
