"""Examples of DuEE 1.0 to arrays: tokens, their places in the text, and the tokens of each argument."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from competitions.lic2020_ee.data import Example, RawData, official
from competitions.lic2020_ee.schema import Schema
from competitions.lic2020_ee.settings import Settings
from shared.arrays import Ragged, Split
from shared.task import Prepared
from shared.text.tokenizer import TEXTS_AT_ONCE, Tokenizer
from shared.text.units import tokenizer_for
from shared.text.vocabulary import vocabulary_for

LENGTH_FIELD = "token_ids"
SPAN_FIELDS = 4  # numbers that `spans` holds for each argument


def encode(raw: RawData, settings: Settings) -> Prepared:
    """Returns the three splits as arrays, with the vocabulary given or learned from the training texts."""
    vocabulary = vocabulary_for(settings.text, (example.text for example in raw.train))
    tokenizer = tokenizer_for(vocabulary, settings.text)
    triggers = settings.data.scheme == "gplinker"
    splits = {
        name: encode_split(getattr(raw, name), tokenizer, raw.schema, settings.data.max_length, triggers)
        for name in ("train", "valid", "test")
    }
    roles = [list(role) for role in raw.schema.roles]
    labels = {"schema": raw.schema.to_json(), "roles": roles, "scheme": settings.data.scheme}
    return Prepared(splits, vocabulary, labels)


def encode_split(
    examples: Sequence[Example], tokenizer: Tokenizer, schema: Schema, max_length: int, triggers: bool = False
) -> Split:
    """Returns the split's fields, one row a sentence.

    token_ids: ragged ints, [CLS] tokens [SEP], cut at max_length; char_starts, char_ends: ragged int32, the half-open
    place of each token in the text, 0 and 0 for [CLS] and [SEP]; id, text: ragged UTF-8; event_list: ragged UTF-8, the
    gold events in the official form, JSON; spans: ragged int32, for each argument that is not cut off four numbers:
    its start and end (tokens, half-open, [CLS] being 0), the index of its (event type, role), the number of its event.
    With `triggers` also triggers: ragged int32, the same for the trigger of each event, with the index of its type
    among those that have roles; an event of another type cannot be told.
    """
    indices = {role: index for index, role in enumerate(schema.roles)}
    types = {name: index for index, name in enumerate(dict.fromkeys(name for name, _ in schema.roles))}
    ids: list[np.ndarray] = []
    starts: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    spans: list[np.ndarray] = []
    of_triggers: list[np.ndarray] = []
    for first in range(0, len(examples), TEXTS_AT_ONCE):  # all encodings of a contest at once would take gigabytes
        portion = examples[first : first + TEXTS_AT_ONCE]
        encodings = tokenizer.encode_batch([example.text for example in portion])
        for example, tokens in zip(portion, encodings, strict=True):
            places = tokens.offsets[: max_length - 2]
            ids.append(np.concatenate([[tokenizer.cls_id], tokens.ids[: max_length - 2], [tokenizer.sep_id]]))
            starts.append(np.pad(places[:, 0], 1))
            ends.append(np.pad(places[:, 1], 1))
            spans.append(label_spans(example, tokens.offsets, indices, max_length))
            if triggers:
                of_triggers.append(trigger_spans(example, tokens.offsets, types, max_length))
    event_lists = [json.dumps([official(one, schema) for one in e.events], ensure_ascii=False) for e in examples]
    return Split(
        {
            "token_ids": Ragged.of(ids, np.uint16 if len(tokenizer.vocabulary) <= 2**16 else np.int32),
            "char_starts": Ragged.of(starts, np.int32),
            "char_ends": Ragged.of(ends, np.int32),
            "id": Ragged.of_texts([example.id for example in examples]),
            "text": Ragged.of_texts([example.text for example in examples]),
            "event_list": Ragged.of_texts(event_lists),
            "spans": Ragged.of(spans, np.int32),
        }
        | ({"triggers": Ragged.of(of_triggers, np.int32)} if triggers else {})
    )


def label_spans(
    example: Example, places: np.ndarray, roles: Mapping[tuple[str, str], int], max_length: int
) -> np.ndarray:
    """Returns the row's `spans`, see `encode_split`: (4 times arguments,) int32. Arguments that are cut are left out.

    Args: places: (tokens, 2) int, the characters of all tokens of the text, as for `align`. roles: (event type, role)
        -> index. max_length: of the row, with [CLS] and [SEP].
    """
    found = [
        (one.start, one.start + len(one.text), roles[event.type, one.role], number)
        for number, event in enumerate(example.events)
        for one in event.arguments
    ]
    return _on_tokens(found, places, max_length)


def trigger_spans(example: Example, places: np.ndarray, types: Mapping[str, int], max_length: int) -> np.ndarray:
    """Returns the row's `triggers`, see `encode_split`: (4 times events,) int32. Triggers that are cut are left out.

    Args: types: event type -> index; the rest as for `label_spans`.
    """
    found = [
        (event.trigger_start, event.trigger_start + len(event.trigger), types[event.type], number)
        for number, event in enumerate(example.events)
        if event.type in types
    ]
    return _on_tokens(found, places, max_length)


def _on_tokens(found: Sequence[tuple[int, int, int, int]], places: np.ndarray, max_length: int) -> np.ndarray:
    """Returns the spans with characters replaced by tokens, without those that are cut or touch no token."""
    table = np.array(found, np.int32).reshape(-1, SPAN_FIELDS)
    table[:, 0], table[:, 1] = align(places, table[:, 0], table[:, 1])
    return table[(table[:, 0] < table[:, 1]) & (table[:, 1] < max_length)].ravel()


def align(places: np.ndarray, char_starts: np.ndarray, char_ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the tokens that spans of characters touch: their starts and ends, half-open, [CLS] being token 0.

    A boundary inside a token moves outwards, to the token's edge; one among blanks, which have no tokens, moves
    inwards. A span that touches no token comes out empty.

    Args: places: (tokens, 2) int, the tokens' characters, half-open and rising. char_starts, char_ends: (spans,) int.
    """
    starts = np.searchsorted(places[:, 1], char_starts, side="right")
    ends = np.searchsorted(places[:, 0], char_ends, side="left")
    return starts + 1, np.maximum(starts, ends) + 1
