"""Writes the bundled sample: invented Chinese passages and questions in the official layout of DuReader-robust.

The same seed gives the same bytes everywhere. A passage tells some attributes of two or three entities of one kind
(`sample_words.py`), entity by entity or attribute by attribute; a question asks one attribute of one entity. What
makes it a reading task:

- The passage tells the same attributes of the other entities, and other attributes of the same entity, some with
  values of the same form (year built, year rebuilt). So neither entity nor attribute alone gives the answer.
- A question often asks in other words than the passage tells, and entities of a passage often share characters.
- Names and numbers are drawn anew for every passage, so few answers of valid were answers in train.
- In long passages the answer stands beyond the first 512 tokens, the other entities before.

The constants below set size and difficulty. On valid, the sentence most similar to the question scores F1 .2, its
clause after the match .4: see tests/competitions/lic2020_mrc/test_sample.py.
"""

import hashlib
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from competitions.lic2020_mrc import sample_words as words
from shared.files import write_text

# Questions on short and on long passages. A window of a long passage takes as long to train on as four short ones.
SIZES: Mapping[str, Mapping[str, int]] = {
    "train": {"short": 900, "long": 64},
    "valid": {"short": 146, "long": 14},
    "test": {"short": 110, "long": 10},
}
FILES: Mapping[str, str] = {"train": "train.json", "valid": "dev.json", "test": "test1.json"}
MAX_QUESTIONS = 3  # on a short passage; a long one has one

# Difficulty. Fewer ways to tell and to ask an attribute are easier: each pair of them is seen more often. The word
# lists have 3 of both.
NUM_CLAUSES = 3
NUM_QUESTIONS = 3
MAX_ENTITIES = 3
MAX_ATTRIBUTES = 4  # told of an entity; of three entities one less
SIMILAR_NAME_SHARE = 0.3  # names that share a character with another name of their passage
SAME_WORDS_SHARE = 0.2  # questions bound to use the words of the clause; the rest does so by chance
HEDGED_SHARE = 0.3  # values with a word before or after that may count as part of the answer
BY_ATTRIBUTE_SHARE = 0.25  # short passages told attribute by attribute, all entities in a sentence
PRONOUN_SHARE = 0.4  # entities told in two sentences, the second without the name
REPEATED_VALUE_SHARE = 0.1  # answers that also stand earlier, as another entity's value
FILLING_SHARE = 0.5  # passages with a sentence that tells nothing before or between the others

# Long passages: tokens before the answer's sentence, and bounds of the length in characters. Raising the second makes
# training slower, by two or three windows of each question for every 250 characters.
TOKENS_BEFORE = 512
LONG_LENGTH = (700, 1000)

# Dirt: chances per place between sentences,
LEFTOVER_SHARE = 0.06
EMOJI_SHARE = 0.03
CONTROL_SHARE = 0.005
# and per passage.
FULL_WIDTH_SHARE = 0.04
BLANKS_SHARE = 0.02  # blanks around the values, part of the annotated answer
TWO_PARAGRAPHS_SHARE = 0.05  # passages of several questions that stand in two paragraphs


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the sample. spans: golden answers, half-open in characters of the context, the annotated first."""

    id: str
    paragraph: int
    context: str
    question: str
    spans: tuple[tuple[int, int], ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """The golden answers."""
        return tuple(self.context[start:end] for start, end in self.spans)


class Fact(NamedTuple):
    """What a clause tells and a question asks: an entity's name and a key of `sample_words.ATTRIBUTES`."""

    entity: str
    attribute: str


class Clause(NamedTuple):
    """A clause to be told: its fact after a subject, which is the entity's name, a pronoun or empty."""

    subject: str
    fact: Fact


@dataclass(slots=True)
class Passage:
    """A passage under construction: its text and, of each fact told, the form of its clause and the golden spans."""

    text: str = ""
    forms: dict[Fact, int] = field(default_factory=dict)
    spans: dict[Fact, tuple[tuple[int, int], ...]] = field(default_factory=dict)


