"""Settings with tricks, a small network and prepared rows for their tests."""

from typing import Any

from competitions.sohu2021.data import Example
from competitions.sohu2021.encoding import encode_split
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary

CHARACTERS = "天地玄黄宇宙洪荒日月盈昃"
VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *CHARACTERS])
TOKENIZER = Tokenizer(VOCABULARY, lowercase=True)
SIZES = {"kind": "roformer", "position": "rotary", "num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 16}


def tricks(**sections: dict[str, Any]) -> Settings:
    """Returns settings of a network of 2 layers x 8, with changes to each section."""
    document: dict[str, dict[str, Any]] = {
        "data": {"max_length": 16},
        "text": {"vocabulary": None},
        "model": {"backbone": {"architecture": SIZES, "dropout": 0.3}, "condition": "none", "exact_match": False},
        "train": {
            "seed": 0,
            "epochs": 1,
            "batch_size": 4,
            "bucket_lengths": [16],
            "learning_rate": 0.01,
            "warmup_share": 0.0,
        },
        "hardware": {},
        "evaluate": {},
        "predict": {},
    }
    return Settings.model_validate({name: part | sections.get(name, {}) for name, part in document.items()})


def example(variant: int, label: int | None, source: str, target: str, number: int = 0) -> Example:
    return Example(VARIANTS[variant].id(number), variant, source, target, label)


def split(*examples: Example, max_length: int = 16) -> Split:
    return encode_split(examples, TOKENIZER, max_length)


# Four pairs of different lengths, both labels in both classes.
ROWS = (
    example(0, 1, "天地玄黄", "天地"),
    example(1, 0, "宇宙", "洪荒日月", 1),
    example(4, 0, "日月盈", "昃天", 2),
    example(5, 1, "盈昃", "盈昃日", 3),
)


def word(split: Split, row: int) -> str:
    """The tokens of a row, joined, with | for [CLS] and [SEP]."""
    tokens = [VOCABULARY.tokens[token] for token in split.ragged("token_ids")[row].tolist()]
    return "".join("|" if len(token) > 1 else token for token in tokens)
