"""The bundled sample is what its generator writes, follows its schema, and asks for more than names and triggers."""

import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from competitions.lic2020_ee import data, sample, scoring
from competitions.lic2020_ee import sample_words as words
from competitions.lic2020_ee.data import Argument, Example, official
from pipelines import sample as command

COMMITTED = Path(__file__).parents[3] / "data" / "sample" / "lic2020_ee"
FULL_WIDTH = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")  # digits and letters
Role = tuple[str, str]  # event type, role


@pytest.fixture(scope="module")
def splits() -> dict[str, list[Example]]:
    return sample.build()


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (COMMITTED / name).read_text("utf-8").split("\n")[:-1]]


def arguments(example: Example) -> list[tuple[Role, Argument]]:
    return [((event.type, one.role), one) for event in example.events for one in event.arguments]


def spans(example: Example) -> list[tuple[int, int]]:
    """Returns the different spans of arguments."""
    return sorted({(one.start, one.start + len(one.text)) for _, one in arguments(example)})


def repeated(things: Iterable[Any]) -> bool:
    return max(Counter(things).values(), default=0) > 1


# What official lines have too; told of a sentence.
PHENOMENA: dict[str, Callable[[Example], bool]] = {
    "two events": lambda e: len(e.events) == 2,
    "two events of one type": lambda e: repeated(event.type for event in e.events),
    "an event without arguments": lambda e: any(not event.arguments for event in e.events),
    "arguments within others": lambda e: any(
        other[0] <= one[0] and one[1] <= other[1] for one, other in permutations(spans(e), 2)
    ),
    "arguments that overlap without being within others": lambda e: any(
        one[0] < other[0] < one[1] < other[1] for one, other in permutations(spans(e), 2)
    ),
    "a span in two roles": lambda e: repeated((one.start, len(one.text)) for _, one in set(arguments(e))),
    "several arguments of one role": lambda e: any(repeated(one.role for one in event.arguments) for event in e.events),
    "the same argument in two events of one type": lambda e: repeated(arguments(e)),
    "an argument annotated at a later mention": lambda e: any(e.text.find(a.text) < a.start for _, a in arguments(e)),
    "an alias": lambda e: any(one.aliases for _, one in arguments(e)),
    "line breaks": lambda e: "\n" in e.text,
    "edge blanks": lambda e: e.text != e.text.strip(),
    "full-width forms": lambda e: bool(FULL_WIDTH.search(e.text)),
    "emoji": lambda e: any(emoji in e.text for emoji in words.EMOJI),
}
UNLABELLED = ("line breaks", "edge blanks", "full-width forms", "emoji")