def generate(out: Path, seed: int = 0) -> dict[str, list[Question]]:
    """Writes the three files into `out` and returns the questions of each split.

    Raises: UserError if a file cannot be written.
    """
    splits = build(seed)
    for split, questions in splits.items():
        paragraphs = [_paragraph(split, list(group)) for _, group in groupby(questions, key=lambda q: q.paragraph)]
        document = {"data": [{"paragraphs": paragraphs, "title": ""}]}
        write_text(Path(out) / FILES[split], json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    return splits


def build(seed: int = 0) -> dict[str, list[Question]]:
    """Returns the questions of train, valid and test in the order of their files."""
    rng = random.Random(seed)
    return {split: _questions(rng, split, sizes) for split, sizes in SIZES.items()}


def _paragraph(split: str, questions: Sequence[Question]) -> dict[str, object]:
    qas = []
    for question in questions:
        entry: dict[str, object] = {"question": question.question, "id": question.id}
        if split == "valid":  # as in the official file
            entry["answers"] = [{"text": text, "answer_start": -1} for text in question.answers]
        elif split == "train":
            entry["answers"] = [{"text": question.answers[0], "answer_start": question.spans[0][0]}]
        qas.append(entry)
    return {"qas": qas, "context": questions[0].context}


def _questions(rng: random.Random, split: str, sizes: Mapping[str, int]) -> list[Question]:
    """Returns the questions of a split; long passages are spread among the short ones."""
    missing = dict(sizes)
    questions: list[Question] = []
    paragraph = 0
    while any(missing.values()):
        is_long = rng.random() < missing["long"] / sum(missing.values())
        length = "long" if is_long else "short"
        number = min(missing[length], 1 if is_long else rng.randint(1, MAX_QUESTIONS))
        passage, asked = _passage(rng, is_long, number)
        missing[length] -= len(asked)
        two = len(asked) > 1 and rng.random() < TWO_PARAGRAPHS_SHARE
        for index, fact in enumerate(asked):
            paragraph += index == 0 or (two and index == 1)
            identity = hashlib.md5(f"{split} {len(questions)} {passage.text}".encode()).hexdigest()
            question = _question(rng, fact, passage.forms[fact])
            questions.append(Question(identity, paragraph, passage.text, question, passage.spans[fact]))
    return questions


def _passage(rng: random.Random, is_long: bool, number: int) -> tuple[Passage, list[Fact]]:
    """Returns a passage and as many facts asked; in a long one all are told of its last entity."""
    kinds = list(words.KINDS.values())
    (kind,) = rng.choices(kinds, [len(kind.attributes) for kind in kinds])
    entities = _names(rng, kind, MAX_ENTITIES if is_long else rng.randint(2, MAX_ENTITIES))
    attributes = rng.sample(kind.attributes, MAX_ATTRIBUTES if len(entities) == 2 else MAX_ATTRIBUTES - 1)
    values = {Fact(entity, attribute): _value(rng, attribute) for entity in entities for attribute in attributes}
    asked = rng.sample([fact for fact in values if fact.entity == entities[-1] or not is_long], number)
    for fact in asked:
        if fact.entity != entities[0] and rng.random() < REPEATED_VALUE_SHARE:
            values[Fact(entities[0], fact.attribute)] = values[fact]
    by_attribute = not is_long and rng.random() < BY_ATTRIBUTE_SHARE
    sentences = (_by_attribute if by_attribute else _by_entity)(rng, entities, attributes)
    return _written(rng, sentences, values, entities[-1] if is_long else ""), asked


def _written(rng: random.Random, sentences: list[list[Clause]], values: Mapping[Fact, str], late: str) -> Passage:
    """Returns the passage that tells the sentences; if `late` is an entity, it is long and tells of it after the rest.

    Filling and dirt come before sentences that name an entity, so that a pronoun follows its name.
    """
    passage = Passage()
    filling = itertools.cycle(_shuffled(rng, words.FILLING))
    filled_place = rng.randrange(len(sentences)) if rng.random() < FILLING_SHARE else None
    blanks = " " if rng.random() < BLANKS_SHARE else ""
    for place, sentence in enumerate(sentences):
        if sentence[0].subject not in words.PRONOUNS:
            while sentence[0].subject == late and _tokens_at_least(passage.text) < TOKENS_BEFORE:
                passage.text += _filled(rng, next(filling))
            passage.text += _filled(rng, next(filling)) if place == filled_place else ""
            passage.text += _dirt(rng)
        for number, clause in enumerate(sentence):
            passage.text += "，" if number else ""
            _tell(rng, passage, clause, values[clause.fact], blanks)
        passage.text += "。"
    length = rng.randint(*LONG_LENGTH) if late else 0
    while len(passage.text) < length:
        passage.text += _filled(rng, next(filling))
    if rng.random() < FULL_WIDTH_SHARE:
        passage.text = "".join(map(_full_width, passage.text))
    return passage


def _by_entity(rng: random.Random, entities: Sequence[str], attributes: Sequence[str]) -> list[list[Clause]]:
    """Returns the clauses of each sentence: one or two sentences an entity, the second with a pronoun."""
    sentences = []
    for entity in entities:
        facts = [Fact(entity, attribute) for attribute in _shuffled(rng, attributes)]
        cut = rng.randrange(1, len(facts)) if rng.random() < PRONOUN_SHARE else len(facts)
        for subject, part in ((entity, facts[:cut]), (rng.choice(words.PRONOUNS), facts[cut:])):
            if part:
                sentences.append([Clause("" if number else subject, fact) for number, fact in enumerate(part)])
    return sentences


def _by_attribute(rng: random.Random, entities: Sequence[str], attributes: Sequence[str]) -> list[list[Clause]]:
    """Returns the clauses of each sentence: one sentence an attribute, with all entities."""
    return [
        [Clause(entity, Fact(entity, attribute)) for entity in _shuffled(rng, entities)]
        for attribute in _shuffled(rng, attributes)
    ]


def _names(rng: random.Random, kind: words.Kind, number: int) -> list[str]:
    """Returns different names of a kind; similar ones share head or tail with the first."""
    ending = rng.choice(kind.endings)
    names: list[str] = []
    while len(names) < number:
        head, tail = rng.choice(words.NAME_HEADS), rng.choice(words.NAME_TAILS)
        if names and rng.random() < SIMILAR_NAME_SHARE:
            head, tail = rng.choice(((names[0][0], tail), (head, names[0][1])))
        if head + tail + ending not in names:
            names.append(head + tail + ending)
    return names


def _value(rng: random.Random, attribute: str) -> str:
    return words.ATTRIBUTES[attribute].value.format(
        metres=rng.randint(101, 3999),
        count=rng.randint(11, 999),
        year=rng.randint(1401, 1999),
        hour=rng.randint(1, 12),
        minute=rng.randint(1, 59),
        area_code=f"0{rng.randint(301, 899)}",
        number=rng.randint(10000, 99999),
        person=rng.choice(words.SURNAMES) + "".join(rng.sample(words.GIVEN_NAMES, 2)),
        place=rng.choice(words.NAME_TAILS) + rng.choice(words.NAME_HEADS) + rng.choice(words.PLACE_ENDINGS),
        dish=rng.choice(words.DISH_HEADS) + rng.choice(words.DISH_TAILS),
    )


def _tell(rng: random.Random, passage: Passage, clause: Clause, value: str, blanks: str) -> None:
    """Appends a clause and notes its form and golden spans."""
    forms = words.ATTRIBUTES[clause.fact.attribute]
    form = rng.randrange(NUM_CLAUSES)
    before, after = (
        rng.choice(hedges) if hedges and rng.random() < HEDGED_SHARE / 2 else ""
        for hedges in (forms.before, forms.after)
    )
    passage.text += clause.subject + forms.clauses[form] + before
    start = len(passage.text)
    end = start + len(blanks + value + blanks)
    passage.text += blanks + value + blanks + after
    spans = [(start, end), (start + len(blanks), end - len(blanks)), (start - len(before), end)]
    passage.forms[clause.fact] = form
    passage.spans[clause.fact] = tuple(dict.fromkeys([*spans, (start, end + len(after))]))


def _question(rng: random.Random, fact: Fact, form: int) -> str:
    same_words = form < NUM_QUESTIONS and rng.random() < SAME_WORDS_SHARE
    asked = words.ATTRIBUTES[fact.attribute].questions[form if same_words else rng.randrange(NUM_QUESTIONS)]
    return rng.choice(words.QUESTION_FRAMES).format(entity=fact.entity, asked=asked)


def _dirt(rng: random.Random) -> str:
    dirt = rng.choice(words.LEFTOVERS) if rng.random() < LEFTOVER_SHARE else ""
    dirt += rng.choice(words.EMOJI) if rng.random() < EMOJI_SHARE else ""
    dirt += words.CONTROL_CHARACTER if rng.random() < CONTROL_SHARE else ""
    return _filled(rng, dirt)


def _filled(rng: random.Random, pattern: str) -> str:
    return pattern.format(paper=rng.choice(words.PAPERS), month=rng.randint(1, 12), number=rng.randint(2, 999))


def _shuffled(rng: random.Random, values: Sequence[str]) -> list[str]:
    return rng.sample(list(values), len(values))


def _tokens_at_least(text: str) -> int:
    """Returns a lower bound of the text's tokens: characters that stand alone in every vocabulary of characters."""
    return sum(not character.isascii() and not character.isspace() for character in text)


def _full_width(character: str) -> str:
    """ASCII `!` to `~` becomes U+FF01 to U+FF5E."""
    return chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character
