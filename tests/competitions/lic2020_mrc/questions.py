"""A few invented questions as arrays, with the settings that tests run under."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from competitions.lic2020_mrc.data import Answer, Example
from competitions.lic2020_mrc.encoding import encode, encode_split
from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.arrays import Split
from shared.task import Prepared
from shared.text.tokenizer import Tokenizer
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from tests.competitions.lic2020_mrc.layout import raw_data

# Windows of 16 tokens, a question of 4 of them: 9 of the passage.
WINDOW, ROOM = 16, 9
LABELS = {"window": WINDOW, "stride": 3, "max_question_length": 4, "cls_id": 2, "sep_id": 3}


def asked(context: str, *answers: str | tuple[str, int], question: str = "桥在哪里", id: str = "q") -> Example:
    """Returns a question; answers: texts, or texts with their annotated start."""
    found = [Answer(answer, -1) if isinstance(answer, str) else Answer(*answer) for answer in answers]
    return Example(id, question, context, tuple(found))


SHORT = asked("青石桥在城南", "城南", id="short")
LONG = asked("甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉", "辰巳", ("丙", 2), id="long")  # 20 tokens, 5 windows
EXAMPLES = (SHORT, LONG)


def settings(**sections: dict[str, Any]) -> Settings:
    """Returns settings; changes by section, e.g. train={"epochs": 2}."""
    usual: dict[str, dict[str, Any]] = {
        "data": {"window": WINDOW, "stride": 3, "max_question_length": 4},
        "text": {"vocabulary": None, "min_count": 1},
        "model": {"backbone": {"kind": "roformer", "preset": "tiny", "dropout": 0.0}},
        "train": {"seed": 0, "epochs": 1, "batch_size": 4, "bucket_lengths": (12, WINDOW), "learning_rate": 0.001},
        "hardware": {"predict_batch_size": 2},
        "evaluate": {},
        "predict": {},
    }
    return Settings.model_validate({name: usual[name] | sections.get(name, {}) for name in usual})


def vocabulary(*examples: Example) -> Vocabulary:
    """Returns a vocabulary of the examples' characters."""
    characters = set("".join(text for e in examples for text in (e.question, e.context)).lower()) - set(" \u3000")
    return Vocabulary([*SPECIAL_TOKENS, *sorted(characters)])


def split_of(*examples: Example, words: Vocabulary | None = None, **data: Any) -> Split:
    tokenizer = Tokenizer(words or vocabulary(*examples), lowercase=True)
    return encode_split(examples, tokenizer, settings(data=settings().data.model_dump() | data).data)


def windowed(*examples: Example, **labels: Any) -> WindowedSplit:
    return WindowedSplit(split_of(*examples), LABELS | labels)


def prepared(train: Sequence[Example], valid: Sequence[Example] = (), **sections: dict[str, Any]) -> Prepared:
    return encode(raw_data(train, valid), settings(**sections))


def sure_logits(windows: WindowedSplit, places: dict[int, tuple[int, int, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns start and end logits of all windows, (windows, WINDOW) each: 0 but at the places.

    places: window -> first and last passage token, and the logit of both.
    """
    start, end = np.zeros((2, len(windows.lengths), WINDOW), np.float32)
    for window, (first, last, logit) in places.items():
        start[window, first + windows.shift[window]] = logit
        end[window, last + windows.shift[window]] = logit
    return start, end
