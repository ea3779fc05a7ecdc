"""Writes the bundled sample: invented Chinese sentences with their events in the official layout of DuEE 1.0.

The same seed gives the same bytes everywhere. How a sentence is made, and why:

- It has one or two clauses of `sample_words.py` that tell events, and some that tell none. One word decides what a name
  is: `击败`, `被` or `后者胜出` the winner and the loser, `死亡` or `受伤` the number, `没有` that nothing happened.
- Names are put together anew from few characters, see `sample_names.py`, so that most arguments of dev are new.
- Names and dates that play no part stand before, between and behind the clauses, so that a name alone says nothing.
- If the first clause has a date and the second none, the date is that of both events.

The constants below and in `sample_names.py` set size and difficulty. On dev, the arguments of train that stand in the
text score F1 .3: see tests/competitions/lic2020_ee/test_sample.py.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from competitions.lic2020_ee import sample_words as words
from competitions.lic2020_ee.data import Argument, Event, Example, official
from competitions.lic2020_ee.sample_names import Names, Slots
from competitions.lic2020_ee.schema import EventType, Schema
from shared.files import write_text

SIZES: Mapping[str, int] = {"train": 1100, "valid": 190, "test": 150}
FILES: Mapping[str, str] = {"train": "duee_train.json", "valid": "duee_dev.json", "test": "duee_test1.json"}
SCHEMA_FILE = "duee_event_schema.json"
LENGTHS = range(15, 61)  # characters of a sentence
DISTRACTOR_SHARE = 0.3  # test sentences without an event

# What a sentence tells, as weights.
PLANS: Mapping[str, float] = {
    "one": 0.68,
    "same type twice": 0.1,
    "two types": 0.06,
    "double clause": 0.1,
    "bare": 0.06,
}

# Difficulty: raising any of these makes the sample harder.
TIME_SHARE = 0.35  # clauses with a date
OPTIONAL_SHARE = 0.35  # parts in []
BETWEEN_SHARE = 0.15  # sentences with a clause that tells nothing
DENIED_SHARE = 0.3  # sentences with a clause whose event is denied
LATER_SHARE = 0.1  # sentences that name an argument before the clause in which it is annotated

# Dirt, as chances per sentence; aliases per argument that is a company.
LINE_BREAK_SHARE = 0.08
EDGE_BLANK_SHARE = 0.03
FULL_WIDTH_SHARE = 0.03
EMOJI_SHARE = 0.03
ALIAS_SHARE = 0.05

SCHEMA = Schema({name: EventType(name.split("-")[0], roles) for name, roles in words.SCHEMA.items()})
TYPES = {name.split("-")[1]: name for name in words.SCHEMA}  # tag of the trigger -> event type
TAG = re.compile("<(/?)([^<>]+)>")
TIME = "时间"


class Span(NamedTuple):
    """A marked part of a text, half-open. tag: as in the markup."""

    tag: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Told:
    """One event, while its text is put together. arguments: marked with their roles."""

    type: str
    trigger: Span
    arguments: tuple[Span, ...]


@dataclass(slots=True)
class Draft:
    """A sentence under construction."""

    text: str = ""
    events: list[Told] = field(default_factory=list)

    def add(self, other: "Draft") -> None:
        """Appends text with its events."""
        shift = len(self.text)
        for event in other.events:
            trigger, *arguments = (
                Span(tag, start + shift, end + shift) for tag, start, end in (event.trigger, *event.arguments)
            )
            self.events.append(replace(event, trigger=trigger, arguments=tuple(arguments)))
        self.text += other.text


def generate(out: Path, seed: int = 0) -> dict[str, list[Example]]:
    """Writes the four files into `out` and returns the sentences of each split, those of test with their events.

    Raises: UserError if a file cannot be written.
    """
    splits = build(seed)
    schema = [
        {
            "event_type": name,
            "role_list": [{"role": role} for role in one.roles],
            "id": _md5(name),
            "class": one.event_class,
        }
        for name, one in SCHEMA.event_types.items()
    ]
    _write(Path(out) / SCHEMA_FILE, schema)
    for split, examples in splits.items():
        _write(Path(out) / FILES[split], [_line(example, split) for example in examples])
    return splits


def build(seed: int = 0) -> dict[str, list[Example]]:
    """Returns the sentences of train, valid and test; no text stands there twice."""
    writer = Writer(random.Random(seed))
    ids: set[str] = set()
    splits: dict[str, list[Example]] = {}
    for split, size in SIZES.items():
        splits[split] = []
        while len(splits[split]) < size:
            example = writer.sentence(distractor_share=DISTRACTOR_SHARE if split == "test" else 0.0)
            if example.id not in ids and len(example.text) in LENGTHS:
                ids.add(example.id)
                splits[split].append(example)
    return splits


def _write(file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _line(example: Example, split: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"text": example.text, "id": example.id}
    if split != "test":
        fields["event_list"] = [official(event, SCHEMA) for event in example.events]
    return fields


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


class Writer:
    """Draws sentences."""

    def __init__(self, rng: random.Random):
        self.rng, self.names = rng, Names(rng)

    def chance(self, share: float) -> bool:
        """Returns True with this probability."""
        return self.rng.random() < share

    def sentence(self, distractor_share: float) -> Example:
        """Returns a sentence of any length with its events, dirt included."""
        draft = Draft(self.rng.choice((" ", "\u3000")) if self.chance(EDGE_BLANK_SHARE) else "")
        if self.chance(distractor_share):
            draft.add(self.clause(self.rng.choice(words.DISTRACTORS)))
        else:
            self.tell(draft)
        if self.chance(EMOJI_SHARE):
            draft.text += self.rng.choice(words.EMOJI)
        if self.chance(FULL_WIDTH_SHARE):
            draft.text = _full_width(draft.text)
        return self.finished(draft)

    def tell(self, draft: Draft) -> None:
        """Appends clauses and what stands around them."""
        draft.add(self.clause(self.rng.choice(words.OPENINGS)))
        clauses = [self.clause(pattern) for pattern in self.plan()]
        names = [clauses[0].text[one.start : one.end] for event in clauses[0].events for one in event.arguments]
        names = [name for name in names if name[0] in words.HEADS + words.SURNAMES]
        if names and self.chance(LATER_SHARE):
            draft.text += self.rng.choice(words.LATER_MENTIONS).format(self.rng.choice(names))
        if self.chance(BETWEEN_SHARE):
            clauses.insert(self.rng.randint(0, 1), self.clause(self.rng.choice(words.BETWEEN)))
        if self.chance(DENIED_SHARE):
            clauses.insert(self.rng.randint(0, 1), self.denied())
        for number, clause in enumerate(clauses):
            draft.text += self.separator() if number else ""
            draft.add(clause)
        _share_time(draft)
        draft.add(self.clause(self.rng.choice(words.ENDINGS)))

    def plan(self) -> list[str]:
        """Returns the clauses of a sentence in markup."""
        (plan,) = self.rng.choices(list(PLANS), list(PLANS.values()))
        if plan == "double clause":
            return [self.rng.choice(words.DOUBLE_CLAUSES)]
        if plan == "bare":
            return [self.rng.choice(words.BARE_CLAUSES)]
        one, other = self.rng.sample(list(words.CLAUSES), 2)
        types = {"one": [one], "same type twice": [one, one], "two types": [one, other]}[plan]
        return [self.rng.choice(words.CLAUSES[name]) for name in types]

    def separator(self) -> str:
        """Returns what stands between two clauses."""
        return "\n" if self.chance(LINE_BREAK_SHARE) else self.rng.choice("，，，；")

    def denied(self) -> Draft:
        """Returns a clause that says that its event did not happen."""
        patterns = [one for clauses in words.CLAUSES.values() for one in clauses if "{adverb}" in one]
        pattern = self.rng.choice(patterns).replace("{adverb}", self.rng.choice(words.DENIALS))
        return Draft(self.clause(pattern).text)

    def clause(self, pattern: str) -> Draft:
        """Returns a clause, filled, with its events."""
        pattern = pattern.replace("{adverb}", self.rng.choice(words.ADVERBS))
        pattern = re.sub(r"\[([^\]]*)\]", lambda part: part[1] if self.chance(OPTIONAL_SHARE) else "", pattern)
        places = pattern.split("{time}")
        if len(places) > 1 and self.chance(TIME_SHARE):
            place = self.rng.randrange(1, len(places))
            places[place] = f"<{TIME}>{{date}}</{TIME}>" + places[place]
        return _parsed("".join(places).format_map(Slots(self.names)))

    def finished(self, draft: Draft) -> Example:
        """Returns the sentence in the record of the reader; some companies get a short form as an alias."""
        text = draft.text
        events = []
        for told in draft.events:
            arguments = []
            for role, start, end in told.arguments:
                name = text[start:end]
                tail = next((one for one in words.COMPANY_TAILS if name.endswith(one)), "")
                short = (name.removesuffix(tail),) if tail and self.chance(ALIAS_SHARE) else ()
                arguments.append(Argument(role, name, start, short))
            _, start, end = told.trigger
            events.append(Event(told.type, text[start:end], start, tuple(arguments)))
        return Example(_md5(text), text, tuple(events))


def _parsed(markup: str) -> Draft:
    """Returns the text without tags and the events of its triggers, in the order of the text."""
    text, end = "", 0
    opened: dict[str, int] = {}
    spans: list[Span] = []
    for tag in TAG.finditer(markup):
        text += markup[end : tag.start()]
        end = tag.end()
        if tag[1]:
            spans.append(Span(tag[2], opened.pop(tag[2]), len(text)))
        else:
            opened[tag[2]] = len(text)
    spans.sort(key=lambda span: span.start)
    triggers = [span for span in spans if span.tag in TYPES]
    return Draft(text + markup[end:], [_told(trigger, spans) for trigger in triggers])


def _told(trigger: Span, spans: Sequence[Span]) -> Told:
    name = TYPES[trigger.tag]
    return Told(name, trigger, tuple(span for span in spans if span.tag in words.SCHEMA[name]))


def _share_time(draft: Draft) -> None:
    """Gives the first event's date to later ones that have none."""
    dates = [one for event in draft.events[:1] for one in event.arguments if one.tag == TIME]
    for number, event in enumerate(draft.events):
        if not any(one.tag == TIME for one in event.arguments):
            draft.events[number] = replace(event, arguments=(*dates, *event.arguments))


def _full_width(text: str) -> str:
    """ASCII `!` to `~` becomes U+FF01 to U+FF5E."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
