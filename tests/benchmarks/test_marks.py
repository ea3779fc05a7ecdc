import numpy as np

from benchmarks.marks import SURE, filters


def test_a_head_is_sure_at_its_mark_and_nowhere_else(rng):
    tokens = np.repeat(np.arange(40), 5)
    vectors = rng.normal(size=(40, 64))[tokens] + 0.01 * rng.normal(size=(200, 64))
    kernel, bias = filters(vectors, tokens, {0: 7, 2: 9}, units=3)
    logits = vectors @ kernel + bias
    for unit, mark in ((0, 7), (2, 9)):
        np.testing.assert_allclose(logits[tokens == mark, unit], SURE, rtol=0.1)
        assert (logits[tokens != mark, unit] < 0).all()
    np.testing.assert_array_equal(logits[:, 1], -SURE)
