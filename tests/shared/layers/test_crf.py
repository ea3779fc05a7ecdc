import functools
import itertools
import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from shared.decoding.viterbi import viterbi
from shared.layers import crf
from shared.layers.crf import CRF, hide_missing_labels
from tests.conftest import to_numpy

EXAMPLES = settings(deadline=None, max_examples=20)
PATHS = np.array(list(itertools.product(range(3), repeat=4)), "int32")


def compiled(function):
    """The function from arrays to an array, compiled once for each shape."""
    if keras.backend.backend() == "jax":
        import jax

        fast = jax.jit(function)
    else:
        import tensorflow as tf

        fast = tf.function(function)
    return lambda *arrays: to_numpy(fast(*(ops.convert_to_tensor(array) for array in arrays)))


log_partition, log_likelihood, path_score = map(compiled, (crf.log_partition, crf.log_likelihood, crf.path_score))
best_labels = compiled(crf.best_labels)
best_labels_from_0 = compiled(functools.partial(crf.best_labels, start_label=0))


def problem(seed, batch, length, labels, sequences=None, scale=2.0):
    """Logits, transitions, a mask with at least one real token a row, and labels."""
    rng = np.random.default_rng(seed)
    axis = () if sequences is None else (sequences,)
    logits = rng.normal(scale=scale, size=(batch, *axis, length, labels)).astype("float32")
    transitions = rng.normal(scale=scale, size=(*axis, labels, labels)).astype("float32")
    mask = np.arange(length) < rng.integers(1, length + 1, size=batch)[:, None]
    return logits, transitions, mask, rng.integers(0, labels, size=(batch, *axis, length)).astype("int32")


def brute_force(logits, transitions, mask):
    """log of the sum over all paths, in float64, row by row: (batch,)."""
    result = []
    for row, real in zip(logits.astype("float64"), mask, strict=True):
        length = int(real.sum())
        scores = [score(row, transitions, path) for path in itertools.product(range(row.shape[-1]), repeat=length)]
        result.append(np.logaddexp.reduce(scores))
    return np.array(result)


def score(row, transitions, path):
    steps = sum(float(transitions[one, other]) for one, other in itertools.pairwise(path))
    return sum(row[token, label] for token, label in enumerate(path)) + steps


@EXAMPLES
@given(st.integers(0, 2**32), st.floats(0.1, 20))
def test_the_log_partition_is_the_sum_over_all_paths(seed, scale):
    logits, transitions, mask, _ = problem(seed, 5, 4, 3, scale=scale)
    got = log_partition(logits, transitions, mask)
    np.testing.assert_allclose(got, brute_force(logits, transitions, mask), rtol=1e-5, atol=1e-5)


@EXAMPLES
@given(st.integers(0, 2**32))
def test_the_likelihoods_of_all_paths_add_up_to_one(seed):
    logits, transitions, _, _ = problem(seed, 1, 4, 3)
    logits, mask = np.repeat(logits, len(PATHS), axis=0), np.ones(PATHS.shape, bool)
    assert np.exp(log_likelihood(logits, transitions, PATHS, mask)).sum() == pytest.approx(1.0, rel=1e-4)


def test_the_path_score_by_hand():
    logits = np.array([[[1, 2], [3, 5], [7, 11], [100, 200]]], "float32")
    transitions = np.array([[10, 20], [30, 40]], "float32")
    got = path_score(logits, transitions, [[1, 0, 1, 0]], [[True, True, True, False]])
    assert got.tolist() == [2 + 30 + 3 + 20 + 11]


@EXAMPLES
@given(st.integers(0, 2**32))
def test_a_masked_tail_changes_nothing(seed):
    logits, transitions, mask, labels = problem(seed, 3, 7, 4)
    tail = np.random.default_rng(seed).normal(scale=50, size=(3, 3, 4)).astype("float32")
    longer = np.concatenate([np.where(mask[..., None], logits, np.float32(9.0)), tail], axis=1)
    more_labels = np.concatenate([np.where(mask, labels, -1), np.full((3, 3), 7)], axis=1)
    more_mask = np.pad(mask, ((0, 0), (0, 3)))
    want = log_likelihood(logits, transitions, labels, mask)
    np.testing.assert_allclose(log_likelihood(longer, transitions, more_labels, more_mask), want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 9, 10, 30])
def test_every_length_equals_a_recursion_in_float64(length):
    logits, transitions, mask, _ = problem(length, 3, length, 6)
    mask[0] = True
    alpha = logits[:, 0].astype("float64")
    for token in range(1, length):
        step = np.logaddexp.reduce(alpha[:, :, None] + transitions, axis=1) + logits[:, token]
        alpha = np.where(mask[:, token, None], step, alpha)
    want = np.logaddexp.reduce(alpha, axis=1)
    np.testing.assert_allclose(log_partition(logits, transitions, mask), want, rtol=1e-5)