def test_committed_sample_equals_what_the_command_writes(tmp_path):
    assert command.main(["lic2020_ee", "--out", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(COMMITTED)


def test_another_seed_gives_another_sample(splits):
    assert sample.build(1)["valid"] != splits["valid"]


def test_sample_is_small_enough_for_git():
    assert sum(map(len, contents(COMMITTED).values())) < 850_000


def test_files_have_the_official_layout(splits):
    assert set(contents(COMMITTED)) == {*sample.FILES.values(), sample.SCHEMA_FILE}
    assert {tuple(row) for row in rows("duee_event_schema.json")} == {("event_type", "role_list", "id", "class")}
    for split, name in sample.FILES.items():
        assert [row["text"] for row in rows(name)] == [example.text for example in splits[split]]
        assert {tuple(row) for row in rows(name)} == {("text", "id") + (() if split == "test" else ("event_list",))}
    events = [
        event for name in ("duee_train.json", "duee_dev.json") for row in rows(name) for event in row["event_list"]
    ]
    assert {tuple(event) for event in events} == {
        ("event_type", "trigger", "trigger_start_index", "arguments", "class")
    }
    keys = ("argument_start_index", "role", "argument", "alias")
    assert {tuple(one) for event in events for one in event["arguments"]} == {keys}


def test_the_reader_finds_what_was_generated(splits):
    raw = data.read(COMMITTED, SimpleNamespace(on_bad_line="error"))
    assert (raw.train, raw.valid) == (splits["train"], splits["valid"])
    assert raw.test == [Example(example.id, example.text, ()) for example in splits["test"]]
    assert raw.schema == sample.SCHEMA
    assert not raw.bad_lines


def test_schema_has_types_of_every_form():
    schema = rows("duee_event_schema.json")
    assert all(row["event_type"].startswith(f"{row['class']}-") for row in schema)
    assert 8 <= len(schema) <= 10
    assert 4 <= len({row["class"] for row in schema}) <= 5
    assert all(2 <= len(row["role_list"]) <= 5 for row in schema)
    assert any("/" in row["event_type"].split("-")[1] for row in schema)


def test_triggers_and_arguments_stand_where_annotated(splits):
    for example in (example for examples in splits.values() for example in examples):
        for event in example.events:
            assert event.trigger
            assert example.text.startswith(event.trigger, event.trigger_start)
            for one in event.arguments:
                assert one.role in words.SCHEMA[event.type]
                assert one.text
                assert example.text.startswith(one.text, one.start)
                assert all(alias and alias in one.text for alias in one.aliases)


def test_ids_are_the_md5_sums_of_different_texts(splits):
    examples = [example for examples in splits.values() for example in examples]
    assert all(example.id == hashlib.md5(example.text.encode()).hexdigest() for example in examples)
    assert len({example.id for example in examples}) == len(examples)
    assert all(15 <= len(example.text) <= 60 for example in examples)
    assert {split: len(examples) for split, examples in splits.items()} == sample.SIZES


@pytest.mark.parametrize("name", PHENOMENA)
def test_what_occurs_in_official_lines_occurs_in_every_split(splits, name):
    share = {split: sum(map(PHENOMENA[name], examples)) / len(examples) for split, examples in splits.items()}
    assert share["train"] >= 0.012
    assert share["valid"] >= 0.008
    assert share["test"] > 0 or name not in UNLABELLED


def test_every_labelled_sentence_has_an_event_and_many_test_sentences_have_none(splits):
    assert all(example.events for split in ("train", "valid") for example in splits[split])
    assert 0.15 < sum(not example.events for example in splits["test"]) / len(splits["test"]) < 0.45


def test_every_role_is_filled_often(splits):
    for split, least in (("train", 15), ("valid", 1)):
        counts = Counter(role for example in splits[split] for role, _ in arguments(example))
        assert set(counts) == {(name, role) for name, roles in words.SCHEMA.items() for role in roles}
        assert min(counts.values()) >= least


def test_most_named_arguments_of_valid_are_new_and_of_known_characters(splits):
    known = {one.text for example in splits["train"] for _, one in arguments(example)}
    found = {one.text for example in splits["valid"] for _, one in arguments(example) if not re.search(r"\d", one.text)}
    assert len(found - known) > 0.5 * len(found)
    assert set(unicodedata.normalize("NFKC", "".join(found))) <= set(
        "".join(example.text for example in splits["train"])
    )


def test_a_name_wins_in_one_sentence_and_loses_in_another(splits):
    filled: dict[str, set[str]] = defaultdict(set)
    for (_, role), one in (found for example in splits["train"] for found in arguments(example)):
        filled[role].add(one.text)
    assert len(filled["胜者"] & filled["败者"]) >= 10
    assert len(filled["融资方"] & filled["裁员方"]) >= 10
    assert len(filled["坍塌主体"] & filled["地点"]) >= 10


def test_a_trigger_alone_does_not_tell_an_event(splits):
    types: dict[str, set[str]] = defaultdict(set)
    for event in (event for example in splits["train"] for event in example.events):
        types[event.trigger].add(event.type)
    assert sum(len(found) > 1 for found in types.values()) >= 3
    untold = [
        any(
            trigger in example.text and not types[trigger] & {event.type for event in example.events}
            for trigger in types
        )
        for example in splits["valid"]
    ]
    assert 0.15 < sum(untold) / len(untold) < 0.5


def test_triggers_and_arguments_known_from_train_are_not_enough(splits):
    triggers = {(event.trigger, event.type) for example in splits["train"] for event in example.events}
    known: Counter[tuple[Role, str]] = Counter()  # how often right less how often wrong
    for example in splits["train"]:
        known.update({(role, one.text): 0 for role, one in arguments(example)})
    by_type: dict[str, list[tuple[Role, str]]] = defaultdict(list)
    for role, text in known:
        by_type[role[0]].append((role, text))
    for example in splits["train"]:
        told = {(role, one.text) for role, one in arguments(example)}
        for event_type in {event.type for event in example.events}:
            known.update({one: 1 if one in told else -1 for one in by_type[event_type] if one[1] in example.text})
    found = {}
    for example in splits["valid"]:
        types = {event_type for trigger, event_type in triggers if trigger in example.text}
        found[example.id] = [
            {
                "event_type": event_type,
                "arguments": [
                    {"role": role, "argument": text}
                    for (_, role), text in by_type[event_type]
                    if text in example.text and known[(event_type, role), text] >= 0
                ],
            }
            for event_type in sorted(types)
        ]
    gold = {example.id: [official(event, sample.SCHEMA) for event in example.events] for example in splits["valid"]}
    assert 0.2 < scoring.score(gold, found)["f1"] < 0.45
