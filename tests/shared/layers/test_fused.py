import keras
import numpy as np
import pytest

from shared.layers import fused
from tests.shared.layers import reference

tensorflow_only = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="these forms are TensorFlow's; JAX's compiler fuses by itself"
)
DTYPES = [("float32", 1e-5), ("bfloat16", 0.03)]  # of numbers of size 1 to 4


def compiled(function, arrays, dtype):
    """Runs it in a graph, where it is fused, and operation by operation; returns both results as float32."""
    import tensorflow as tf

    tensors = [tf.cast(array, dtype) for array in arrays]
    graph = tf.function(function, autograph=False)
    return [np.asarray(tf.cast(one(*tensors), "float32")) for one in (graph, function)]


def test_they_are_for_prediction_only():
    assert not fused.fuses(training=True)
    assert fused.fuses(training=False) == (keras.config.backend() == "tensorflow")


@tensorflow_only
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_dense_gelu_equals_the_formula(dtype, tolerance, rng):
    x, kernel, bias = rng.normal(size=(2, 5, 8)), rng.normal(size=(8, 12)) * 0.3, rng.normal(size=12)
    want = reference.gelu(x @ kernel + bias)
    graph, _ = compiled(fused.dense_gelu, [x, kernel, bias], dtype)
    np.testing.assert_allclose(graph, want, atol=tolerance)


@tensorflow_only
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("scaled", [False, True])
def test_standardized_equals_the_formula(dtype, tolerance, scaled, rng):
    x, gamma, beta = rng.normal(2.0, 1.0, size=(3, 5, 16)), rng.normal(size=16), rng.normal(size=16)
    if not scaled:
        gamma, beta = np.ones(16), np.zeros(16)
    want = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * gamma + beta

    def function(x, gamma, beta):
        return fused.standardized(x, 1e-12, gamma, beta) if scaled else fused.standardized(x, 1e-12)

    for got in compiled(function, [x, gamma, beta], dtype):
        np.testing.assert_allclose(got, want, atol=tolerance, rtol=tolerance)


@tensorflow_only
def test_the_epsilon_is_the_one_given(rng):
    x = rng.normal(size=(1, 2, 8)) * 1e-3
    want = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    for got in compiled(lambda x: fused.standardized(x, 1e-6), [x], "float32"):
        np.testing.assert_allclose(got, want, atol=1e-4)


@tensorflow_only
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_attention_weights_are_a_softmax_over_visible_keys(dtype, tolerance, rng):
    query, key = rng.normal(size=(2, 3, 4, 6)), rng.normal(size=(2, 3, 4, 6))
    bias = np.where(np.arange(4) < np.array([[3], [4]]), 0.0, -1e9)[:, None, None, :]
    scores = 0.4 * query @ key.swapaxes(-1, -2) + bias
    want = np.exp(scores - scores.max(-1, keepdims=True))
    want /= want.sum(-1, keepdims=True)
    for got in compiled(lambda q, k, b: fused.attention_weights(q, k, b, 0.4), [query, key, bias], dtype):
        np.testing.assert_allclose(got, want, atol=tolerance)
        assert (got[0, :, :, 3] == 0).all()