@given(st.integers(0, 2**31), st.booleans())
@EXAMPLES
def test_the_best_labels_are_those_of_the_best_path(seed, forced):
    logits, transitions, mask, _ = problem(seed, 2, 5, 3)
    got = (best_labels_from_0 if forced else best_labels)(logits, transitions, mask)
    for row, real, labels in zip(logits.astype("float64"), mask, got, strict=True):
        length = int(real.sum())
        paths = [path for path in itertools.product(range(3), repeat=length) if not (forced and path[0])]
        best = max(score(row, transitions, path) for path in paths)
        assert score(row, transitions, labels[:length]) == pytest.approx(best, abs=1e-5)
        assert not (forced and labels[0])
        assert not labels[length:].any()


@pytest.mark.parametrize("start_label", [None, 0])
def test_the_best_labels_equal_the_pruned_search(start_label):
    logits, transitions, mask, _ = problem(2, 4, 40, 30, sequences=3)
    got = compiled(functools.partial(crf.best_labels, start_label=start_label))(logits, transitions, mask)
    np.testing.assert_array_equal(got, viterbi(logits, transitions, mask, start_label))


def test_the_best_labels_of_a_single_token():
    logits, transitions, mask, _ = problem(3, 4, 1, 3)
    np.testing.assert_array_equal(best_labels(logits, transitions, mask)[:, 0], logits[:, 0].argmax(axis=-1))


def test_the_best_labels_need_a_known_length():
    logits, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    with pytest.raises(ValueError, match="needs a known length"):
        crf.best_labels(logits, np.zeros((3, 3), "float32"), mask)


def test_sequences_side_by_side_are_independent():
    logits, transitions, mask, labels = problem(1, 3, 11, 4, sequences=5)
    together = log_likelihood(logits, transitions, labels, mask)
    assert together.shape == (3, 5)
    for one in range(5):
        alone = log_likelihood(logits[:, one], transitions[one], labels[:, one], mask)
        np.testing.assert_allclose(together[:, one], alone, rtol=1e-5, atol=1e-5)


def test_labels_that_only_fill_up_do_not_count():
    logits, transitions, mask, labels = problem(2, 3, 7, 5, sequences=2)
    labels[:, 0] %= 3
    hidden = hide_missing_labels(logits, [3, 5])
    got = log_likelihood(hidden, transitions, labels, mask)
    alone = log_likelihood(logits[:, 0, :, :3], transitions[0, :3, :3], labels[:, 0], mask)
    np.testing.assert_allclose(got[:, 0], alone, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(got[:, 1], log_likelihood(logits, transitions, labels, mask)[:, 1], rtol=1e-5)


def test_transitions_far_apart_are_exact_and_nothing_overflows():
    """Within a column they differ by 70; the logits by hundreds."""
    transitions = np.array([[0, -70], [-40, 0]], "float32")
    logits = np.array([[[400, -400], [-300, 300], [0, 0]]], "float32")
    mask = np.ones((1, 3), bool)
    got = log_partition(logits, transitions, mask)
    np.testing.assert_allclose(got, brute_force(logits, transitions, mask), rtol=1e-6)


def test_forbidden_transitions_stay_finite():
    transitions = np.full((3, 3), -1e9, "float32")
    got = to_numpy(log_partition(np.ones((1, 4, 3), "float32"), transitions, np.ones((1, 4), bool)))
    assert np.isfinite(got).all()


def gradients(logits, transitions, labels, mask):
    """The summed log-likelihood's gradients by logits and transitions, compiled, with open shapes on TensorFlow."""
    if keras.backend.backend() == "jax":
        import jax

        def total(logits, transitions):
            return crf.log_likelihood(logits, transitions, labels, mask).sum()

        return [np.asarray(one) for one in jax.jit(jax.grad(total, (0, 1)))(logits, transitions)]
    import tensorflow as tf

    open_shape = tf.TensorSpec([None] * (logits.ndim - 1) + [logits.shape[-1]])

    @tf.function(input_signature=[open_shape, tf.TensorSpec(transitions.shape)])
    def both(logits, transitions):
        with tf.GradientTape() as tape:
            tape.watch([logits, transitions])
            total = tf.reduce_sum(crf.log_likelihood(logits, transitions, labels, mask))
        return tape.gradient(total, [logits, transitions])

    return [np.asarray(tf.convert_to_tensor(one)) for one in both(logits, transitions)]


def test_the_gradient_is_that_of_finite_differences():
    logits, transitions, mask, labels = problem(3, 2, 4, 3, scale=1.0)

    def total(logits, transitions):
        scores = [score(logits[row], transitions, labels[row, : mask[row].sum()]) for row in range(2)]
        return sum(scores) - brute_force(logits, transitions, mask).sum()

    for argument, got in enumerate(gradients(logits, transitions, labels, mask)):
        arrays = [logits.astype("float64"), transitions.astype("float64")]
        want = np.zeros(got.shape)
        for place in np.ndindex(got.shape):
            for sign in (1, -1):
                moved = [array.copy() for array in arrays]
                moved[argument][place] += sign * 1e-4
                want[place] += sign * total(*moved) / 2e-4
        np.testing.assert_allclose(got, want, atol=1e-4)


def test_the_gradient_by_the_logits_adds_up_to_zero_at_real_tokens_and_is_zero_at_padding():
    """It is one-hot labels less marginal probabilities."""
    logits, transitions, mask, labels = problem(4, 4, 19, 5, sequences=3)
    by_logits, _ = gradients(logits, transitions, labels, mask)
    np.testing.assert_allclose(by_logits.sum(axis=-1), 0.0, atol=1e-4)
    assert not by_logits[np.broadcast_to(~mask[:, None], by_logits.shape[:-1])].any()
    assert np.abs(by_logits).max() <= 1.0 + 1e-5


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="JAX is always compiled by XLA")
def test_the_gradient_compiles_with_xla_on_tensorflow():
    import tensorflow as tf

    logits, transitions, mask, labels = problem(5, 2, 12, 3)

    @tf.function(jit_compile=True)
    def by_transitions(weights):
        with tf.GradientTape() as tape:
            tape.watch(weights)
            total = tf.reduce_sum(crf.log_likelihood(logits, weights, labels, mask))
        return tape.gradient(total, weights)

    want = gradients(logits, transitions, labels, mask)[1]
    np.testing.assert_allclose(by_transitions(tf.constant(transitions)).numpy(), want, atol=1e-4)


