"""Draws the sentences of the bundled sample: frames of `sample_words.py`, filled, with the triples that they tell."""

import random
from collections.abc import Mapping, Sequence

from competitions.lic2020_re import sample_words as words
from competitions.lic2020_re.data import Triple
from competitions.lic2020_re.sample_names import Names
from competitions.lic2020_re.schema import VALUE

# What sentences tell of, as weights.
TOPICS: Mapping[str, float] = {
    "film": 0.27,
    "song": 0.18,
    "company": 0.08,
    "release": 0.1,
    "roles": 0.12,
    "award": 0.11,
    "family": 0.14,
}

# Difficulty: raising any of these makes the sample harder.
NOTHING_SHARE = 0.1  # clauses with a word that tells nothing
SEVERAL_SHARE = 0.2  # clauses with two or three people instead of one
TWO_SUBJECTS_SHARE = 0.25  # credits of two works or companies
SHARED_CLAUSE_SHARE = 0.4  # of these, those in one clause with the same people
MORE_SHARE = 0.55  # sentences with a further clause on the same subject
SAME_SUBJECT_AGAIN_SHARE = 0.3  # of these, those that name the subject again
NAMESAKE_SHARE = 0.2  # roles with the name of their work, companies with that of their founder
IN_WORK_SHARE = 0.7  # other roles in a work
TWO_WORKS_SHARE = 0.12  # actors in two works
TWO_CHILDREN_SHARE = 0.2
SLOT_SHARE = 0.5  # each further slot of a prize or a date

IDEOGRAPHIC_BLANK_SHARE = 0.08  # sentences with such a blank instead of each comma between clauses

Told = tuple[list[str], list[Triple]]  # clauses, and what they tell


