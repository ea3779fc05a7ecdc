"""A checkpoint with another vocabulary: new embedding rows and output biases from the old ones, all else as it was.

Keras is imported by the functions that need it, so that a wrong file name is reported at once.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.arrays import Ragged
from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.files import new_folder, write_json
from shared.pretrained.checkpoint import Checkpoint, open_checkpoint
from shared.pretrained.config import architecture_of
from shared.text.vocabulary import Vocabulary
from shared.text.vocabulary_tools import Change

if TYPE_CHECKING:
    from shared.pretrained.encoder import Encoder

BY_TOKEN = ("embedding/token_embedding", "mlm_head/bias")  # weights with one row a token, by the end of their path
REPORT = "vocabulary_report.json"


@dataclasses.dataclass(frozen=True)
class Source:
    """A checkpoint whose vocabulary fits its embedding. path: as the user named it, the folder or a file in it."""

    path: Path
    checkpoint: Checkpoint
    architecture: Architecture
    vocabulary: Vocabulary


def open_source(path: Path, kind: str | None = None) -> Source:
    """Opens a checkpoint without reading its weights. kind: as in `architecture_of`.

    Raises: UserError as `open_checkpoint` and `architecture_of`, and if it has no vocabulary or one of another size.
    """
    checkpoint = open_checkpoint(path)
    architecture, rows = architecture_of(checkpoint, kind)
    if checkpoint.vocabulary_file is None:
        raise UserError(f"{path}: no vocab.txt. The tokens of the embedding's rows must be known; put it there.")
    vocabulary = Vocabulary.load(checkpoint.vocabulary_file)
    if len(vocabulary) != rows:
        raise UserError(
            f"{checkpoint.vocabulary_file}: {len(vocabulary)} tokens, but the embedding in {path} has {rows} rows. The "
            "vocabulary belongs to another checkpoint, or one of the files is damaged."
        )
    return Source(path, checkpoint, architecture, vocabulary)


def require_new(out: Path) -> None:
    """Raises: UserError if `out` exists and is no empty folder: what stands there would be replaced as a whole."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UserError(f"{out}: exists already. Name a new folder, or remove it first.")


def resized_rows(table: np.ndarray, sources: Ragged) -> np.ndarray:
    """Returns (len(sources), ...) of the table's dtype: each row the mean of the table's rows that `sources` names.

    A mean of one row is a copy, bit for bit. Others are summed in float64.

    Args: table: (tokens, ...). sources: rows of ids below `tokens`, none of them empty.
    Raises: ValueError if a row is empty or an id is beyond the table.
    """
    if not sources.lengths.all():
        raise ValueError(f"row {int(np.argmin(sources.lengths))} names no row to inherit from")
    if len(sources) and not 0 <= sources.values.min() <= sources.values.max() < len(table):
        raise ValueError(f"ids {sources.values.min()} to {sources.values.max()}, but the table has {len(table)} rows")
    rows = table[sources.values[sources.offsets[:-1]]]
    for row in np.flatnonzero(sources.lengths > 1).tolist():
        rows[row] = table[sources[row]].mean(axis=0, dtype=np.float64)
    return rows


def resized_encoder(encoder: "Encoder", change: Change) -> "Encoder":
    """Returns an encoder with the new vocabulary, without a vocabulary file; the given one stays as it is."""
    import keras

    from shared.pretrained.encoder import MLM_HEAD, POOLER, build_encoder

    layers = {layer.name for layer in encoder.model.layers}
    size = len(change.tokens)
    # Words, or ids in place of words, ask for another tokenizer than the characters before: the writer sees which.
    kept = change.report.get("added", {}).get("total", 0) == 0
    tokenizer = {key: value for key, value in encoder.tokenizer.items() if kept or key != "tokenizer_class"}
    model = build_encoder(encoder.architecture, size, pooler=POOLER in layers, mlm=MLM_HEAD in layers)
    for old, new in zip(encoder.model.weights, model.weights, strict=True):
        values = keras.ops.convert_to_numpy(old)
        new.assign(resized_rows(values, change.sources) if old.path.endswith(BY_TOKEN) else values)
    return dataclasses.replace(
        encoder, model=model, vocabulary_size=size, vocabulary_file=None, tokenizer=tokenizer, audit=None
    )


def write_resized(
    out: Path, source: Source, change: Change, about: dict[str, Any], ignore: Sequence[str] = ()
) -> dict[str, Any]:
    """Writes a Hugging Face folder of the checkpoint with the new vocabulary, whole or not at all.

    Args: out: must not exist, see `require_new`. about: goes first into the report. ignore: as in `load_encoder`.
    Returns: the report, also written as vocabulary_report.json into the folder.
    Raises: UserError as `load_encoder`, or if the folder cannot be written.
    """
    from shared.pretrained.audit import audit
    from shared.pretrained.load import load_encoder
    from shared.pretrained.write import VOCABULARY, write_hugging_face

    require_new(out)
    encoder = load_encoder(source.path, kind=source.architecture.kind, ignore=ignore)
    resized = resized_encoder(encoder, change)
    with new_folder(out) as folder:
        Vocabulary(change.tokens).save(folder / VOCABULARY)
        write_hugging_face(folder, dataclasses.replace(resized, vocabulary_file=folder / VOCABULARY))
        written = open_checkpoint(folder)  # albert_zh is written in another form, of more parameters
        found = audit(written, *architecture_of(written, source.architecture.kind), checksum=False)
        report = {
            **about,
            "checkpoint": {
                "path": source.path.as_posix(),
                "kind": source.architecture.kind,
                "sha256": encoder.audit.sha256,
            },
            "tokens": {"before": len(source.vocabulary), "after": len(change.tokens)},
            "parameters": {"before": encoder.model.count_params(), "after": found.parameters},
            **change.report,
        }
        write_json(folder / REPORT, report)
    return report
