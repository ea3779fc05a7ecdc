"""Scores of labels to events: what prediction and the label ceiling have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from competitions.lic2020_ee.labelling import SCHEMES, Found, Roles
from competitions.lic2020_ee.settings import Settings
from competitions.lic2020_ee.span_decoding import dense, factored, linked_events, spans_above
from competitions.lic2020_ee.span_labels import GPLINKER, SPAN_SCHEMES
from shared.arrays import Split
from shared.task import Labels
from shared.training.feed import Arrays


class Mention(NamedTuple):
    """An argument of a row. role: index of the (event type, role), of triggers behind those; event: its number, rising
    with the event type."""

    role: int
    text: str
    confidence: float
    event: int


@dataclass(frozen=True)
class Answer:
    """The events of a row, in the official form, and the confidence of the arguments of each."""

    events: list[dict[str, Any]]
    confidence: list[list[float]]


class Extractor:
    """Finds the events of a split's rows: with gplinker by links between arguments, else one for each event type found.

    Args: split: with char_starts, char_ends and text. labels: of the model or of the prepared data.
    """

    def __init__(self, split: Split, settings: Settings, labels: Labels):
        self.scheme, self.roles = labels["scheme"], Roles.of(labels["roles"])
        self.role_names, self.settings = labels["roles"], settings.predict
        self.types = list(dict.fromkeys(event_type for event_type, _ in labels["roles"]))
        self.texts = split.ragged("text").texts()
        self.char_starts, self.char_ends = split.ragged("char_starts"), split.ragged("char_ends")

    def arguments(self, scores: Arrays, rows: np.ndarray) -> Iterator[tuple[int, list[Mention]]]:
        """Yields each row number with its arguments by rising place.

        Args: scores: of these rows, as `Scheme.spans` or `spans_above` and `linked_events` take them. rows: (batch,)
            int, row numbers.
        """
        axes = {"logits": -2, "starts": -2, "span_logits": -1, "span_factors": -1}  # that of the tokens
        width = next(scores[name].shape[axis] for name, axis in axes.items() if name in scores)
        inside = self.char_ends.padded(rows, width) > 0  # [CLS], [SEP] and padding end at 0
        (spans, confidence), event = self._found(scores, inside)
        found: list[list[Mention]] = [[] for _ in rows]
        order = np.lexsort((spans.label, spans.end, spans.start))
        columns = [column[order].tolist() for column in (*spans, confidence, event)]
        for place, role, start, end, sure, number in zip(*columns, strict=True):
            row = rows[place]
            first, last = self.char_starts[row][start], self.char_ends[row][end - 1]
            found[place].append(Mention(role, self.texts[row][first:last], sure, number))
        yield from zip(rows.tolist(), found, strict=True)

    def _found(self, scores: Arrays, inside: np.ndarray) -> tuple[Found, np.ndarray]:
        """Returns arguments and the event of each: (spans,) int."""
        threshold = self.settings.threshold
        if self.scheme in SPAN_SCHEMES:
            whole = "span_logits" in scores
            span_scores = dense(scores["span_logits"]) if whole else factored(scores["span_factors"])
            found = spans_above(span_scores, inside, threshold)
        else:
            found = SCHEMES[self.scheme].spans(scores, inside, threshold, self.roles)
        if self.scheme == GPLINKER:
            return linked_events(scores, found, self.roles, self.settings.link_threshold)
        return found, self.roles.type_of[found[0].label]

    def answer(self, found: list[Mention]) -> Answer:
        """Returns the answer of a row; of equal arguments of one role and event the surest counts.

        With predict.arguments: original a text keeps one role: the published baseline collects the arguments of a
        sentence in a dictionary by their text, where a later one replaces the role of an earlier. Of events of one type
        those that say nothing beyond another are left out, with predict.require_trigger those without a trigger too.
        """
        if self.settings.require_trigger and self.scheme == GPLINKER:
            triggered = {one.event for one in found if one.role >= len(self.roles)}
            found = [one for one in found if one.event in triggered]
        last = {one.text: one.role for one in found if one.role < len(self.roles)}
        chosen: dict[int, dict[tuple[int, str], float]] = {}  # by event: (role, text) -> confidence
        types: dict[int, str] = {}
        for role, text, sure, event in found:
            if role >= len(self.roles):
                types[event] = self.types[role - len(self.roles)]
                chosen.setdefault(event, {})
            elif self.settings.arguments == "complete" or last[text] == role:
                types[event] = self.role_names[role][0]
                arguments = chosen.setdefault(event, {})
                arguments[role, text] = max(sure, arguments.get((role, text), 0.0))
        events, confidence = [], []
        for event in _saying_most(chosen, types):
            listed = [{"role": self.role_names[role][1], "argument": text} for role, text in chosen[event]]
            events.append({"event_type": types[event], "arguments": listed})
            confidence.append(list(chosen[event].values()))
        return Answer(events, confidence)


def _saying_most(chosen: Mapping[int, Mapping[tuple[int, str], float]], types: Mapping[int, str]) -> list[int]:
    """Returns the events, rising, whose arguments are not all in another one of their type, nor in an equal earlier."""

    def more(one: int, other: int) -> bool:
        inner, outer = chosen[one].keys(), chosen[other].keys()
        return types[one] == types[other] and (inner < outer or (inner == outer and other < one))

    return [one for one in sorted(chosen) if not any(more(one, other) for other in chosen if other != one)]