class Writer:
    """Draws sentences; it remembers what was told of famous works."""

    def __init__(self, rng: random.Random):
        self.rng, self.names = rng, Names(rng)
        self.facts: dict[tuple[str, str], list[str]] = {}  # famous name and verb -> people

    def chance(self, share: float) -> bool:
        """Returns True with this probability."""
        return self.rng.random() < share

    def sentence(self) -> tuple[str, list[Triple]]:
        """Returns a sentence of any length and what it tells, each triple once, in any order."""
        (topic,) = self.rng.choices(list(TOPICS), list(TOPICS.values()))
        other_topics = {"release": self.shown, "roles": self.roles, "award": self.award, "family": self.family}
        clauses, triples = other_topics[topic]() if topic in other_topics else self.credits(topic)
        comma = "\u3000" if self.chance(IDEOGRAPHIC_BLANK_SHARE) else "，"
        text = self.aside(words.OPENINGS) + comma.join(clauses) + self.aside(words.ENDINGS)
        triples = list(dict.fromkeys(triples))
        self.rng.shuffle(triples)
        return text, triples

    def aside(self, patterns: Sequence[str]) -> str:
        """Returns one of the phrases that tell nothing."""
        names = self.names
        return self.rng.choice(patterns).format(person=names.person(), work=names.new_name("film"), date=names.date())

    def word(self, telling: Sequence[str], nothing: Sequence[str]) -> str:
        """Returns a word that tells a relation, or with NOTHING_SHARE one that does not."""
        return self.rng.choice(nothing if self.chance(NOTHING_SHARE) else telling)

    def credits(self, kind: str) -> Told:
        """Returns who has which share in one or two works or companies of a kind."""
        name, other = self.names.names(kind, 2)
        verb, other_verb = self.verbs(kind)
        if self.chance(TWO_SUBJECTS_SHARE):
            if self.chance(SHARED_CLAUSE_SHARE):
                return self.credit(kind, words.SHARED_CREDITS, verb, [name, other])
            told = self.credit(kind, words.CREDITS, verb, [name])
            return _joined(told, self.credit(kind, words.CREDITS, other_verb, [other]))
        if kind == "company" and self.chance(NAMESAKE_SHARE):
            people = self.names.people(1 + self.chance(SEVERAL_SHARE))
            return self.credit(kind, words.CREDITS, verb, [people[0] + words.STUDIO], people)
        told = self.credit(kind, words.CREDITS, verb, [name])
        if not self.chance(MORE_SHARE):
            return told
        named = self.chance(SAME_SUBJECT_AGAIN_SHARE)
        further = [self.credit(kind, words.CREDITS if named else words.MORE_CREDITS, other_verb, [name])]
        if kind == "film":
            lead = self.named(kind, name) if named else self.rng.choice(words.KINDS[kind].pronouns)
            further += [self.release(lead, name), self.role(words.ROLES, name, *self.names.people(2))]
            further.append(self.prize(self.names.person(), self.rng.choice(words.BY_THIS_WORK), name))
        return _joined(told, self.rng.choice(further))

    def named(self, kind: str, name: str) -> str:
        """Returns a subject as it is written."""
        return self.rng.choice(words.KINDS[kind].nouns) + words.KINDS[kind].form.format(name)

    def verbs(self, kind: str) -> list[str]:
        """Returns two different verbs."""
        verbs = words.KINDS[kind].verbs
        telling, nothing = ([one for one in verbs if bool(verbs[one]) == told] for told in (True, False))
        while True:
            pair = [self.word(telling, nothing), self.word(telling, nothing)]
            if pair[0] != pair[1]:
                return pair

    def credit(
        self, kind: str, patterns: Sequence[str], verb: str, names: Sequence[str], people: Sequence[str] = ()
    ) -> Told:
        """Returns one clause on one or two subjects; without `people` it draws some."""
        forms = words.KINDS[kind]
        people = people or self.names.people(self.rng.choice((2, 2, 3)) if self.chance(SEVERAL_SHARE) else 1)
        if len(names) == 1 and names[0] in self.names.famous[kind]:
            told_by = verb if forms.verbs[verb] else self.rng.choice(list(forms.verbs))  # names of another fact
            people = self.facts.setdefault((names[0], told_by), list(people))
        written = [self.named(kind, name) for name in names]
        text = self.rng.choice(patterns).format(
            subject=written[0],
            other=written[-1],
            pronoun=self.rng.choice(forms.pronouns),
            people=self.names.listed(people),
            verb=verb,
        )
        triples = [(name, predicate, person) for name in names for predicate in forms.verbs[verb] for person in people]
        return [text], [Triple(name, predicate, ((VALUE, person),)) for name, predicate, person in triples]

    def release(self, lead: str, name: str) -> Told:
        """Returns when and perhaps where a film is shown, sometimes twice; or another date of it."""
        word = self.word(words.SHOWN, words.NOT_SHOWN)
        clauses, triples = [], []
        for number in range(1 + self.chance(SEVERAL_SHARE)):
            date, area = self.names.date(), self.rng.choice(words.AREAS) if self.chance(SLOT_SHARE) else ""
            clauses.append(("" if number else lead) + date + (f"在{area}" if area else "") + word)
            if word in words.SHOWN:
                triples.append(Triple(name, "上映时间", _filled({VALUE: date, "inArea": area})))
        return clauses, triples

    def shown(self) -> Told:
        """Returns when a film is shown, by its name."""
        (name,) = self.names.names("film", 1)
        return self.release(self.named("film", name), name)

    def role(self, patterns: Sequence[str], work: str, actor: str, role: str) -> Told:
        """Returns who plays whom; work: empty if it is not known."""
        text = self.rng.choice(patterns).format(work=work, actor=actor, role=role)
        return [text], [Triple(actor, "饰演", _filled({VALUE: role, "inWork": work}))]

    def roles(self) -> Told:
        """Returns one or two roles: in a work, in none, of one actor in two works, or that gave its work the name."""
        actor, role, other_actor, other_role = self.names.people(4)
        work, other_work = self.names.names("film", 2)
        if self.chance(NAMESAKE_SHARE):
            return self.role(words.NAMESAKES, role + self.rng.choice(words.NAMESAKE_ENDINGS), actor, role)
        if self.chance(TWO_WORKS_SHARE):
            told = self.role(words.ROLES_IN_WORK[:1], work, actor, role)
            (text,), triples = self.role(words.ROLES_IN_WORK[:1], other_work, actor, other_role)
            return _joined(told, ([text.removeprefix(actor)], triples))
        work = work if self.chance(IN_WORK_SHARE) else ""
        told = self.role(words.ROLES_IN_WORK if work else words.ROLES, work, actor, role)
        if self.chance(SEVERAL_SHARE):
            return _joined(told, self.role(words.ROLES, work, other_actor, other_role))
        return told

    def prize(self, person: str, by_work: str, work: str, date: str = "") -> Told:
        """Returns who won which prize, for which work, when and which time it was given; or that it was not won."""
        word = self.word(words.WON, words.NOT_WON)
        period = f"第{self.rng.randint(2, 39)}届" if self.chance(SLOT_SHARE) else ""
        prize = self.rng.choice(words.PRIZES)
        awards = [prize + one for one in self.rng.sample(words.PRIZE_CLASSES, 1 + self.chance(SEVERAL_SHARE))]
        text = self.rng.choice(words.AWARDS).format(
            date=date,
            person=person,
            work=by_work.format(work),
            word=word,
            period=period,
            award=self.names.listed(awards),
        )
        values = [{VALUE: award, "inWork": work, "onDate": date, "period": period} for award in awards]
        return [text], [Triple(person, "获奖", _filled(one)) for one in values if word in words.WON]

    def award(self) -> Told:
        """Returns who won which prize, with any of the further slots."""
        date = self.names.date() if self.chance(SLOT_SHARE) else ""
        work = self.names.names("film", 1)[0] if self.chance(SLOT_SHARE) else ""
        return self.prize(self.names.person(), self.rng.choice(words.BY_WORK) if work else "", work, date)

    def family(self) -> Told:
        """Returns who is whose father or mother, for one or two children, one or two parents or three generations."""
        child, elder, third = self.names.people(3)
        telling, nothing = ([one for one in words.KIN if bool(words.KIN[one]) == told] for told in (True, False))
        kin, other_kin = self.word(telling, nothing), self.word(telling, nothing)
        children = [child, third] if self.chance(TWO_CHILDREN_SHARE) else [child]
        told = self.kin(words.KIN_FRAMES, kin, children, elder)
        if len(children) == 2 or not self.chance(MORE_SHARE):
            return told
        if self.chance(0.5):
            return _joined(told, self.kin(words.KIN_FRAMES[:1], other_kin, [elder], third))
        return _joined(told, self.kin(words.MORE_KIN, other_kin, [child], third))

    def kin(self, patterns: Sequence[str], kin: str, children: Sequence[str], elder: str) -> Told:
        """Returns one clause on who is whose."""
        text = self.rng.choice(patterns).format(child=self.names.listed(children), kin=kin, elder=elder)
        predicate = words.KIN[kin]
        return [text], [Triple(child, predicate, ((VALUE, elder),)) for child in children if predicate]


def _joined(one: Told, other: Told) -> Told:
    return one[0] + other[0], one[1] + other[1]


def _filled(slots: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((slot, value) for slot, value in slots.items() if value)
