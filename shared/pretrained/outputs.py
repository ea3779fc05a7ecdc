"""What an encoder makes of token ids, as an archive of arrays."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from shared.files import write_bytes

OUTPUTS = ("hidden", "pooled", "mlm_logits")
BATCH_ROWS = 8


def encoded(
    model: Any, rows: Mapping[str, np.ndarray], names: Sequence[str] = OUTPUTS, label: str | None = None
) -> dict[str, np.ndarray]:
    """Returns those of the outputs `names` that the encoder has, float32, for all rows.

    hidden: (batch, length, hidden_dim); pooled: (batch, hidden_dim); mlm_logits: (batch, length, vocabulary). What
    stands at padding is what a reference has there as well: vectors of [PAD] that see the real tokens.

    Args: model: of `build_encoder`. rows: its inputs, each (batch, length). label: of a progress bar; None: no bar.
    """
    from shared.pretrained.encoder import narrowed, outputs_of

    model = narrowed(model, names)
    count = len(rows["token_ids"])
    result: dict[str, np.ndarray] = {}
    with tqdm(total=count, desc=label, unit="row", disable=None if label else True, leave=False) as bar:
        for start in range(0, count, BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            outputs = outputs_of(model, {name: array[part] for name, array in rows.items()})
            for name, array in outputs.items():
                result.setdefault(name, np.empty((count, *array.shape[1:]), np.float32))[part] = array
            bar.update(len(rows["token_ids"][part]))
    return result


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz archive, atomically, of equal bytes for equal arrays."""
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **arrays)
    write_bytes(path, archive.getvalue())
