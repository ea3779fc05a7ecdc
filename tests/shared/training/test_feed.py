import numpy as np

from tests.shared.training import toy


def test_fields_are_padded_to_the_width_and_split_into_inputs_and_targets():
    split = toy.split(5)
    feed = toy.feed(split)
    inputs, targets = feed.batch(np.array([3, 0]), 16, np.random.default_rng(0))
    assert list(inputs) == ["token_ids"]
    assert inputs["token_ids"].shape == (2, 16)
    want = split.ragged("token_ids")[3]
    np.testing.assert_array_equal(inputs["token_ids"][0], np.pad(want, (0, 16 - len(want))))
    np.testing.assert_array_equal(targets["label"], split.dense("label")[[3, 0]])
    np.testing.assert_array_equal(feed.lengths, split.ragged("token_ids").lengths)
