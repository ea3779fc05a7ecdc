"""Examples of Sohu 2021 to arrays."""

from collections.abc import Sequence

import numpy as np

from competitions.sohu2021.data import Example, RawData
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.trim import Trim, trim_for
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Ragged, Split
from shared.task import Prepared
from shared.text.pairs import SPECIALS, pack_pairs
from shared.text.tokenizer import Tokenizer
from shared.text.units import tokenizer_for
from shared.text.vocabulary import vocabulary_for

LENGTH_FIELD = "token_ids"


def encode(raw: RawData, settings: Settings) -> Prepared:
    """Returns the three splits as arrays, with the vocabulary given or learned from the training texts."""
    vocabulary = vocabulary_for(settings.text, (text for e in raw.train for text in (e.source, e.target)))
    tokenizer, trim = tokenizer_for(vocabulary, settings.text), trim_for(settings.data, raw.train)
    splits = {
        name: encode_split(getattr(raw, name), tokenizer, settings.data.max_length, trim)
        for name in ("train", "valid", "test")
    }
    labels = {"variants": [variant.name for variant in VARIANTS], "labels": ["0", "1"]}
    return Prepared(splits, vocabulary, labels)


def encode_split(examples: Sequence[Example], tokenizer: Tokenizer, max_length: int, trim: Trim | None = None) -> Split:
    """Returns the split's fields.

    token_ids, segment_ids: ragged ints; variant: (rows,) int32; label: (rows,) int32, -1 where the file has none; id,
    source, target: texts as ragged UTF-8.

    Args: trim: how texts are cut that are too long; None: their end is dropped.
    """
    sources, targets = [e.source for e in examples], [e.target for e in examples]
    if trim:
        first, second = trim(sources, targets, tokenizer, max_length - SPECIALS)
    else:  # no text can keep more than max_length tokens, so the rest is dropped at once
        first, second = tokenizer.encode_ids(sources, max_length), tokenizer.encode_ids(targets, max_length)
    token_ids, segment_ids = pack_pairs(first, second, tokenizer.cls_id, tokenizer.sep_id, max_length)
    id_type = np.uint16 if len(tokenizer.vocabulary) <= 2**16 else np.int32
    return Split(
        {
            "token_ids": Ragged.of(token_ids, id_type),
            "segment_ids": Ragged.of(segment_ids, np.uint8),
            "variant": np.array([e.variant for e in examples], np.int32),
            "label": np.array([-1 if e.label is None else e.label for e in examples], np.int32),
            "id": Ragged.of_texts([e.id for e in examples]),
            "source": Ragged.of_texts(sources),
            "target": Ragged.of_texts(targets),
        }
    )
