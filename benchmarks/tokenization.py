"""Megabytes of text a second through our tokenizers, with offsets, and through transformers' fast ones.

    python -m benchmarks.tokenization [--raw FOLDER] [--megabytes 2] [--repeats 5]

The texts are all longer strings of the JSON in a folder: by default the development data in $BASELINE_KIT_SHARED
(default ../shared), else the bundled samples. Each tokenizer gets the same texts in one call and all cores; ours and
theirs run by turns. transformers is no dependency: without it (5.x, and rjieba for words) its column stays empty.
"first": a new tokenizer, which has seen no character and no word yet; "again": the same texts a second time.
"""

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import rjieba

from shared.cli import run
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import Vocabulary, learn_vocabulary
from shared.text.word_units import WordTokenizer

SHORTEST = 12  # characters; below are labels and ids, and what a call costs by itself
WORDS = 15000  # frequent words that the vocabulary of words has

Encode = Callable[[list[str]], Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tokenization",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--raw", type=Path, help="folder of files of JSON or JSON lines")
    parser.add_argument("--megabytes", type=float, default=2.0, help="of UTF-8 text, at most")
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds")
    arguments = parser.parse_args(argv)
    shared = Path(os.environ.get("BASELINE_KIT_SHARED", "../shared"), "data")
    raw = arguments.raw or (shared if shared.is_dir() else Path("data/sample"))
    texts = _evenly(list(dict.fromkeys(_texts(raw))), arguments.megabytes * 1e6)
    size = sum(len(text.encode()) for text in texts) / 1e6
    characters = learn_vocabulary(texts, 2, 21128, lowercase=True)
    counts = Counter(word for text in texts for word in rjieba.cut(text.lower(), False) if len(word) > 1)
    frequent = [word for word, _ in counts.most_common(WORDS) if word not in characters.ids and not word.isspace()]
    words = Vocabulary([*characters.tokens, *frequent])
    print(f"{raw}: {len(texts)} texts, {size:.2f} MB, {os.cpu_count()} cores")

    for name, ours, theirs in (
        ("characters", lambda: Tokenizer(characters, True).encode_batch, _transformers("BertTokenizer", characters)),
        ("words", lambda: WordTokenizer(words, True).encode_batch, _transformers("RoFormerTokenizer", words)),
    ):
        rates: dict[str, list[float]] = {"first": [], "again": [], "transformers": []}
        for _ in range(arguments.repeats):
            encode = ours()
            rates["first"].append(size / _seconds(encode, texts))
            rates["again"].append(size / _seconds(encode, texts))
            if not isinstance(theirs, str):
                rates["transformers"].append(size / _seconds(theirs, texts))
        print(f"{name}, MB/s: first {_spread(rates['first'])}, again {_spread(rates['again'])}")
        if isinstance(theirs, str):
            print(f"  transformers: {theirs}")
            continue
        print(f"  transformers {_spread(rates['transformers'])}")
        for column in ("first", "again"):
            ratios = [ours / other for ours, other in zip(rates[column], rates["transformers"], strict=True)]
            print(f"  {column}, times as fast as transformers: {_spread(ratios)}")


def _texts(folder: Path) -> Iterator[str]:
    """Yields the longer strings of all JSON documents and JSON lines below the folder."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".txt")):
        content = path.read_text(encoding="utf-8")
        try:
            yield from _strings(json.loads(content))
        except json.JSONDecodeError:
            for line in content.split("\n"):
                if line.startswith("{"):
                    yield from _strings(json.loads(line))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str) and len(value) >= SHORTEST:
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _evenly(texts: Sequence[str], size: float) -> list[str]:
    """Returns texts of about `size` bytes, spread evenly over all."""
    step = max(1.0, sum(len(text.encode()) for text in texts) / size)
    return [texts[int(index * step)] for index in range(int(len(texts) / step))]


def _transformers(name: str, vocabulary: Vocabulary) -> Encode | str:
    """Returns the call with offsets of transformers' tokenizer, or why there is none."""
    try:
        tokenizer = getattr(importlib.import_module("transformers"), name)(dict(vocabulary.ids), do_lower_case=True)
    except (ImportError, TypeError) as error:
        return f"not measured: {str(error).splitlines()[0]}"
    return lambda texts: tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True)


def _seconds(encode: Encode, texts: list[str]) -> float:
    started = time.perf_counter()
    encode(texts)
    return time.perf_counter() - started


def _spread(figures: Sequence[float]) -> str:
    return f"{statistics.median(figures):.2f} ({min(figures):.2f} to {max(figures):.2f})"


if __name__ == "__main__":
    sys.exit(main())
