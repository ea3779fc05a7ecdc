"""The trivial baseline that a model has to beat: triggers and arguments known from training that stand in the text.

It knows no language but the form of a date. What it scores says how much of the data is told again; a model must do
better than remember.
"""

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs
from shared.text.name_finder import NameFinder

MIN_SHARE = 0.5  # a phrase is believed if more of the sentences with it bear it out than do not
TIME_ROLE = "时间"
DATE = r"(?:\d{2,4}年(?:\d{1,2}月(?:\d{1,2}[日号])?)?|\d{1,2}月(?:\d{1,2}[日号]|[上中下]旬|[初底末])?|\d{1,2}[日号])"
DAY = r"(?:[今昨前明当][天日晚晨早]|近日|日前|近期|目前|去年|今年|(?:本周|上周|周|星期)[一二三四五六日天])"
HOUR = (
    r"(?:凌晨|清晨|早上|早间|上午|中午|下午|傍晚|晚上|晚间|夜间|晚)?"
    r"(?:\d{1,2}(?:[时点](?:\d{1,2}分|半)?|[:：]\d{2}))?(?:许|左右)?"
)
TIME = re.compile(rf"(?:北京时间|当地时间)?(?:{DATE}|{DAY})(?:[（(]{DATE}[)）])?{HOUR}")

OfficialEvent = dict[str, Any]
Role = tuple[str, str]  # event type, role


class Shares:
    """How often each of some things came true, of the times that it might have."""

    def __init__(self) -> None:
        self.true, self.all = Counter[Hashable](), Counter[Hashable]()

    def count(self, thing: Hashable, true: bool) -> None:
        """Counts one more time."""
        self.all[thing] += 1
        self.true[thing] += true

    def __getitem__(self, thing: Hashable) -> float:
        return self.true[thing] / self.all[thing] if self.all[thing] else 0.0


class EventDictionary:
    """What the sentences of training say of events: which triggers and arguments there are, and what they are worth."""

    def __init__(self, texts: Sequence[str], event_lists: Sequence[Sequence[OfficialEvent]]):
        """Learns from sentences: their texts, and for each its events in the official form."""
        self.types: dict[str, set[str]] = defaultdict(set)  # trigger -> event types
        self.roles: dict[str, set[Role]] = defaultdict(set)  # argument -> (event type, role)
        for event in itertools.chain.from_iterable(event_lists):
            self.types[event["trigger"]].add(event["event_type"])
            for argument in event["arguments"]:
                self.roles[argument["argument"]].add((event["event_type"], argument["role"]))
        self.timed = {event_type for event_type, role in set().union(*self.roles.values()) if role == TIME_ROLE}
        self.trigger_finder, self.argument_finder = NameFinder(self.types), NameFinder(self.roles)
        self.type_shares, self.role_shares, self.time_shares = Shares(), Shares(), Shares()
        for text, events in zip(texts, event_lists, strict=True):
            self._count(text, events)

    def _count(self, text: str, events: Sequence[OfficialEvent]) -> None:
        """Counts what one sentence bears out of its triggers, arguments and date."""
        types = {event["event_type"] for event in events}
        filled = {(event["event_type"], one["role"], one["argument"]) for event in events for one in event["arguments"]}
        for trigger in self.trigger_finder.find(text):
            for event_type in self.types[trigger]:
                self.type_shares.count((trigger, event_type), event_type in types)
        for argument in self.argument_finder.find(text):
            for event_type, role in self.roles[argument]:
                if event_type in types:
                    self.role_shares.count((argument, event_type, role), (event_type, role, argument) in filled)
        date = TIME.search(text)
        if date:
            for event_type in types & self.timed:
                self.time_shares.count(event_type, (event_type, TIME_ROLE, date[0]) in filled)

    def events(self, text: str) -> tuple[list[OfficialEvent], list[list[float]]]:
        """Returns one event for each event type that a trigger in the text speaks for, with what is known of its roles.

        The confidence of an argument, second, is its share times that of the trigger.
        """
        types: dict[str, float] = {}
        for trigger in self.trigger_finder.find(text):
            for event_type in self.types[trigger]:
                types[event_type] = max(types.get(event_type, 0.0), self.type_shares[trigger, event_type])
        answers: dict[str, dict[tuple[str, str], float]] = {
            event_type: {} for event_type in sorted(types) if types[event_type] >= MIN_SHARE
        }
        for argument in self.argument_finder.find(text):
            for event_type, role in sorted(self.roles[argument]):
                share = self.role_shares[argument, event_type, role]
                if event_type in answers and share >= MIN_SHARE:
                    answers[event_type][role, argument] = types[event_type] * share
        date = TIME.search(text)
        for event_type, found in answers.items():
            if date and event_type in self.timed and not any(role == TIME_ROLE for role, _ in found):
                found[TIME_ROLE, date[0]] = types[event_type] * self.time_shares[event_type]
        kept = [(event_type, _longest(found)) for event_type, found in answers.items()]
        events = [
            {"event_type": event_type, "arguments": [{"role": role, "argument": argument} for role, argument in found]}
            for event_type, found in kept
        ]
        return events, [list(found.values()) for _, found in kept]


def _longest(found: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Leaves out each argument that lies within a longer one of its role."""
    return {
        (role, argument): confidence
        for (role, argument), confidence in found.items()
        if not any(role == other and argument != longer and argument in longer for other, longer in found)
    }


def baselines(train: Split, valid: Split, settings: Settings, labels: Labels) -> dict[str, Outputs]:
    """Returns for each baseline, by name, its outputs on `valid`: `events` and `confidence`, lists row by row."""
    texts, event_lists = train.ragged("text").texts(), train.ragged("event_list").texts()
    rows = np.arange(train.rows)
    if train.rows > settings.evaluate.baseline_rows:
        rng = np.random.default_rng(settings.train.seed)
        rows = np.sort(rng.choice(train.rows, settings.evaluate.baseline_rows, replace=False))
    known = EventDictionary([texts[row] for row in rows], [json.loads(event_lists[row]) for row in rows])
    return {"train_dictionary": train_dictionary(known, valid.ragged("text").texts())}


def train_dictionary(known: EventDictionary, texts: Sequence[str]) -> dict[str, list[Any]]:
    """Returns for each text the events that `known` finds in it: `events`, and `confidence` of their arguments."""
    found = [known.events(text) for text in texts]
    return {"events": [events for events, _ in found], "confidence": [confidence for _, confidence in found]}
