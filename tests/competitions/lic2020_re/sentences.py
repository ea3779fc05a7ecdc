"""A few invented sentences as arrays, with the settings that tests run under."""

from collections.abc import Sequence
from typing import Any

from competitions.lic2020_re.data import Example, RawData, Triple
from competitions.lic2020_re.encoding import encode, encode_split
from competitions.lic2020_re.settings import Settings
from shared.arrays import Split
from shared.task import Prepared
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_re.layout import SCHEMA

RELATIONS = [list(relation) for relation in SCHEMA.relations]
LABELS = {"schema": SCHEMA.to_json(), "relations": RELATIONS}
NUMBER = {tuple(relation): number for number, relation in enumerate(RELATIONS)}


def triple(subject: str, predicate: str, value: str, **slots: str) -> Triple:
    return Triple(subject, predicate, (("@value", value), *slots.items()))


# Two subjects, one of them an object too; two values of a relation; two roles, each in its work; no triple at all.
FILM = Example(
    "《北岸》由江雪执导，陆平、苏禾主演",
    (triple("北岸", "导演", "江雪"), triple("北岸", "主演", "陆平"), triple("北岸", "主演", "苏禾")),
)
ROLES = Example(
    "苏禾在《白塔》里演小满，在《北岸》里演阿月，导演白塔的是高远",
    (
        triple("苏禾", "饰演", "小满", inWork="白塔"),
        triple("苏禾", "饰演", "阿月", inWork="北岸"),
        triple("白塔", "导演", "高远"),
    ),
)
NOTHING = Example("今天天气很好", ())
EXAMPLES = (FILM, ROLES, NOTHING)


def settings(**sections: dict[str, Any]) -> Settings:
    """Returns settings; changes by section, e.g. train={"epochs": 2}."""
    usual: dict[str, dict[str, Any]] = {
        "data": {"max_length": 64},
        "text": {"vocabulary": None, "min_count": 1},
        "model": {"backbone": {"kind": "roformer", "preset": "tiny", "dropout": 0.0}},
        "train": {"seed": 0, "epochs": 1, "batch_size": 4, "bucket_lengths": (16, 24, 40), "learning_rate": 0.001},
        "hardware": {},
        "evaluate": {},
        "predict": {},
    }
    return Settings.model_validate({name: usual[name] | sections.get(name, {}) for name in usual})


def vocabulary(*texts: str) -> Vocabulary:
    """Returns a vocabulary of the texts' characters."""
    return Vocabulary([*SPECIAL_TOKENS, *sorted(set("".join(texts)) - set(" \u3000"))])


def split_of(*examples: Example, max_length: int = 64) -> Split:
    tokenizer = Tokenizer(vocabulary(*(example.text for example in examples)), lowercase=True)
    return encode_split(examples, tokenizer, SCHEMA, max_length)


def raw(train: Sequence[Example], valid: Sequence[Example] = (), test: Sequence[Example] = ()) -> RawData:
    return RawData(list(train), list(valid), list(test), SCHEMA, [], [])


def prepared(train: Sequence[Example], valid: Sequence[Example] = (), **sections: dict[str, Any]) -> Prepared:
    return encode(raw(train, valid), settings(**sections))