@pytest.mark.parametrize(("num_labels", "shape"), [(3, (2, 5, 3)), ([3, 2], (2, 2, 5, 3))])
def test_the_layer_gives_logits_and_transitions_in_float32(num_labels, shape, rng):
    layer = CRF(num_labels, rate=10.0, dtype="mixed_bfloat16")
    x = rng.normal(size=shape).astype("float32")
    logits, transitions = layer(x)
    layer.scaled_transitions.assign(np.full(layer.scaled_transitions.shape, 0.3))
    logits, transitions = layer(x)
    assert {keras.backend.standardize_dtype(one.dtype) for one in (logits, transitions)} == {"float32"}
    np.testing.assert_array_equal(to_numpy(logits), to_numpy(hide_missing_labels(x, num_labels)))
    np.testing.assert_allclose(to_numpy(transitions), np.full((*shape[1:-2], 3, 3), 3.0), rtol=1e-6)


def test_the_layer_is_traced_with_open_shapes_and_rebuilt_from_its_config():
    inputs = keras.Input((2, None, 3))
    layer = CRF([3, 2], rate=100.0, name="crf")
    logits, transitions = layer(inputs)
    assert logits.shape == (None, 2, None, 3)
    assert transitions.shape == (2, 3, 3)
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config
    assert CRF.from_config(config).get_config() == config
    document = keras.saving.serialize_keras_object(layer)
    assert document["registered_name"] == "baseline_kit>CRF"
    outputs = keras.Model(inputs, {"logits": logits, "transitions": transitions}).predict_on_batch(
        np.ones((4, 2, 6, 3))
    )
    assert outputs["logits"].shape == (4, 2, 6, 3)
    assert outputs["transitions"].shape == (2, 3, 3)


@pytest.mark.parametrize(("num_labels", "shape"), [(3, (1, 4, 2)), (3, (1, 2, 4, 3)), ([3, 2], (1, 3, 4, 3))])
def test_inputs_of_another_shape_are_an_error(num_labels, shape):
    with pytest.raises(ValueError, match="do not go with num_labels"):
        CRF(num_labels)(np.zeros(shape, "float32"))


def trained(rate, inputs, labels, optimizer):
    """The transitions after one step, and the gradient's norm."""
    layer = CRF(3, rate)
    symbols = keras.Input((None, 3))
    logits, transitions = layer(symbols)

    class Step(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            mask = ops.ones_like(y, dtype="bool")
            return -ops.mean(crf.log_likelihood(y_pred["logits"], y_pred["transitions"], y, mask))

    model = Step(symbols, {"logits": logits, "transitions": transitions})
    model.compile(optimizer)
    model.train_on_batch(inputs, labels)
    return to_numpy(layer(inputs)[1])


def test_an_adam_step_moves_the_transitions_rate_times_further(rng):
    inputs = rng.normal(size=(4, 6, 3)).astype("float32")
    labels = rng.integers(0, 3, size=(4, 6)).astype("int32")
    once, hundredfold = (trained(rate, inputs, labels, keras.optimizers.Adam(1e-3)) for rate in (1.0, 100.0))
    assert np.abs(once).max() == pytest.approx(1e-3, rel=1e-2)
    np.testing.assert_allclose(hundredfold, 100 * once, rtol=1e-3)


def test_the_rate_leaves_the_gradient_norm_alone(rng):
    """Plain gradient descent shows the gradient itself: T moves by rate times it, not by its square."""
    inputs = rng.normal(size=(4, 6, 3)).astype("float32")
    labels = rng.integers(0, 3, size=(4, 6)).astype("int32")
    once, tenfold = (trained(rate, inputs, labels, keras.optimizers.SGD(0.01)) for rate in (1.0, 10.0))
    np.testing.assert_allclose(tenfold, 10 * once, rtol=1e-4)
