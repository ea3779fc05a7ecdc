"""Examples of DuIE 2.0 to arrays: tokens, their places in the text, and where the values of the triples stand.

The data gives no offsets, and 12 % of the subjects occur more than once. A subject is labelled at its first place, so
that all its objects hang on one span; an `@value` where it stands nearest to the subject without overlapping it;
another slot's value where it stands nearest to the `@value`, which is what `combine` pairs by.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence

import numpy as np

from competitions.lic2020_re.data import Example, RawData, official
from competitions.lic2020_re.schema import VALUE, Schema
from competitions.lic2020_re.settings import Settings
from shared.arrays import Ragged, Split
from shared.task import Prepared
from shared.text.tokenizer import TEXTS_AT_ONCE, Tokenizer, Tokens
from shared.text.units import tokenizer_for
from shared.text.vocabulary import vocabulary_for

LENGTH_FIELD = "token_ids"
SPAN_FIELDS = 5  # numbers that `spans` holds for each labelled value
Span = tuple[int, int]  # tokens, half-open


def encode(raw: RawData, settings: Settings) -> Prepared:
    """Returns the three splits as arrays, with the vocabulary given or learned from the training texts."""
    vocabulary = vocabulary_for(settings.text, (example.text for example in raw.train))
    tokenizer = tokenizer_for(vocabulary, settings.text)
    splits = {
        name: encode_split(getattr(raw, name), tokenizer, raw.schema, settings.data.max_length)
        for name in ("train", "valid", "test")
    }
    labels = {"schema": raw.schema.to_json(), "relations": [list(relation) for relation in raw.schema.relations]}
    return Prepared(splits, vocabulary, labels)


def encode_split(examples: Sequence[Example], tokenizer: Tokenizer, schema: Schema, max_length: int) -> Split:
    """Returns the split's fields, one row a sentence.

    token_ids: ragged ints, [CLS] tokens [SEP], cut at max_length; char_starts, char_ends: ragged int32, the half-open
    place of each token in the text, 0 and 0 for [CLS] and [SEP]; text: ragged UTF-8; spo_list: ragged UTF-8, the gold
    triples in the official form, JSON; spans: ragged int32, for each slot of each triple that could be labelled five
    numbers: subject start and end, object start and end (tokens, half-open, [CLS] being 0) and the relation's index.
    """
    indices = {relation: index for index, relation in enumerate(schema.relations)}
    ids: list[np.ndarray] = []
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    spans: list[np.ndarray] = []
    for first in range(0, len(examples), TEXTS_AT_ONCE):  # all encodings of a contest at once would take gigabytes
        portion = examples[first : first + TEXTS_AT_ONCE]
        encodings = tokenizer.encode_batch([example.text for example in portion])
        for example, tokens in zip(portion, encodings, strict=True):
            kept = Tokens(tokens.ids[: max_length - 2], tokens.offsets[: max_length - 2])
            ids.append(np.concatenate([[tokenizer.cls_id], kept.ids, [tokenizer.sep_id]]))
            starts.append(np.pad(kept.offsets[:, 0], 1))
            ends.append(np.pad(kept.offsets[:, 1], 1))
            spans.append(label_spans(example, Places(example.text, starts[-1], ends[-1]), indices))
    spo_lists = [json.dumps([official(one, schema) for one in e.triples], ensure_ascii=False) for e in examples]
    return Split(
        {
            "token_ids": Ragged.of(ids, np.uint16 if len(tokenizer.vocabulary) <= 2**16 else np.int32),
            "char_starts": Ragged.of(starts, np.int32),
            "char_ends": Ragged.of(ends, np.int32),
            "text": Ragged.of_texts([example.text for example in examples]),
            "spo_list": Ragged.of_texts(spo_lists),
            "spans": Ragged.of(spans, np.int32),
        }
    )


class Places:
    """Finds texts among the tokens of one row.

    Args: text; char_starts, char_ends: (tokens,) int, as in a split's row: [CLS] first, [SEP] last.
    """

    def __init__(self, text: str, char_starts: np.ndarray, char_ends: np.ndarray):
        self.text, self.starts, self.ends = text, char_starts[1:-1].tolist(), char_ends[1:-1].tolist()

    def of(self, value: str) -> list[Span]:
        """Returns where the value stands, rising: places of whole tokens only, if there are any.

        If every place begins or ends inside a token or at a blank, which has none, all are widened to whole tokens or
        narrowed to those there are. Places behind the cut do not count.
        """
        exact: list[Span] = []
        rough: list[Span] = []
        position = self.text.find(value)
        while position >= 0:
            first = bisect_right(self.ends, position)
            last = bisect_left(self.starts, position + len(value)) - 1
            if first <= last and self._reaches(position + len(value)):
                whole = self.starts[first] == position and self.ends[last] == position + len(value)
                (exact if whole else rough).append((first + 1, last + 2))
            position = self.text.find(value, position + 1)
        return exact or rough

    def _reaches(self, char_end: int) -> bool:
        """Whether the tokens go on to this place; what is cut in the middle would be labelled as another value."""
        return self.ends[-1] >= char_end or not self.text[self.ends[-1] : char_end].strip()


def label_spans(example: Example, places: Places, relations: Mapping[tuple[str, str], int]) -> np.ndarray:
    """Returns the row's `spans`, see `encode_split`: (5 times labelled values,) int32.

    A triple whose subject has no place is left out; of one whose object lacks some slots' places the others are kept.

    Args: relations: (predicate, slot) -> index.
    """
    rows: list[tuple[int, ...]] = []
    for triple in example.triples:
        subjects = places.of(triple.subject)
        if not subjects:
            continue
        anchor = subject = subjects[0]
        for slot, value in triple.object:  # @value comes first
            found = places.of(value)
            if found:
                span = nearest(anchor, found)
                rows.append((*subject, *span, relations[triple.predicate, slot]))
                anchor = span if slot == VALUE else anchor
    return np.array(list(dict.fromkeys(rows)), np.int32).reshape(-1)


def nearest(anchor: Span, spans: Sequence[Span]) -> Span:
    """Returns the span nearest to the anchor; any that overlaps it only if all do; the first on a tie."""
    return min(spans, key=lambda span: (overlap(anchor, span), distance(anchor, span)))


def overlap(one: Span, other: Span) -> bool:
    """Whether two spans have a token in common."""
    return one[0] < other[1] and other[0] < one[1]


def distance(one: Span, other: Span) -> int:
    """Returns the number of tokens between two spans."""
    return max(0, one[0] - other[1], other[0] - one[1])
