"""Scores of labels to events: what prediction and the label ceiling have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from competitions.lic2020_ee.labelling import SCHEMES, Roles
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.task import Labels
from shared.training.feed import Arrays

Arguments = dict[tuple[int, str], float]  # (index of the (event type, role), text) -> confidence


@dataclass(frozen=True)
class Answer:
    """The events of a row: one for each event type found, in the official form, and the confidence of its arguments."""

    events: list[dict[str, Any]]
    confidence: list[list[float]]


class Extractor:
    """Finds the events of a split's rows.

    Args: split: with char_starts, char_ends and text. labels: of the model or of the prepared data.
    """

    def __init__(self, split: Split, settings: Settings, labels: Labels):
        self.scheme, self.roles = SCHEMES[labels["scheme"]], Roles.of(labels["roles"])
        self.role_names, self.settings = labels["roles"], settings.predict
        self.texts = split.ragged("text").texts()
        self.char_starts, self.char_ends = split.ragged("char_starts"), split.ragged("char_ends")

    def arguments(self, scores: Arrays, rows: np.ndarray) -> Iterator[tuple[int, list[tuple[int, str, float]]]]:
        """Yields each row number with its arguments by rising place: role index, text and confidence.

        Args: scores: of these rows, as `Scheme.spans` takes them. rows: (batch,) int, row numbers.
        """
        width = (scores["logits"] if "logits" in scores else scores["starts"]).shape[-2]
        inside = self.char_ends.padded(rows, width) > 0  # [CLS], [SEP] and padding end at 0
        spans, confidence = self.scheme.spans(scores, inside, self.settings.threshold, self.roles)
        found: list[list[tuple[int, str, float]]] = [[] for _ in rows]
        order = np.lexsort((spans.label, spans.end, spans.start))
        columns = [column[order].tolist() for column in (*spans, confidence)]
        for place, role, start, end, sure in zip(*columns, strict=True):
            row = rows[place]
            first, last = self.char_starts[row][start], self.char_ends[row][end - 1]
            found[place].append((role, self.texts[row][first:last], sure))
        yield from zip(rows.tolist(), found, strict=True)

    def answer(self, found: list[tuple[int, str, float]]) -> Answer:
        """Returns the answer of a row; of equal arguments of one role the surest counts.

        With predict.arguments: original a text keeps one role: the published baseline collects the arguments of a
        sentence in a dictionary by their text, where a later one replaces the role of an earlier.
        """
        chosen: Arguments = {}
        for role, text, sure in found:
            chosen[role, text] = max(sure, chosen.get((role, text), 0.0))
        if self.settings.arguments == "original":
            last = {text: role for role, text, _ in found}
            chosen = {(role, text): sure for (role, text), sure in chosen.items() if last[text] == role}
        events: dict[str, list[dict[str, str]]] = {}
        confidence: dict[str, list[float]] = {}
        for (index, text), sure in sorted(chosen.items(), key=lambda item: self.roles.type_of[item[0][0]]):
            event_type, role = self.role_names[index]
            events.setdefault(event_type, []).append({"role": role, "argument": text})
            confidence.setdefault(event_type, []).append(sure)
        listed = [{"event_type": event_type, "arguments": arguments} for event_type, arguments in events.items()]
        return Answer(listed, list(confidence.values()))
