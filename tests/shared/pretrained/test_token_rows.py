import json

import numpy as np
import pytest

from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.pretrained.token_rows import read_token_rows

ABSOLUTE = Architecture(kind="bert", num_layers=1, hidden_dim=4, num_heads=1, ffn_dim=4, max_positions=4)
ROTARY = ABSOLUTE.model_copy(update={"kind": "roformer", "position": "rotary"})
VOCABULARY = 10


def read(tmp_path, document, architecture=ABSOLUTE):
    path = tmp_path / "ids.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return read_token_rows(path, architecture, VOCABULARY)


def test_ragged_rows_are_padded_and_hidden(tmp_path):
    got = read(tmp_path, {"token_ids": [[2, 9, 3], [2, 3]], "segment_ids": [[0, 0, 1], [0, 1]]})
    assert {name: (array.dtype, array.tolist()) for name, array in got.items()} == {
        "token_ids": (np.int32, [[2, 9, 3], [2, 3, 0]]),
        "segment_ids": (np.int32, [[0, 0, 1], [0, 1, 0]]),
        "padding_mask": (np.bool_, [[True, True, True], [True, True, False]]),
    }


def test_zeros_at_the_end_are_padding_and_others_are_tokens(tmp_path):
    got = read(tmp_path, {"token_ids": [[2, 0, 3, 0], [2, 3, 0, 0]]})
    assert got["padding_mask"].tolist() == [[True, True, True, False], [True, True, False, False]]
    assert not got["segment_ids"].any()


@pytest.mark.parametrize("mask", [[[1, 1, 0, 1], [1, 1]], [[True, True, False, True], [True, True]]])
def test_a_mask_decides_if_there_is_one(tmp_path, mask):
    got = read(tmp_path, {"token_ids": [[2, 3, 4, 0], [2, 0]], "padding_mask": mask})
    assert got["padding_mask"].tolist() == [[True, True, False, True], [True, True, False, False]]


def test_rotary_positions_have_no_limit(tmp_path):
    assert read(tmp_path, {"token_ids": [[1] * 9]}, ROTARY)["token_ids"].shape == (1, 9)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "ids.json:1:2: not JSON"),
        ([[1, 2]], "no object with 'token_ids'. Expected {"),
        ({"tokens": [[1]]}, "no object with 'token_ids'"),
        ({"token_ids": [[1]], "segment": [[0]]}, "unknown field 'segment'. Did you mean 'segment_ids'?"),
        ({"token_ids": []}, r"token_ids is \[\]. Expected {"),
        ({"token_ids": 3}, "token_ids is 3. Expected {"),
        ({"token_ids": [1, 2]}, r"token_ids\[0\] is 1. Expected a list of at least one number"),
        ({"token_ids": [[1], []]}, r"token_ids\[1\] is \[\]. Expected a list of at least one number"),
        ({"token_ids": [[1], [1, "2"]]}, r"token_ids\[1\]\[1\] is '2'. Expected an integer from 0 to 9"),
        ({"token_ids": [[1, 2.0]]}, r"token_ids\[0\]\[1\] is 2.0. Expected an integer"),
        ({"token_ids": [[True]]}, r"token_ids\[0\]\[0\] is True. Expected an integer"),
        ({"token_ids": [[[1]]]}, r"token_ids\[0\]\[0\] is \[1\]. Expected an integer"),
        (
            {"token_ids": [[1], [2, 10]]},
            r"token_ids\[1\]\[1\] is 10. Expected an integer from 0 to 9, the last of the v",
        ),
        ({"token_ids": [[-1]]}, r"token_ids\[0\]\[0\] is -1"),
        ({"token_ids": [[1]], "segment_ids": [[2]]}, r"segment_ids\[0\]\[0\] is 2. Expected an integer from 0 to 1"),
        ({"token_ids": [[1], [1]], "segment_ids": [[0]]}, "segment_ids has 1 rows, token_ids has 2"),
        (
            {"token_ids": [[1], [1, 2]], "segment_ids": [[0], [0]]},
            r"segment_ids\[1\] has 1 entries, token_ids\[1\] has 2",
        ),
        ({"token_ids": [[1, 2]], "padding_mask": [[1]]}, r"padding_mask\[0\] has 1 entries, token_ids\[0\] has 2"),
        ({"token_ids": [[1]], "padding_mask": [[2]]}, r"padding_mask\[0\]\[0\] is 2. Expected 1 or true"),
        ({"token_ids": [[1], [0, 0]]}, r"token_ids\[1\] has only padding"),
        ({"token_ids": [[1]], "padding_mask": [[0]]}, r"token_ids\[0\] has only padding"),
        ({"token_ids": [[1], [1] * 5]}, r"token_ids\[1\] has 5 tokens, the encoder 4 positions"),
        ({"token_ids": [["x" * 1000]]}, r"token_ids\[0\]\[0\] is 'xxx.{0,80}\. Expected"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, document, message):
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, document)
    assert "\n" not in str(error.value)
