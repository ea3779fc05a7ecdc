"""Examples of DuReader-robust to arrays: tokens, their places in the passage, and where the answers stand.

The official dev file gives no places, and 28 % of the answers stand in their passage more than once. An answer is
labelled at its annotated place, or else at the first place where tokens begin and end with it.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from competitions.lic2020_mrc.data import Answer, Example, RawData
from competitions.lic2020_mrc.settings import DataSettings, Settings
from shared.arrays import Ragged, Split
from shared.task import Prepared
from shared.text.tokenizer import TEXTS_AT_ONCE, Tokenizer, Tokens
from shared.text.units import tokenizer_for
from shared.text.vocabulary import vocabulary_for

Span = tuple[int, int]  # tokens of the passage, half-open


def encode(raw: RawData, settings: Settings) -> Prepared:
    """Returns the three splits as arrays, with the vocabulary given or learned from the training texts."""
    passages = dict.fromkeys(example.context for example in raw.train)  # one may have several questions
    vocabulary = vocabulary_for(settings.text, [*passages, *(example.question for example in raw.train)])
    tokenizer = tokenizer_for(vocabulary, settings.text)
    splits = {name: encode_split(getattr(raw, name), tokenizer, settings.data) for name in ("train", "valid", "test")}
    labels = {
        "window": settings.data.window,
        "stride": settings.data.stride,
        "max_question_length": settings.data.max_question_length,
        "cls_id": tokenizer.cls_id,
        "sep_id": tokenizer.sep_id,
    }
    return Prepared(splits, vocabulary, labels)


def encode_split(examples: Sequence[Example], tokenizer: Tokenizer, settings: DataSettings) -> Split:
    """Returns the split's fields, one row a question.

    question_ids: ragged ints, cut at max_question_length; passage_ids: ragged ints, all of the passage; both without
    special tokens. char_starts, char_ends: ragged int32, the half-open place of each passage token in the text. id,
    question, context: ragged UTF-8. answers: ragged UTF-8, JSON list of objects of `text` and `start`. spans: ragged
    int32, for each answer that has a place two numbers: its tokens start and end, half-open.
    """
    id_type = np.uint16 if len(tokenizer.vocabulary) <= 2**16 else np.int32
    questions = tokenizer.encode_ids([example.question for example in examples], settings.max_question_length)
    ids: list[np.ndarray] = []
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    spans: list[list[int]] = []
    for first in range(0, len(examples), TEXTS_AT_ONCE):  # all encodings of a contest at once would take gigabytes
        portion = examples[first : first + TEXTS_AT_ONCE]
        encodings = tokenizer.encode_batch([example.context for example in portion])
        for example, tokens in zip(portion, encodings, strict=True):
            places = Places(example.context, tokens, settings.label_position)
            ids.append(tokens.ids.astype(id_type))
            starts.append(tokens.offsets[:, 0])
            ends.append(tokens.offsets[:, 1])
            found = [places.of(answer) for answer in example.answers]
            spans.append([token for span in found if span for token in span])
    return Split(
        {
            "question_ids": Ragged.of(questions, id_type),
            "passage_ids": Ragged.of(ids, id_type),
            "char_starts": Ragged.of(starts, np.int32),
            "char_ends": Ragged.of(ends, np.int32),
            "id": Ragged.of_texts([example.id for example in examples]),
            "question": Ragged.of_texts([example.question for example in examples]),
            "context": Ragged.of_texts([example.context for example in examples]),
            "answers": Ragged.of_texts([_json(example.answers) for example in examples]),
            "spans": Ragged.of(spans, np.int32),
        }
    )


def _json(answers: Sequence[Answer]) -> str:
    return json.dumps([asdict(answer) for answer in answers], ensure_ascii=False)


class Places:
    """Finds answers among the tokens of one passage.

    Args: context: the passage. tokens: all of it. label_position: as in DataSettings.
    """

    def __init__(self, context: str, tokens: Tokens, label_position: str):
        self.context, self.annotated = context, label_position == "annotated"
        self.starts, self.ends = tokens.offsets[:, 0].tolist(), tokens.offsets[:, 1].tolist()

    def of(self, answer: Answer) -> Span | None:
        """Returns the tokens that the answer is labelled at; None if it is blank or no part of the passage.

        Blanks at its edges, which no token stands for, do not count. What begins or ends inside a token is widened to
        the whole token, if there is no better place.
        """
        if self.annotated and answer.start >= 0 and self.context.startswith(answer.text, answer.start):
            return self._span(answer.text, answer.start)
        rough = None
        for text in (answer.text, answer.text.strip()):
            position = self.context.find(text)
            while position >= 0 and text.strip():
                span = self._span(text, position)
                if span and self._is_exact(span, text, position):
                    return span
                rough = rough or span
                position = self.context.find(text, position + 1)
        return rough

    def _span(self, text: str, position: int) -> Span | None:
        """Returns the tokens that the text at this place reaches into, None if there are none."""
        char_start, char_end = _without_edge_blanks(text, position)
        start, end = bisect_right(self.ends, char_start), bisect_left(self.starts, char_end)
        return (start, end) if start < end else None

    def _is_exact(self, span: Span, text: str, position: int) -> bool:
        return (self.starts[span[0]], self.ends[span[1] - 1]) == _without_edge_blanks(text, position)


def _without_edge_blanks(text: str, position: int) -> tuple[int, int]:
    """Returns where the text at this place begins and ends without the blanks around it."""
    return position + len(text) - len(text.lstrip()), position + len(text.rstrip())
