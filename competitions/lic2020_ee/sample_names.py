"""Draws what fills the slots of the bundled sample's clauses: names, numbers and dates.

Names are put together anew from the parts in `sample_words.py`; some come again.
"""

import random
from collections.abc import Callable

from competitions.lic2020_ee import sample_words as words

# Raising the share of names that come again makes the sample easier, most of all for a dictionary.
NUM_KNOWN = 40  # names of each kind that come again
KNOWN_SHARE = 0.2
LATIN_SHARE = 0.05  # names of people


class Names:
    """Draws names; it remembers those that come again."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.kinds: dict[str, Callable[[], str]] = {
            "company": lambda: self.head() + rng.choice(words.COMPANY_TAILS),
            "team": lambda: self.head() + rng.choice(words.TEAM_TAILS),
            "club": lambda: self.head() + rng.choice(words.CLUB_TAILS),
            "site": lambda: self.head() + rng.choice(words.PLACE_TAILS) + rng.choice(words.SITES),
            "cup": lambda: self.head() + rng.choice(words.CUP_TAILS),
            "person": self.person,
        }
        self.others: dict[str, Callable[[], str]] = {
            "goods": lambda: rng.choice(words.GOODS_HEADS) + rng.choice(words.GOODS_TAILS),
            "round": lambda: rng.choice(words.ROUNDS),
            "season": lambda: rng.choice(words.SEASONS),
            "league": lambda: rng.choice(words.LEAGUES),
            "year": lambda: f"{rng.randint(2008, 2020)}",
            "people": lambda: f"{rng.randint(1, 99)}{rng.choice(('人', '人', '名', '0余人', '0多名'))}",
            "amount": lambda: f"{rng.randint(2, 60)}{rng.choice('元%')}",
            "price": lambda: f"{rng.randint(2, 60)}元",
            "money": lambda: f"{rng.randint(2, 90)}{rng.choice(('00万元', '亿元', '00万美元'))}",
            "date": self.date,
        }
        self.known = {kind: [draw() for _ in range(NUM_KNOWN)] for kind, draw in self.kinds.items()}

    def draw(self, kind: str) -> str:
        """Returns what may fill a slot of this kind."""
        if kind in self.others:
            return self.others[kind]()
        return self.rng.choice(self.known[kind]) if self.rng.random() < KNOWN_SHARE else self.kinds[kind]()

    def head(self) -> str:
        """Returns the first half of a name."""
        return "".join(self.rng.sample(words.HEADS, 2))

    def person(self) -> str:
        """Returns a new name of two or three characters, or one in Latin letters."""
        if self.rng.random() < LATIN_SHARE:
            return self.rng.choice(words.STAGE_NAMES) + self.rng.choice(words.SURNAMES)
        return self.rng.choice(words.SURNAMES) + "".join(
            self.rng.sample(words.GIVEN_NAMES, self.rng.choice((1, 2, 2, 2)))
        )

    def date(self) -> str:
        """Returns a day in words or in numbers."""
        if self.rng.random() < 0.4:
            return self.rng.choice(words.DAYS)
        year = f"{self.rng.randint(2008, 2020)}年" if self.rng.random() < 0.3 else ""
        return f"{year}{self.rng.randint(1, 12)}月{self.rng.randint(1, 28)}日"


class Slots(dict[str, str]):
    """The slots of one clause: filled at first use, with another name than slots of the same kind before."""

    def __init__(self, names: Names):
        super().__init__()
        self.names = names

    def __missing__(self, slot: str) -> str:
        """Returns what fills a slot; of words set apart by `|` any."""
        if "|" in slot:
            return self.names.rng.choice(slot.split("|"))
        while True:
            value = self.names.draw(slot.rstrip("123"))
            if not any(value in other or other in value for other in self.values()):
                self[slot] = value
                return value
