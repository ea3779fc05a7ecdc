"""Writes the bundled sample: invented Chinese sentences with their relations in the official layout of DuIE 2.0.

The same seed gives the same bytes everywhere. How a sentence is made, and why:

- It tells of a film, a song, a company, roles, a prize or a family, in one to three clauses. Predicates share the
  frames of `sample_words.py`: one word in a frame decides which one is told, or that none is. Some frames put the
  subject first, some the object, and a name is a subject here and an object there.
- Names are put together anew from few characters, see `sample_names.py`, so that most triples of dev are new. Some
  works are famous: what is told of them is the same each time, for a dictionary to find something.
- Names without any relation stand before, behind and between the others, so that a name alone says nothing.

The constants below and in `sample_names.py` set size and difficulty. On dev, the triples of train that stand in the
text score F1 .2: see tests/competitions/lic2020_re/test_sample.py.
"""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from competitions.lic2020_re import sample_words as words
from competitions.lic2020_re.data import Example, Triple
from competitions.lic2020_re.sample_sentences import Writer
from shared.files import write_text

SIZES: Mapping[str, int] = {"train": 1500, "valid": 220, "test": 150}
FILES: Mapping[str, str] = {"train": "duie_train.json", "valid": "duie_dev.json", "test": "duie_test2.json"}
SCHEMA_FILE = "duie_schema.json"
LENGTHS = range(15, 61)  # characters of a sentence

# Dirt, as chances per sentence.
EDGE_BLANK_SHARE = 0.04
FULL_WIDTH_SHARE = 0.04
EMOJI_SHARE = 0.04
MARKED_SHARE = 0.05  # the names of works keep their 《》 in the triples


def generate(out: Path, seed: int = 0) -> dict[str, list[Example]]:
    """Writes the four files into `out` and returns the sentences of each split, those of test with their triples.

    Raises: UserError if a file cannot be written.
    """
    splits = build(seed)
    schema = [
        {"object_type": one.object, "predicate": name, "subject_type": one.subject}
        for name, one in words.SCHEMA.items()
    ]
    _write(Path(out) / SCHEMA_FILE, schema)
    for split, examples in splits.items():
        _write(Path(out) / FILES[split], [_line(example, split) for example in examples])
    return splits


def build(seed: int = 0) -> dict[str, list[Example]]:
    """Returns the sentences of train, valid and test; no text stands there twice."""
    rng = random.Random(seed)
    writer = Writer(rng)
    texts: set[str] = set()
    splits: dict[str, list[Example]] = {}
    for split, size in SIZES.items():
        splits[split] = []
        while len(splits[split]) < size:
            example = _soiled(rng, *writer.sentence())
            if example.text not in texts and len(example.text) in LENGTHS:
                texts.add(example.text)
                splits[split].append(example)
    return splits


def _write(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _line(example: Example, split: str) -> dict[str, Any]:
    if split == "test":
        return {"text": example.text}
    return {"text": example.text, "spo_list": [_entry(triple) for triple in example.triples]}


def _entry(triple: Triple) -> dict[str, Any]:
    types, values = words.SCHEMA[triple.predicate], dict(triple.object)
    slots = [slot for slot in types.object if slot in values]
    return {
        "predicate": triple.predicate,
        "object_type": {slot: types.object[slot] for slot in slots},
        "subject_type": types.subject,
        "object": {slot: values[slot] for slot in slots},
        "subject": triple.subject,
    }


def _soiled(rng: random.Random, text: str, triples: list[Triple]) -> Example:
    """Returns the sentence with the dirt of real lines."""
    if rng.random() < EMOJI_SHARE:
        text += rng.choice(words.EMOJI)
    if rng.random() < EDGE_BLANK_SHARE:
        text = rng.choice((" {}", "{} ", "\u3000{}")).format(text)
    if rng.random() < MARKED_SHARE:
        triples = _mapped(triples, lambda name: f"《{name}》" if f"《{name}》" in text else name)
    if rng.random() < FULL_WIDTH_SHARE:
        text, triples = _full_width(text), _mapped(triples, _full_width)
    return Example(text, tuple(triples))


def _mapped(triples: Iterable[Triple], change: Callable[[str], str]) -> list[Triple]:
    """Returns the triples with their names changed."""
    return [
        Triple(change(one.subject), one.predicate, tuple((slot, change(value)) for slot, value in one.object))
        for one in triples
    ]


def _full_width(text: str) -> str:
    """ASCII `!` to `~` becomes U+FF01 to U+FF5E."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
