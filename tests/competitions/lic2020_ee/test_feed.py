import numpy as np
import pytest

from competitions.lic2020_ee.feed import feed
from competitions.lic2020_ee.labelling import Roles
from competitions.lic2020_ee.span_labels import gold_of
from tests.competitions.lic2020_ee.sentences import EXAMPLES, GAME, NOTHING, SCHEMES, TWO, labels, settings, split_of


def batch(scheme, units, width=16):
    return feed(split_of(*EXAMPLES), settings(), labels(scheme)).batch(np.array(units), width, np.random.default_rng(0))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_inputs_and_mask_are_padded_to_the_width(scheme):
    inputs, targets = batch(scheme, [0, 3])
    assert inputs["token_ids"].shape == (2, 16)
    assert inputs["token_ids"].dtype == np.int32
    np.testing.assert_array_equal(targets["token_mask"], inputs["token_ids"] != 0)
    assert targets["token_mask"].sum(axis=1).tolist() == [len(GAME.text) + 2, len(NOTHING.text) + 2]


def test_the_targets_are_those_of_the_scheme():
    assert {name: array.shape for name, array in batch("bio", [0, 1])[1].items()} == {
        "token_mask": (2, 16),
        "labels": (2, 16),
    }
    assert batch("bio_per_type", [0, 1])[1]["labels"].shape == (2, 3, 16)
    marks = batch("pointer", [0, 1])[1]
    assert marks["starts"].shape == marks["ends"].shape == (2, 16, 8)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_row_has_the_same_labels_in_every_batch(scheme):
    _, alone = batch(scheme, [1])
    _, among = batch(scheme, [3, 1, 0, 1])
    for name, array in among.items():
        for place in (1, 3):
            np.testing.assert_array_equal(array[place], alone[name][0])


def test_the_arguments_of_chosen_rows_by_hand():
    units = np.array([2, 0, 1, 2])
    spans, event = gold_of(split_of(NOTHING, GAME, TWO), units, Roles.of(labels("bio")["roles"]), triggers=False)
    assert spans.row.tolist() == [0] * 4 + [2] * 3 + [3] * 4
    assert spans.start.tolist()[4:7] == [1, 3, 8]
    assert spans.end.tolist()[4:7] == [3, 6, 11]
    assert event.tolist() == [0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    assert spans.label.tolist()[:4] == spans.label.tolist()[7:] == [3, 4, 6, 7]


def test_the_lengths_are_those_of_the_rows():
    source = feed(split_of(*EXAMPLES), settings(), labels("bio"))
    assert source.lengths.tolist() == [len(one.text) + 2 for one in EXAMPLES]
