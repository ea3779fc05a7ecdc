"""Figures on raw texts: lengths, and how many hold characters that need care."""

from collections.abc import Iterable
from functools import cache

import numpy as np

CHARACTERS_AT_ONCE = 1 << 22  # keeps the scan of all texts below some 40 MB
# Half-open ranges of code points. Emoji: the blocks of pictographs, dingbats and flags hold nearly all of them.
CHARACTER_KINDS: dict[str, tuple[tuple[int, int], ...]] = {
    "control": ((0x00, 0x09), (0x0B, 0x0D), (0x0E, 0x20), (0x7F, 0xA0)),  # without tab and line ends
    "private_use": ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE)),
    "zero_width": ((0x200B, 0x2010), (0x202A, 0x202F), (0x2060, 0x2065), (0xFEFF, 0xFF00)),
    "emoji": ((0x2600, 0x27C0), (0x1F1E6, 0x1F200), (0x1F300, 0x1FB00)),
}


def length_figures(lengths: np.ndarray) -> dict[str, float]:
    """Smallest, mean, nearest-rank percentiles and largest."""
    p50, p90, p95, p99 = np.percentile(lengths, (50, 90, 95, 99), method="inverted_cdf").tolist()
    mean = round(float(lengths.mean()), 2)
    return {
        "min": int(lengths.min()),
        "mean": mean,
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
        "max": int(lengths.max()),
    }


def character_kinds(texts: Iterable[str]) -> dict[str, int]:
    """Returns for each kind of character the number of texts that hold one; `texts` are not empty."""
    numbers = np.zeros(len(CHARACTER_KINDS), np.int64)
    for batch in _batches(texts):
        starts = np.cumsum([0, *(len(text) for text in batch[:-1])])
        codes = np.frombuffer("".join(batch).encode("utf-32-le", "surrogatepass"), np.uint32)  # (characters,)
        flags = np.bitwise_or.reduceat(_flags_of_codes()[codes], starts)  # (texts,)
        numbers += [np.count_nonzero(flags & 1 << bit) for bit in range(len(CHARACTER_KINDS))]
    return dict(zip(CHARACTER_KINDS, numbers.tolist(), strict=True))


def _batches(texts: Iterable[str]) -> Iterable[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > CHARACTERS_AT_ONCE:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


@cache
def _flags_of_codes() -> np.ndarray:
    """Returns for each code point a byte whose bit i is set if the character is of kind i."""
    flags = np.zeros(0x110000, np.uint8)
    for bit, ranges in enumerate(CHARACTER_KINDS.values()):
        for start, end in ranges:
            flags[start:end] |= 1 << bit
    return flags
