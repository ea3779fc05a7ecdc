"""A few invented sentences as arrays, with the settings that tests run under."""

from collections.abc import Sequence
from typing import Any

from competitions.lic2020_ee.data import Argument, Event, Example, RawData
from competitions.lic2020_ee.encoding import encode, encode_split
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Split
from shared.task import Prepared
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_ee.layout import COLLAPSE, MATCH, SCHEMA, WEDDING

ROLES = [list(role) for role in SCHEMA.roles]
NUMBER = {tuple(role): number for number, role in enumerate(ROLES)}
SCHEMES = ("bio", "bio_per_type", "pointer")
SPAN_SCHEMES = ("global_pointer", "gplinker")


def labels(scheme: str) -> dict[str, Any]:
    return {"schema": SCHEMA.to_json(), "roles": ROLES, "scheme": scheme}


def event(text: str, event_type: str, *arguments: tuple[str, str]) -> Event:
    """An event whose trigger is the last character; its arguments, (role, text), stand at their first places."""
    found = tuple(Argument(role, value, text.index(value), ()) for role, value in arguments)
    return Event(event_type, text[-1], len(text) - 1, found)


def example(text: str, *events: tuple[Any, ...]) -> Example:
    """A sentence with its text as id. events: (event type, (role, text), ...)."""
    return Example(text, text, tuple(event(text, *one) for one in events))


GAME = example("周六红星队击败蓝海队", (MATCH, ("时间", "周六"), ("胜者", "红星队"), ("败者", "蓝海队")))
# The same day in two types.
TWO = example(
    "昨天甲桥垮塌后小林完婚",
    (COLLAPSE, ("时间", "昨天"), ("坍塌主体", "甲桥")),
    (WEDDING, ("时间", "昨天"), ("结婚双方", "小林")),
)
PAIR = example("小林和小周今天完婚", (WEDDING, ("时间", "今天"), ("结婚双方", "小林"), ("结婚双方", "小周")))
# A role within another of the same type.
NESTED = example("甲桥南段垮塌致二人遇难", (COLLAPSE, ("坍塌主体", "甲桥南段"), ("死亡人数", "桥"), ("时间", "致二")))
# Two events of one type on one day; each has a trigger of its own.
TWICE = Example(
    "周六甲队胜乙队丙队胜丁队",
    "周六甲队胜乙队丙队胜丁队",
    tuple(
        Event(
            MATCH,
            "胜",
            start,
            tuple(Argument(role, value, "周六甲队胜乙队丙队胜丁队".index(value), ()) for role, value in roles),
        )
        for start, roles in (
            (4, (("时间", "周六"), ("胜者", "甲队"), ("败者", "乙队"))),
            (9, (("时间", "周六"), ("胜者", "丙队"), ("败者", "丁队"))),
        )
    ),
)
NOTHING = example("天气很好")
EXAMPLES = (GAME, TWO, PAIR, NOTHING)


def settings(**sections: dict[str, Any]) -> Settings:
    """Settings; changes by section, e.g. train={"epochs": 2}."""
    usual: dict[str, dict[str, Any]] = {
        "data": {"max_length": 64},
        "text": {"vocabulary": None, "min_count": 1},
        "model": {"backbone": {"kind": "roformer", "preset": "tiny", "dropout": 0.0}},
        "train": {"seed": 0, "epochs": 1, "batch_size": 4, "bucket_lengths": (8, 16), "learning_rate": 0.001},
        "hardware": {},
        "evaluate": {},
        "predict": {},
    }
    return Settings.model_validate({name: usual[name] | sections.get(name, {}) for name in usual})


def vocabulary(*texts: str) -> Vocabulary:
    """A vocabulary of the texts' characters."""
    return Vocabulary([*SPECIAL_TOKENS, *sorted(set("".join(texts)) - set(" \u3000\n"))])


def split_of(*examples: Example, max_length: int = 64) -> Split:
    known = vocabulary(*(one.text for one in examples))
    return encode_split(examples, Tokenizer(known, lowercase=True), SCHEMA, max_length, triggers=True)


def raw(train: Sequence[Example], valid: Sequence[Example], test: Sequence[Example] = (NOTHING,)) -> RawData:
    return RawData(list(train), list(valid), list(test), SCHEMA, [], [])


def prepared(*examples: Example, **sections: dict[str, Any]) -> Prepared:
    """The examples as train and as valid rows."""
    return encode(raw(examples, examples), settings(**sections))
