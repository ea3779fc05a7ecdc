import numpy as np
import pytest

from shared.layers.attention_pooling import AttentionPooling
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer

MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 5, 8)).astype("float32")


def test_passes_the_check_of_every_layer(x):
    inputs = {"inputs": x, "padding_mask": MASK}
    # Means are below 2, where bfloat16 has steps of 1/128.
    check_layer(AttentionPooling, {}, inputs, padded=("inputs", "padding_mask"), bfloat16_error=0.02)


def test_starts_as_the_mean_over_real_tokens(x):
    want = np.stack([row[mask].mean(axis=0) for row, mask in zip(x, MASK, strict=True)])
    np.testing.assert_allclose(to_numpy(AttentionPooling()(x, MASK)), want, atol=1e-6)


def test_equals_the_definition(x, rng):
    layer = AttentionPooling()
    layer.build(x.shape)
    query = rng.normal(size=8)
    layer.query.assign(query)
    for row, mask, got in zip(x.astype(np.float64), MASK, to_numpy(layer(x, MASK)), strict=True):
        weights = np.exp(row[mask] @ query / np.sqrt(8))
        np.testing.assert_allclose(got, weights @ row[mask] / weights.sum(), atol=1e-5)


def test_a_row_without_any_real_token_gives_zeros(x):
    np.testing.assert_array_equal(to_numpy(AttentionPooling()(x, np.zeros((2, 5), bool))), np.zeros((2, 8)))
