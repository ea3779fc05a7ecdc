import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competitions.sohu2021.data import Example
from competitions.sohu2021.feed import PairFeed, feed, swapped
from shared.losses.class_balance import class_weights
from shared.training.feed import FieldFeed
from tests.competitions.sohu2021.tricks import CHARACTERS, ROWS, example, split, tricks

TEXT = st.text(CHARACTERS, max_size=12)


def batch(made, units, seed=0, width=16):
    return made.batch(np.asarray(units), width, np.random.default_rng(seed))


def test_without_tricks_the_rows_are_drawn_as_they_are():
    made = feed(split(*ROWS), tricks(), {})
    assert made == FieldFeed(made.split, "token_ids", ("token_ids", "segment_ids", "variant"), ("label",))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5), st.integers(0, 2**31))
def test_a_swapped_pair_is_what_encoding_makes_of_the_texts_the_other_way_round(pairs, seed):
    chosen = np.random.default_rng(seed).random(len(pairs)) < 0.5
    rows = [example(0, 1, source, target) for source, target in pairs]
    turned = [
        Example(row.id, 0, *((row.target, row.source) if yes else (row.source, row.target)), 1)
        for row, yes in zip(rows, chosen, strict=True)
    ]
    one, other = split(*rows, max_length=64), split(*turned, max_length=64)
    numbers = np.arange(len(rows))
    ids, segments = (one.ragged(name).padded(numbers, 30) for name in ("token_ids", "segment_ids"))
    got = swapped(ids, segments, one.ragged("token_ids").lengths, chosen)
    for name, array in zip(("token_ids", "segment_ids"), got, strict=True):
        np.testing.assert_array_equal(array, other.ragged(name).padded(numbers, 30))
        assert array.dtype == np.int32


def test_half_swaps_every_other_pair_anew_with_the_rng_and_changes_no_target():
    rows = split(*(example(number % 6, number % 2, "天地玄", "黄", number) for number in range(400)))
    made = feed(rows, tricks(train={"swap": "half"}), {})
    plain = feed(rows, tricks(), {})
    units = np.arange(400)
    (first, targets), (again, _), (other, _) = (batch(made, units, seed) for seed in (1, 1, 2))
    as_it_is, labels = batch(plain, units)
    turned = (first["token_ids"] != as_it_is["token_ids"]).any(axis=1)
    assert 0.4 < turned.mean() < 0.6
    np.testing.assert_array_equal(first["token_ids"], again["token_ids"])
    assert (first["token_ids"] != other["token_ids"]).any()
    np.testing.assert_array_equal(targets["label"], labels["label"])
    np.testing.assert_array_equal(first["variant"], as_it_is["variant"])
    np.testing.assert_array_equal(made.lengths, plain.lengths)


def test_both_learns_every_pair_once_each_way():
    made = feed(split(*ROWS), tricks(train={"swap": "both"}), {})
    assert made.lengths.tolist() == [9, 9, 8, 8] * 2
    texts, targets = batch(made, range(8))
    turned = split(*(Example(r.id, r.variant, r.target, r.source, r.label) for r in ROWS))
    want = np.concatenate([one.ragged("token_ids").padded(np.arange(4), 16) for one in (split(*ROWS), turned)])
    np.testing.assert_array_equal(texts["token_ids"], want)
    np.testing.assert_array_equal(targets["label"], [1, 0, 0, 1] * 2)


def test_implied_rows_are_learned_too_with_the_other_variant():
    made = feed(split(*ROWS), tricks(train={"implied_labels": True, "auxiliary_weight": 0.1}), {})
    texts, targets = batch(made, range(len(made.lengths)))
    # Of A 0 (row 2, variant 4) follows B 0; of B 1 (row 3, variant 5) follows A 1.
    assert texts["variant"].tolist() == [0, 1, 4, 5, 5, 4]
    assert targets["label"].tolist() == [1, 0, 0, 1, 0, 1]
    assert targets["variant"].tolist() == texts["variant"].tolist()
    np.testing.assert_array_equal(texts["token_ids"][4:], texts["token_ids"][2:4])


@pytest.mark.parametrize(
    ("train", "names"),
    [
        ({"loss": "soft_f1"}, {"label", "variant"}),
        ({"auxiliary_weight": 0.5}, {"label", "variant"}),
        ({"loss": "class_balanced"}, {"label", "class_weight"}),
        ({"loss": "focal"}, {"label"}),
    ],
)
def test_the_loss_is_given_what_it_needs_and_no_more(train, names):
    assert set(batch(feed(split(*ROWS), tricks(train=train), {}), [0])[1]) == names


def test_class_weights_go_by_the_labels_of_all_rows_that_are_learned():
    rows = split(*ROWS, example(0, 0, "天", "地", 4))
    made = feed(rows, tricks(train={"loss": "class_balanced", "balance_beta": 0.9, "implied_labels": True}), {})
    assert isinstance(made, PairFeed)
    labels = made.fields["label"]
    assert np.bincount(labels).tolist() == [5, 3]
    weights = class_weights(np.array([5, 3]), 0.9)
    _, targets = batch(made, range(len(labels)))
    np.testing.assert_array_equal(targets["class_weight"], weights[labels])
    assert targets["class_weight"].dtype == np.float32
