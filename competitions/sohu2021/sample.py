"""Writes the bundled sample: invented Chinese news in the official layout of Sohu 2021.

The same seed gives the same bytes everywhere. Every text tells an event, a triple (topic, actor, action) of
`sample_words.py`. A asks for the same topic, B for the same triple. How the pairs are drawn, and why:

- The kinds of pair (same event; same topic only; other topic) are equally frequent in A and B folders. A pair with the
  same topic only is 1 in A and 0 in B, so the subtask must be read.
- Topic, actor and action of either text alone are uniform in every kind of pair, so both texts must be read.
- A value that both texts share is often put in other words, and texts of different events share names, verbs and
  filling phrases, so counting common characters says little. It must say something: from a few thousand pairs a model
  without pretraining learns first that equal characters match, and only then that different words mean the same.

The constants below set size and difficulty. On valid, surface similarity with logistic regression scores F1 .53 at
threshold .5, always answering 1 scores .51, the lexicon at hand 1.0: see tests/competitions/sohu2021/test_sample.py.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from competitions.sohu2021 import sample_words as words
from competitions.sohu2021.variants import VARIANTS, Variant
from shared.files import write_text

# Pairs per variant of each length. Time to train grows with the first row; short pairs cost the least.
SIZES: Mapping[str, Mapping[str, int]] = {
    "train": {"ss": 1500, "sl": 360, "ll": 150},
    "valid": {"ss": 80, "sl": 80, "ll": 80},
    "test": {"ss": 50, "sl": 50, "ll": 50},
}
FILES: Mapping[str, str] = {"train": "train.txt", "valid": "valid.txt", "test": "test_with_id.txt"}

# Difficulty. Fewer values and fewer forms of each are easier: every pair of forms is then seen more often. The word
# lists have more: up to 8 topics of 4 forms, 6 actors and 4 actions of 3.
NUM_TOPICS = 6
NUM_ACTORS = 4
NUM_ACTIONS = 3
NUM_TOPIC_FORMS = 2
NUM_OTHER_FORMS = 2

# Shares of the kinds of pair; the rest has different topics. Positives are .42 in A and .28 in B.
SAME_EVENT_SHARE = 0.28
SAME_TOPIC_SHARE = 0.14
# Which of (actor, action) the two texts share when the event is another one, and how often.
SHARED_IN_SAME_TOPIC: Mapping[tuple[bool, bool], float] = {(True, False): 0.4, (False, True): 0.4, (False, False): 0.2}
SHARED_IN_OTHER_TOPIC: Mapping[tuple[bool, bool], float] = {
    (True, True): 0.35,
    (True, False): 0.2,
    (False, True): 0.2,
    (False, False): 0.25,
}

# Chance that a shared value is told in the same form, where the topic is the same and where it is not ("hard").
# Raising the first or lowering the second makes the sample easier, for models and for baselines.
SHARED_FORM_SHARE = 0.65
HARD_SHARED_FORM_SHARE = 0.5
# Chance that both texts have the same headline pattern and filling phrases, likewise.
SHARED_FRAME_SHARE = 0.15
HARD_SHARED_FRAME_SHARE = 0.55

# Dirt, as chances per pair; labels are flipped in train only.
FLIPPED_SHARE = 0.01
LEADING_BLANKS_SHARE = 0.15
FULL_WIDTH_SHARE = 0.03
EMOJI_SHARE = 0.01
URL_SHARE = 0.01
ZERO_WIDTH_SHARE = 0.01
CUT_SHARE = 0.04
EQUAL_TEXTS_SHARE = 0.06  # of the pairs of the same event with texts of equal length class
REPEATED_SHARE = 0.01  # a line that stands in its file twice
BOTH_KINDS_SHARE = 0.05  # a pair that stands in the A and in the B file


class Event(NamedTuple):
    """What a text tells: keys of `sample_words.TOPICS`, `ACTORS` and `ACTIONS`."""

    topic: str
    actor: str
    action: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the sample with what it was made from; `flipped` says that its label was turned over as noise."""

    variant: Variant
    source_event: Event
    target_event: Event
    source: str
    target: str
    flipped: bool = False

    @property
    def meaning(self) -> int:
        """The true label: 1 for the same topic (A) or the same event (B)."""
        if self.variant.kind == "a":
            return int(self.source_event.topic == self.target_event.topic)
        return int(self.source_event == self.target_event)

    @property
    def label(self) -> int:
        """The label written."""
        return self.meaning ^ int(self.flipped)


