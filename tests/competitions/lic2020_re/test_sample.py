"""The bundled sample is what its generator writes, follows its schema, and asks for more than names."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from competitions.lic2020_re import data, sample, scoring
from competitions.lic2020_re import sample_words as words
from competitions.lic2020_re.data import Example, Triple, values
from competitions.lic2020_re.schema import VALUE
from pipelines import sample as command

COMMITTED = Path(__file__).parents[3] / "data" / "sample" / "lic2020_re"
FULL_WIDTH = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")  # digits and letters
SEVERAL_SLOTS = {"饰演", "上映时间", "获奖"}
PERSON = re.compile(f"(?<![{words.GIVEN_NAMES}])[{words.SURNAMES}][{words.GIVEN_NAMES}]{{1,2}}")
DECIDING = sorted((verb for kind in words.KINDS.values() for verb in kind.verbs), key=len, reverse=True)


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Example]]:
    return sample.build()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (COMMITTED / name).read_text("utf-8").split("\n")[:-1]]


def pairs(example: Example) -> list[tuple[str, str]]:
    """Returns subject and `@value` of each triple."""
    return [(triple.subject, dict(triple.object)[VALUE]) for triple in example.triples]


def repeated(things: Iterable[Any]) -> bool:
    return max(Counter(things).values(), default=0) > 1


def slots(triple: Triple) -> set[str]:
    return {slot for slot, _ in triple.object}


def names(example: Example) -> set[str]:
    return {name for triple in example.triples for name in values(triple)}


# What official lines have too; told of a sentence.
PHENOMENA: dict[str, Callable[[Example], bool]] = {
    "several objects of one subject and predicate": lambda e: repeated((t.subject, t.predicate) for t in e.triples),
    "the same of a predicate with several slots": lambda e: repeated(
        (t.subject, t.predicate) for t in e.triples if t.predicate in SEVERAL_SLOTS
    ),
    "several subjects": lambda e: len({t.subject for t in e.triples}) > 1,
    "several subjects of one object": lambda e: repeated((t.predicate, t.object) for t in e.triples),
    "several predicates between one pair": lambda e: repeated(pairs(e)),
    "a name that is subject and object": lambda e: bool({s for s, _ in pairs(e)} & {o for _, o in pairs(e)}),
    "names within other names": lambda e: any(one in other for one, other in permutations(names(e), 2)),
    "a name that stands only within another": lambda e: any(
        one in other and one not in e.text.replace(other, "") for one, other in permutations(names(e), 2)
    ),
    "a subject that stands twice": lambda e: any(e.text.count(t.subject) > 1 for t in e.triples),
    "@value alone where there are more slots": lambda e: any(
        t.predicate in SEVERAL_SLOTS and slots(t) == {VALUE} for t in e.triples
    ),
    "饰演 in a work": lambda e: any(t.predicate == "饰演" and "inWork" in slots(t) for t in e.triples),
    "上映时间 in an area": lambda e: any("inArea" in slots(t) for t in e.triples),
    "获奖 for a work": lambda e: any(t.predicate == "获奖" and "inWork" in slots(t) for t in e.triples),
    "获奖 on a date": lambda e: any("onDate" in slots(t) for t in e.triples),
    "获奖 of a period": lambda e: any("period" in slots(t) for t in e.triples),
    "no triple": lambda e: not e.triples,
    "full-width forms": lambda e: bool(FULL_WIDTH.search(e.text)),
    "emoji": lambda e: any(emoji in e.text for emoji in words.EMOJI),
    "edge blanks": lambda e: e.text != e.text.strip(),
    "ideographic blanks": lambda e: "\u3000" in e.text.strip(),
    "book marks in names": lambda e: any(name.startswith("《") for name in names(e)),
    "mixed case": lambda e: any(name.lower() != name != name.upper() for name in names(e)),
}


def test_committed_sample_equals_what_the_command_writes(tmp_path):
    assert command.main(["lic2020_re", "--out", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(COMMITTED)


def test_another_seed_gives_another_sample(splits):
    assert sample.build(1)["valid"] != splits["valid"]


def test_sample_is_small_enough_for_git():
    assert sum(map(len, contents(COMMITTED).values())) < 800_000


def test_files_have_the_official_layout(splits):
    assert set(contents(COMMITTED)) == {*sample.FILES.values(), sample.SCHEMA_FILE}
    assert {tuple(row) for row in rows("duie_schema.json")} == {("object_type", "predicate", "subject_type")}
    for split, name in sample.FILES.items():
        assert [row["text"] for row in rows(name)] == [example.text for example in splits[split]]
        assert {tuple(row) for row in rows(name)} == {("text",) if split == "test" else ("text", "spo_list")}
    entries = [
        entry for name in ("duie_train.json", "duie_dev.json") for row in rows(name) for entry in row["spo_list"]
    ]
    assert {tuple(entry) for entry in entries} == {("predicate", "object_type", "subject_type", "object", "subject")}


def test_the_reader_finds_what_was_generated(splits):
    raw = data.read(COMMITTED, SimpleNamespace(on_bad_line="error"))
    assert (raw.train, raw.valid) == (splits["train"], splits["valid"])
    assert raw.test == [Example(example.text, ()) for example in splits["test"]]
    assert not raw.bad_lines


def test_types_are_those_of_the_schema():
    schema = {row["predicate"]: row for row in rows("duie_schema.json")}
    assert {name for name, row in schema.items() if len(row["object_type"]) > 1} == SEVERAL_SLOTS
    for name in ("duie_train.json", "duie_dev.json"):
        for entry in (entry for row in rows(name) for entry in row["spo_list"]):
            wanted = schema[entry["predicate"]]
            assert entry["subject_type"] == wanted["subject_type"]
            # The order of the slots is the schema's too.
            assert list(entry["object"]) == [slot for slot in wanted["object_type"] if slot in entry["object"]]
            assert list(entry["object_type"].items()) == [(s, wanted["object_type"][s]) for s in entry["object"]]


def test_texts_are_short_and_none_stands_twice(splits):
    texts = [example.text for examples in splits.values() for example in examples]
    assert len(set(texts)) == len(texts)
    assert all(15 <= len(text) <= 60 for text in texts)
    assert {split: len(examples) for split, examples in splits.items()} == sample.SIZES


def test_every_name_stands_in_its_text(splits):
    for example in (example for examples in splits.values() for example in examples):
        assert all(name and name in example.text for name in names(example))
        assert len(set(example.triples)) == len(example.triples)


@pytest.mark.parametrize("name", PHENOMENA)
def test_what_occurs_in_official_lines_occurs_in_every_split(splits, name):
    share = {split: sum(map(PHENOMENA[name], examples)) / len(examples) for split, examples in splits.items()}
    assert share["train"] >= 0.012
    assert share["valid"] >= 0.008
    assert share["test"] > 0


def test_few_sentences_tell_nothing(splits):
    for examples in splits.values():
        assert sum(not example.triples for example in examples) <= 0.12 * len(examples)


def test_every_predicate_is_told_often(splits):
    for split, least in (("train", 100), ("valid", 12), ("test", 6)):
        counts = Counter(triple.predicate for example in splits[split] for triple in example.triples)
        assert set(counts) == set(words.SCHEMA)
        assert min(counts.values()) >= least


def test_most_names_of_people_in_valid_are_new_and_of_known_characters(splits):
    train = "".join(example.text for example in splits["train"])
    known = {name for example in splits["train"] for name in PERSON.findall(example.text)}
    found = {name for example in splits["valid"] for name in PERSON.findall(example.text)}
    assert len(found - known) > 0.4 * len(found)
    assert set("".join(found)) <= set(train)


def test_a_name_is_a_subject_in_one_sentence_and_an_object_in_another(splits):
    subjects = {triple.subject for example in splits["train"] for triple in example.triples}
    objects = {value for example in splits["train"] for _, value in pairs(example)}
    assert len(subjects & objects) > 100


def test_many_names_have_no_relation(splits):
    people = [(name, names(example)) for example in splits["valid"] for name in set(PERSON.findall(example.text))]
    assert 0.15 < sum(not any(name in told for told in own) for name, own in people) / len(people) < 0.4


def test_one_word_decides_what_a_frame_tells(splits):
    told: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for example in splits["train"]:
        told[frame(example.text)].add(tuple(sorted(triple.predicate for triple in example.triples)))
    assert sum(len(answers) >= 4 for answers in told.values()) >= 10


def frame(text: str) -> str:
    """Returns a text without opening, ending and dirt, with letters for names and for the words that decide."""
    text = re.sub("《[^》]*》", "T", text.strip())
    text = re.sub(r"\d+年(\d+月)?(\d+日)?", "D", PERSON.sub("P", text))
    for aside in (*words.OPENINGS, *words.ENDINGS):
        aside = aside.replace("《{work}》", "T").format(person="P", date="D")
        text = text.removeprefix(aside).removesuffix(aside)
    for word in DECIDING:
        text = text.replace(word, "W")
    return text


def test_triples_known_from_train_are_not_enough(splits):
    known: dict[str, Counter[Triple]] = defaultdict(Counter)  # how often right less how often wrong, by subject
    for triple in (triple for example in splits["train"] for triple in example.triples):
        known[triple.subject][triple] = 0
    for example in splits["train"]:
        for triple in told_by_names(known, example.text):
            known[triple.subject][triple] += 1 if triple in example.triples else -1
    gold = {example.text: [official(triple) for triple in example.triples] for example in splits["valid"]}
    found = {
        text: [official(triple) for triple in told_by_names(known, text) if known[triple.subject][triple] >= 0]
        for text in gold
    }
    assert 0.15 < scoring.score(gold, found)["f1"] < 0.4


def told_by_names(known: Mapping[str, Iterable[Triple]], text: str) -> list[Triple]:
    """Returns the triples whose names all stand in the text."""
    subjects = (subject for subject in known if subject in text)
    return [triple for subject in subjects for triple in known[subject] if all(name in text for name in values(triple))]


def official(triple: Triple) -> dict[str, Any]:
    return {"predicate": triple.predicate, "subject": triple.subject, "object": dict(triple.object)}
