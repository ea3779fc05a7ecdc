"""The label ceiling: gold answers to labels and back through the very search of predictions, scored officially."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from competitions.lic2020_mrc import scoring
from competitions.lic2020_mrc.data import Example, RawData
from competitions.lic2020_mrc.evaluation import is_exact
from competitions.lic2020_mrc.extraction import AnswerSearch
from competitions.lic2020_mrc.feed import answers_of
from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.arrays import Ragged, Split
from shared.task import Labels, Prepared
from shared.training.prediction_batches import prediction_batches

WINDOWS_AT_ONCE = 64
SURE = 1000.0  # how far the logits of a perfect model are apart
REASONS = ("too long", "window", "boundary", "not in text")


def ceiling(raw: RawData, prepared: Prepared, settings: Settings) -> dict[str, Any]:
    """Returns for train and valid the official figures of a perfect model, and the questions it gets wrong.

    A perfect model knows where the answers are labelled and gives the one that scores best. `lost` counts each question
    without an exact match under the first reason that holds for one of its answers: `too long`: it has more tokens
    than predict.max_answer_length; `window`: it lies whole in no window; `boundary`: it begins or ends inside a token,
    or at a blank, for which there is none; `not in text`: it is blank or no part of the passage.
    """
    return {
        name: _ceiling(getattr(raw, name), prepared.splits[name], prepared.labels, settings)
        for name in ("train", "valid")
    }


def _ceiling(examples: Sequence[Example], split: Split, labels: Labels, settings: Settings) -> dict[str, Any]:
    found: list[list[str]] = [[] for _ in examples]
    counts = split.ragged("spans").lengths // 2
    for number in range(int(counts.max(initial=0))):
        rows = np.flatnonzero(counts > number)
        for row, text in zip(rows.tolist(), perfect_answers(split.take(rows), number, labels, settings), strict=True):
            found[row].append(text)
    answers = {example.id: _best(example, texts) for example, texts in zip(examples, found, strict=True)}
    figures = scoring.score([(example.id, _golden(example)) for example in examples], answers)
    reasons = _Reasons(split, labels, settings.predict.max_answer_length)
    lost = Counter(
        reasons.of(row, example)
        for row, example in enumerate(examples)
        if not is_exact(_golden(example), answers[example.id])
    )
    return {"f1": figures["f1"], "em": figures["em"], "lost": {reason: lost[reason] for reason in REASONS}}


def perfect_answers(split: Split, number: int, labels: Labels, settings: Settings) -> list[str]:
    """Returns what is answered if the windows' logits say exactly where a labelled answer of each row is.

    Args: number: which of the row's `spans`; every row has that many.
    """
    field = split.ragged("spans")
    spans = field.values.reshape(-1, 2)[field.offsets[:-1] // 2 + number]
    windowed = WindowedSplit(Split({**split, "spans": Ragged.of(list(spans), np.int32)}), labels)
    columns, offsets = answers_of(windowed)
    search = AnswerSearch(windowed, settings)
    for units, width in prediction_batches(windowed.lengths, WINDOWS_AT_ONCE, settings.train.bucket_lengths):
        target = np.zeros((len(units), 2), np.int64)  # [CLS]
        has_answer = offsets[units + 1] > offsets[units]
        target[has_answer] = columns[offsets[units][has_answer]]
        start, end = ((np.arange(width) == target[:, side, None]) * SURE for side in (0, 1))
        search.add(units, start, end)
    return search.outputs()["answer"]


class _Reasons:
    """Says why a question cannot be answered."""

    def __init__(self, split: Split, labels: Labels, max_answer_length: int):
        self.split, self.max_answer_length = split, max_answer_length
        self.spans = split.ragged("spans")
        self.starts, self.ends = split.ragged("char_starts"), split.ragged("char_ends")
        windowed = WindowedSplit(split, labels)
        self.windows, self.shift = windowed.windows, windowed.shift
        self.first_window = np.searchsorted(self.windows.row, np.arange(split.rows + 1))

    def of(self, row: int, example: Example) -> str:
        """Returns the first of REASONS that holds for one of the answers."""
        reasons = {self._of_span(row, example, start, end) for start, end in self.spans[row].reshape(-1, 2).tolist()}
        return next((reason for reason in REASONS if reason in reasons), REASONS[-1])

    def _of_span(self, row: int, example: Example, start: int, end: int) -> str:
        text = example.context[self.starts[row][start] : self.ends[row][end - 1]]
        windows = slice(self.first_window[row], self.first_window[row + 1])
        if not is_exact(_golden(example), text):
            return "boundary"
        if not np.any((self.windows.start[windows] <= start) & (end <= self.windows.end[windows])):
            return "window"
        return "too long"


def _best(example: Example, texts: Sequence[str]) -> str:
    def rank(text: str) -> tuple[bool, float]:
        gold = [(example.id, _golden(example))]
        return is_exact(_golden(example), text), scoring.score(gold, {example.id: text})["f1"]

    return max(texts, key=rank, default="")


def _golden(example: Example) -> list[str]:
    return [answer.text for answer in example.answers]