def generate(out: Path, seed: int = 0) -> dict[str, list[Pair]]:
    """Writes the six folders below `out` and returns the pairs of each split.

    Raises: UserError if a file cannot be written.
    """
    splits = build(seed)
    for split, pairs in splits.items():
        for variant in VARIANTS:
            lines = [_line(pair, split, number) for number, pair in enumerate(p for p in pairs if p.variant == variant)]
            write_text(Path(out) / variant.folder / FILES[split], "".join(f"{line}\n" for line in lines))
    return splits


def build(seed: int = 0) -> dict[str, list[Pair]]:
    """Returns the pairs of train, valid and test, those of a variant in the order of its file."""
    rng = random.Random(seed)
    return {split: _split_pairs(rng, split, sizes) for split, sizes in SIZES.items()}


def _line(pair: Pair, split: str, number: int) -> str:
    fields = {"source": pair.source, "target": pair.target}
    if split == "test":
        fields["id"] = pair.variant.id(number)
    else:
        fields[pair.variant.label_field] = str(pair.label)
    return json.dumps(fields, ensure_ascii=False)


def _split_pairs(rng: random.Random, split: str, sizes: Mapping[str, int]) -> list[Pair]:
    pairs: list[Pair] = []
    of_kind_a: list[Pair] = []
    for variant in VARIANTS:  # A before B of each length, see `variants.py`
        size = sizes[variant.length]
        own = [_pair(rng, variant, *events) for events in _event_pairs(rng, size)]
        if variant.kind == "a":
            of_kind_a = own
        else:
            for number in rng.sample(range(size), round(BOTH_KINDS_SHARE * size)):
                own[number] = replace(of_kind_a[number], variant=variant)
        if split == "train":
            for number in rng.sample(range(size), round(FLIPPED_SHARE * size)):
                own[number] = replace(own[number], flipped=True)
        for number in rng.sample(range(1, size), round(REPEATED_SHARE * size)):
            own[number] = own[number - 1]
        pairs += own
    return pairs


def _event_pairs(rng: random.Random, size: int) -> list[tuple[Event, Event]]:
    """Returns shuffled pairs of events in the shares set above, the sources' topics uniform in each kind."""
    num_same_event = round(SAME_EVENT_SHARE * size)
    num_same_topic = round(SAME_TOPIC_SHARE * size)
    topics, actors, actions = (
        _names(words.TOPICS, NUM_TOPICS),
        _names(words.ACTORS, NUM_ACTORS),
        _names(words.ACTIONS, NUM_ACTIONS),
    )
    result = []
    for number in range(size):
        source = Event(topics[number % NUM_TOPICS], rng.choice(actors), rng.choice(actions))
        if number < num_same_event:
            target = source
        else:
            same_topic = number < num_same_event + num_same_topic
            same_actor, same_action = _drawn(rng, SHARED_IN_SAME_TOPIC if same_topic else SHARED_IN_OTHER_TOPIC)
            target = Event(
                source.topic if same_topic else _another(rng, topics, source.topic),
                source.actor if same_actor else _another(rng, actors, source.actor),
                source.action if same_action else _another(rng, actions, source.action),
            )
        result.append((source, target))
    rng.shuffle(result)
    return result


def _names(values: Mapping[str, Sequence[str]], number: int) -> list[str]:
    if not 2 <= number <= len(values):
        raise ValueError(f"sample.py asks for {number} of {len(values)} values; 2 to {len(values)} can be had")
    return list(values)[:number]


def _another(rng: random.Random, names: list[str], name: str) -> str:
    return rng.choice([other for other in names if other != name])


def _drawn(rng: random.Random, chances: Mapping[tuple[bool, bool], float]) -> tuple[bool, bool]:
    return rng.choices(list(chances), list(chances.values()))[0]


