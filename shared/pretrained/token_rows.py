"""Token ids from a JSON file, checked for an encoder, as padded arrays."""

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.files import read_json
from shared.pretrained.tensors import brief

TOKENS, SEGMENTS, MASK = FIELDS = ("token_ids", "segment_ids", "padding_mask")
EXPECTED = (
    'Expected {"token_ids": [[101, 872, 102], ...], "segment_ids": [[0, 0, 0], ...]}, and "padding_mask" where '
    "zeros at the end of a row are not padding"
)


def read_token_rows(path: Path, architecture: Architecture, vocabulary_size: int) -> dict[str, np.ndarray]:
    """Returns the inputs of an encoder: token_ids, segment_ids int32 and padding_mask bool, each (batch, length).

    The file is a JSON object of lists of rows, which may differ in length. Without `segment_ids` all segments are 0;
    without `padding_mask` the zeros at the end of each row are padding.
    Raises: UserError naming the field, row and place (counted from 0) of what is not an id, beyond the vocabulary,
        segments or positions, of unequal length, or empty.
    """
    document = read_json(path)
    if not isinstance(document, dict) or TOKENS not in document:
        raise UserError(f"{path}: no object with {TOKENS!r}. {EXPECTED}.")
    for name in document:
        if name not in FIELDS:
            nearest = get_close_matches(name, FIELDS, n=1)
            advice = f" Did you mean {nearest[0]!r}?" if nearest else ""
            raise UserError(f"{path}: unknown field {brief(name)}.{advice} {EXPECTED}.")
    rows = _rows(path, TOKENS, document[TOKENS], _number(vocabulary_size, "the vocabulary"))
    segments = [[0] * len(row) for row in rows]
    if SEGMENTS in document:
        segments = _rows(path, SEGMENTS, document[SEGMENTS], _number(architecture.segment_count, "the segments"))
        _require_lengths(path, SEGMENTS, segments, rows)
    masks = [[int(place < _end(row)) for place in range(len(row))] for row in rows]
    if MASK in document:
        masks = _rows(path, MASK, document[MASK], _flag)
        _require_lengths(path, MASK, masks, rows)
    for index, mask in enumerate(masks):
        if not any(mask):
            raise UserError(f"{path}: {TOKENS}[{index}] has only padding. Expected at least one token.")
    limit = architecture.max_positions if architecture.position == "absolute" else None
    for index, row in enumerate(rows):
        if limit is not None and len(row) > limit:
            raise UserError(
                f"{path}: {TOKENS}[{index}] has {len(row)} tokens, the encoder {limit} positions. Shorten the row."
            )
    return {
        TOKENS: _padded(rows, "int32"),
        SEGMENTS: _padded(segments, "int32"),
        MASK: _padded(masks, "bool"),
    }


def _rows(path: Path, name: str, value: Any, problem: Callable[[Any], str]) -> list[list[int]]:
    """Returns checked rows; `problem` says what is wrong with a value, or nothing."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{path}: {name} is {brief(value)}. {EXPECTED}.")
    for index, row in enumerate(value):
        if not isinstance(row, list) or not row:
            raise UserError(f"{path}: {name}[{index}] is {brief(row)}. Expected a list of at least one number.")
        for place, number in enumerate(row):
            if text := problem(number):
                raise UserError(f"{path}: {name}[{index}][{place}] is {brief(number)}. Expected {text}.")
    return value


def _number(size: int, what: str) -> Callable[[Any], str]:
    def problem(value: Any) -> str:
        good = type(value) is int and 0 <= value < size  # isinstance would pass true and false
        return "" if good else f"an integer from 0 to {size - 1}, the last of {what}"

    return problem


def _flag(value: Any) -> str:
    return "" if type(value) in (int, bool) and value in (0, 1) else "1 or true at real tokens, 0 or false at padding"


def _require_lengths(path: Path, name: str, others: list[list[int]], rows: list[list[int]]) -> None:
    if len(others) != len(rows):
        raise UserError(f"{path}: {name} has {len(others)} rows, {TOKENS} has {len(rows)}. Expected as many.")
    for index, (other, row) in enumerate(zip(others, rows, strict=True)):
        if len(other) != len(row):
            raise UserError(
                f"{path}: {name}[{index}] has {len(other)} entries, {TOKENS}[{index}] has {len(row)}. Expected as many."
            )


def _end(row: list[int]) -> int:
    return len(row) - next((count for count, token in enumerate(reversed(row)) if token), len(row))


def _padded(rows: list[list[int]], dtype: str) -> np.ndarray:
    array = np.zeros((len(rows), max(map(len, rows))), dtype)
    for index, row in enumerate(rows):
        array[index, : len(row)] = row
    return array
