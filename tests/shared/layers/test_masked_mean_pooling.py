import numpy as np
import pytest

from shared.layers.masked_mean_pooling import MaskedMeanPooling
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer

MASK = np.array([[True, True, True, True, True], [True, False, True, False, False]])


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 5, 8)).astype("float32")


def test_passes_the_check_of_every_layer(x):
    # Means are below 2, where bfloat16 has steps of 1/128.
    inputs = {"inputs": x, "padding_mask": MASK}
    check_layer(MaskedMeanPooling, {}, inputs, padded=("inputs", "padding_mask"), bfloat16_error=0.02)


def test_equals_the_mean_over_real_tokens(x):
    want = np.stack([row[mask].mean(axis=0, dtype=np.float64) for row, mask in zip(x, MASK, strict=True)])
    np.testing.assert_allclose(to_numpy(MaskedMeanPooling()(x, MASK)), want, atol=1e-6)


def test_a_row_without_any_real_token_gives_zeros(x):
    np.testing.assert_array_equal(to_numpy(MaskedMeanPooling()(x, np.zeros((2, 5), bool))), np.zeros((2, 8)))


def test_the_sum_is_float32_under_mixed_precision():
    # 256 + 4 + 1 = 261 is no bfloat16 number, its third 87 is; a sum rounded to bfloat16 would give 86.5 or 87.5.
    x = np.float32([256, 4, 1]).reshape(1, 3, 1)
    got = MaskedMeanPooling(dtype="mixed_bfloat16")(x, np.ones((1, 3), bool))
    np.testing.assert_array_equal(to_numpy(got), [[87.0]])
