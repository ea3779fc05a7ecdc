"""Draws the names of the bundled sample: of people, titles and companies, and dates.

Most are put together anew from the parts in `sample_words.py`; some people and famous works come again.
"""

import random
from collections.abc import Sequence

from competitions.lic2020_re import sample_words as words

# Raising the shares of names that come again makes the sample easier, most of all for a dictionary.
NUM_FAMOUS = 20  # works and companies of each kind of which the same is told each time
FAMOUS_SHARE = 0.3
NUM_PEOPLE = 80  # whose names come again
KNOWN_SHARE = 0.3
LATIN_SHARE = 0.04  # names of people


class Names:
    """Draws names; it remembers those that come again."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.known = [self.new_person() for _ in range(NUM_PEOPLE)]
        self.famous = {kind: [self.new_name(kind) for _ in range(NUM_FAMOUS)] for kind in words.KINDS}

    def new_person(self) -> str:
        """Returns a name of two or three characters, or one in Latin letters."""
        if self.rng.random() < LATIN_SHARE:
            return self.rng.choice(words.STAGE_NAMES) + self.rng.choice(words.SURNAMES)
        return self.rng.choice(words.SURNAMES) + "".join(
            self.rng.sample(words.GIVEN_NAMES, self.rng.choice((1, 2, 2, 2)))
        )

    def person(self) -> str:
        """Returns a name, often one that comes again."""
        return self.rng.choice(self.known) if self.rng.random() < KNOWN_SHARE else self.new_person()

    def people(self, number: int) -> list[str]:
        """Returns different names, none of them a part of another."""
        names: list[str] = []
        while len(names) < number:
            new = self.person()
            if not any(new in name or name in new for name in names):
                names.append(new)
        return names

    def new_name(self, kind: str) -> str:
        """Returns a title, or the name of a company."""
        if kind == "company":
            return self.rng.choice(words.COMPANY_HEADS) + self.rng.choice(words.COMPANY_TAILS)
        head, tail = self.rng.choice(words.TITLE_HEADS), self.rng.choice(words.TITLE_TAILS)
        return f"{head} {tail}" if head.isascii() and tail.isascii() else head + tail

    def names(self, kind: str, number: int) -> list[str]:
        """Returns different titles, or names of companies; many are famous."""
        names: list[str] = []
        while len(names) < number:
            name = self.rng.choice(self.famous[kind]) if self.rng.random() < FAMOUS_SHARE else self.new_name(kind)
            if name not in names:
                names.append(name)
        return names

    def date(self) -> str:
        """Returns a year, a month of it or a day of it."""
        day, month = self.rng.randint(1, 28), self.rng.randint(1, 12)
        return f"{self.rng.randint(1985, 2020)}年" + self.rng.choice(("", f"{month}月", f"{month}月{day}日"))

    def listed(self, people: Sequence[str]) -> str:
        """Returns the names in a row."""
        return "、".join(people[:-1]) + (self.rng.choice("、和与") if people[:-1] else "") + people[-1]
