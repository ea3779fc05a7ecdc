from typing import Any

import numpy as np
import pytest

from competitions.lic2020_mrc.inference import infer
from tests.competitions.lic2020_mrc.questions import EXAMPLES, LABELS, LONG, SHORT, asked, settings, split_of


class Pointer:
    """Stands in for a network: prefers passages tokens of the given ids, the later ones the more."""

    def __init__(self, *token_ids: int):
        self.token_ids, self.shapes = token_ids, list[tuple[int, ...]]()

    def predictor(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        tokens, passage = inputs["token_ids"], inputs["segment_ids"] == 1
        self.shapes.append(tokens.shape)
        wanted = np.isin(tokens, self.token_ids) & passage
        logits = np.where(wanted, tokens, np.where(passage, 0, -1e9)).astype(np.float32)
        return {"start_logits": logits, "end_logits": logits}


def of(*examples: Any, wanted: str = "", **sections: dict[str, Any]) -> tuple[dict[str, Any], Pointer]:
    split = split_of(*examples)
    ids = dict(zip(examples[-1].context, split.ragged("passage_ids")[split.rows - 1].tolist(), strict=True))
    network = Pointer(*(ids[character] for character in wanted))
    return dict(infer(network, split, settings(**sections), LABELS)), network


@pytest.mark.parametrize("wanted", ["丙", "酉", "癸"])
def test_every_place_of_a_long_passage_is_found(wanted):
    got, _ = of(*EXAMPLES, wanted=wanted)
    assert got["answer"][1] == wanted
    assert got["n_best"][1][0]["char_start"] == LONG.context.index(wanted)


def test_answers_come_in_the_order_of_the_rows_whatever_their_length():
    examples = [LONG, SHORT, asked("桥", id="tiny"), LONG, SHORT]
    got, network = of(*examples)
    for answer, example in zip(got["answer"], examples, strict=True):
        assert answer
        assert answer in example.context
    assert [len(one) for one in got.values()] == [5, 5, 5]
    assert got["answer"][0] == got["answer"][3]
    assert all(rows <= 2 for rows, _ in network.shapes)


def test_the_batch_size_changes_nothing():
    one, other = (of(*EXAMPLES, wanted="癸", hardware={"predict_batch_size": size})[0] for size in (1, 64))
    assert one == other


def test_a_row_alone_gets_the_answer_it_gets_among_others():
    together, _ = of(SHORT, LONG, wanted="辰")
    alone, _ = of(LONG, wanted="辰")
    assert together["answer"][1] == alone["answer"][0] == "辰"


def test_as_many_answers_are_kept_as_asked_for():
    got, _ = of(*EXAMPLES, predict={"n_best": 3})
    assert [len(n_best) for n_best in got["n_best"]] == [3, 3]


def test_no_row_gives_no_answer():
    split = split_of()
    assert infer(Pointer(), split, settings(), LABELS) == {"answer": [], "confidence": [], "n_best": []}
