"""What must hold for every encoder, whatever its weights: tried on ids drawn for the purpose."""

from dataclasses import dataclass
from typing import Any

import numpy as np

TOLERANCE = 1e-4  # of the largest value; twelve layers round to 1e-6, a key that sees padding moves them by 1e-1
ROWS, TOKENS, PADDING = 3, 24, 8
TOO_SHORT = 3  # positions


@dataclass(frozen=True)
class SelfCheck:
    """One property. deviation: the largest of all outputs, each relative to its largest value."""

    name: str
    deviation: float

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return self.deviation <= TOLERANCE

    def render(self) -> str:
        """Returns one line."""
        return f"- {self.name}: {'yes' if self.ok else 'NO'}, deviation {self.deviation:.1e}, allowed {TOLERANCE:g}"


def self_check(model: Any) -> list[SelfCheck]:
    """Returns, for an encoder of `build_encoder`, that outputs are finite and depend on a row's real tokens alone.

    Compared are the outputs at real tokens of a short row by itself with those of the row among longer ones, and those
    of all rows with those of the same rows with more padding. What is padded are ids of tokens, not of [PAD]: a mask
    that is not heeded shows.
    """
    from shared.pretrained.encoder import outputs_of

    backbone = model.get_layer("backbone")
    architecture = backbone.architecture
    most = architecture.max_positions if architecture.position == "absolute" else TOKENS + PADDING
    padding = min(PADDING, most // TOO_SHORT)
    longest = min(TOKENS, most - padding)
    lengths = np.maximum(longest * np.arange(ROWS, 0, -1) // ROWS, 1)
    rng = np.random.default_rng(4)
    token_ids = rng.integers(0, backbone.vocabulary_size, (ROWS, longest + padding), dtype=np.int32)
    segment_ids = rng.integers(0, architecture.segment_count, token_ids.shape, dtype=np.int32)

    # Of three widths in all, as JAX compiles the network for each.
    def outputs(rows: slice, width: int) -> list[dict[str, np.ndarray]]:
        """Returns the outputs of each row at its real tokens."""
        mask = np.arange(width) < lengths[rows, None]
        inputs = {"token_ids": token_ids[rows, :width], "segment_ids": segment_ids[rows, :width], "padding_mask": mask}
        got = outputs_of(model, inputs)
        return [
            {name: value[row, : lengths[rows][row]] if value.ndim == 3 else value[row] for name, value in got.items()}
            for row in range(len(mask))
        ]

    shortest = slice(ROWS - 1, ROWS)
    alone = outputs(shortest, int(lengths[-1]))
    together, padded = outputs(slice(None), longest), outputs(slice(None), longest + padding)
    finite = all(np.isfinite(value).all() for row in together for value in row.values())
    return [
        SelfCheck("outputs are finite", 0.0 if finite else float("inf")),
        SelfCheck("a row has the same outputs alone and among longer ones", _deviation(alone, together[shortest])),
        SelfCheck("a row has the same outputs with more padding", _deviation(together, padded)),
    ]


def _deviation(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]]) -> float:
    worst = 0.0
    for a, b in zip(one, other, strict=True):
        for name, value in a.items():
            with np.errstate(invalid="ignore"):  # inf - inf is nan, which is not ok
                gap = np.abs(value - b[name]).max() / max(float(np.abs(value).max()), np.finfo("float32").tiny)
            worst = max(worst, float("inf") if np.isnan(gap) else float(gap))
    return worst
