"""The trivial baseline that a model has to beat: triples known from training whose names stand in the text.

It knows no language. What it scores says how much of the data is told again; a model must do better than remember.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from competitions.lic2020_re.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs
from shared.text.name_finder import NameFinder

# The best threshold for F1 is half of the F1 that it gives (Lipton et al., https://arxiv.org/abs/1402.1892). On 1405
# official dev lines (4381 to learn from) that is .141 at 0.1, .137 at 0.5 and .126 at 1.
MIN_CONFIDENCE = 0.1
OfficialTriple = dict[str, Any]


@dataclass(frozen=True)
class TripleDictionary:
    """The triples of some sentences. triples: official form; names: subject and values of each; confidence: (triples,).

    The confidence of a triple is the share of the sentences with all its names that tell it.
    """

    triples: list[OfficialTriple]
    names: list[frozenset[str]]
    by_subject: dict[str, list[int]]
    finder: NameFinder
    confidence: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], triples: Sequence[Sequence[OfficialTriple]]) -> "TripleDictionary":
        """Learns from sentences: their texts, and for each its triples."""
        numbers: dict[tuple[Any, ...], int] = {}
        unique: list[OfficialTriple] = []
        told: list[set[int]] = []
        for row in triples:
            told.append(set())
            for triple in row:
                key = (triple["predicate"], triple["subject"], *sorted(triple["object"].items()))
                if key not in numbers:
                    numbers[key] = len(unique)
                    unique.append(triple)
                told[-1].add(numbers[key])
        names = [frozenset((triple["subject"], *triple["object"].values())) for triple in unique]
        by_subject: dict[str, list[int]] = defaultdict(list)
        for number, triple in enumerate(unique):
            by_subject[triple["subject"]].append(number)
        dictionary = cls(unique, names, dict(by_subject), NameFinder(set().union(*names)), np.ones(len(unique)))
        with_names, telling = np.zeros(len(unique), np.int64), np.zeros(len(unique), np.int64)
        for text, own in zip(texts, told, strict=True):
            found = dictionary.candidates(text)
            with_names[found] += 1
            telling[[number for number in found if number in own]] += 1
        dictionary.confidence[:] = telling / np.maximum(with_names, 1)
        return dictionary

    def candidates(self, text: str) -> list[int]:
        """Returns the numbers of the triples whose names all stand in the text, in rising order."""
        found = set(self.finder.find(text))
        numbers = (number for name in found for number in self.by_subject.get(name, ()))
        return sorted(number for number in numbers if self.names[number] <= found)


def baselines(train: Split, valid: Split, settings: Settings, labels: Labels) -> dict[str, Outputs]:
    """Returns for each baseline, by name, its outputs on `valid`: `triples` and `confidence`, lists row by row."""
    texts, spo_lists = train.ragged("text").texts(), train.ragged("spo_list").texts()
    rows = np.arange(train.rows)
    if train.rows > settings.evaluate.baseline_rows:
        rng = np.random.default_rng(settings.train.seed)
        rows = np.sort(rng.choice(train.rows, settings.evaluate.baseline_rows, replace=False))
    known = TripleDictionary.of([texts[row] for row in rows], [json.loads(spo_lists[row]) for row in rows])
    return {"train_dictionary": train_dictionary(known, valid.ragged("text").texts())}


def train_dictionary(known: TripleDictionary, texts: Sequence[str]) -> dict[str, list[list[Any]]]:
    """Returns for each text the known triples whose names all stand in it, from MIN_CONFIDENCE on."""
    found = [
        [number for number in known.candidates(text) if known.confidence[number] >= MIN_CONFIDENCE] for text in texts
    ]
    return {
        "triples": [[known.triples[number] for number in row] for row in found],
        "confidence": [known.confidence[row].tolist() for row in found],
    }