def _pair(rng: random.Random, variant: Variant, source_event: Event, target_event: Event) -> Pair:
    lengths = list(variant.length)  # "s" or "l" for each text
    if rng.random() < 0.5:
        lengths.reverse()
    hard = source_event.topic != target_event.topic
    source_forms = {field: rng.choice(_forms(field, value)) for field, value in source_event._asdict().items()}
    target_forms = {}
    for field, value in target_event._asdict().items():
        shared = value == getattr(source_event, field)
        if shared and rng.random() < (HARD_SHARED_FORM_SHARE if hard else SHARED_FORM_SHARE):
            target_forms[field] = source_forms[field]
        else:
            rest = [form for form in _forms(field, value) if form != source_forms[field]]
            target_forms[field] = rng.choice(rest)
    frame_seeds = [rng.getrandbits(32), rng.getrandbits(32)]
    if rng.random() < (HARD_SHARED_FRAME_SHARE if hard else SHARED_FRAME_SHARE):
        frame_seeds[1] = frame_seeds[0]
    source, target = (
        _text(random.Random(frame_seed), rng, event, forms, length)
        for frame_seed, event, forms, length in zip(
            frame_seeds, (source_event, target_event), (source_forms, target_forms), lengths, strict=True
        )
    )
    if source_event == target_event and lengths[0] == lengths[1] and rng.random() < EQUAL_TEXTS_SHARE:
        target = source
    return Pair(variant, source_event, target_event, *_soiled(rng, source, target))


def _forms(field: str, value: str) -> tuple[str, ...]:
    if field == "topic":
        return words.TOPICS[value][:NUM_TOPIC_FORMS]
    return (words.ACTORS if field == "actor" else words.ACTIONS)[value][:NUM_OTHER_FORMS]


def _text(frame: random.Random, rng: random.Random, event: Event, forms: Mapping[str, str], length: str) -> str:
    """Returns a headline with the given forms; for length "l" three sentences with any forms of the event follow.

    Patterns and filling phrases are drawn from `frame`, forms from `rng`: texts of equal frame differ in forms only.
    """
    headline = frame.choice(words.HEADLINES)
    opening, ending = frame.choice(words.OPENINGS), frame.choice(words.ENDINGS)
    text = headline.replace("{open}", opening).replace("{end}", ending)
    text = _filled(frame, text, forms)
    if length == "s":
        return text
    groups = [words.TOPIC_SENTENCES, words.ACTOR_SENTENCES, words.ACTION_SENTENCES]
    sentences = [frame.choice(group) for group in groups]
    sentences[frame.randrange(3)] = frame.choice(words.FILLING_SENTENCES)
    frame.shuffle(sentences)
    for sentence in sentences:
        again = {field: rng.choice(_forms(field, value)) for field, value in event._asdict().items()}
        text += ("" if text.endswith(("。", "…")) else "。") + _filled(frame, sentence, again)
    return text


def _filled(frame: random.Random, pattern: str, forms: Mapping[str, str]) -> str:
    text = pattern
    for key, form in forms.items():
        text = text.replace(f"{{{key}}}", form)
    while "{" in text:
        text = text.replace("{date}", f"{frame.randint(1, 12)}月{frame.randint(1, 28)}日", 1)
        text = text.replace("{outlet}", frame.choice(words.OUTLETS), 1)
        text = text.replace("{number}", str(frame.randint(2, 99) * frame.choice((1, 10))), 1)
    return text


def _soiled(rng: random.Random, source: str, target: str) -> tuple[str, str]:
    """Returns the texts with the dirt of real lines; none of it hides a word that counts."""
    if rng.random() < FULL_WIDTH_SHARE:
        target = "".join(_full_width(character) for character in target)
    if rng.random() < CUT_SHARE and target.endswith("。"):
        target = target[:-1]
    if rng.random() < EMOJI_SHARE:
        source += rng.choice(words.EMOJI)
    if rng.random() < URL_SHARE:
        source += rng.choice(words.URLS).replace("{number}", str(rng.randrange(10**6)))
    if rng.random() < ZERO_WIDTH_SHARE:
        place = rng.randrange(len(target) + 1)
        target = target[:place] + "\u200b" + target[place:]
    if rng.random() < LEADING_BLANKS_SHARE:
        target = "  " + target
    return source, target


def _full_width(character: str) -> str:
    """ASCII `!` to `~` becomes U+FF01 to U+FF5E."""
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
