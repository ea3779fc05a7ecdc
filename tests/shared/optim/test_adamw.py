import json

import keras
import numpy as np
import pytest

from shared.backbones.settings import BackboneSettings, build_backbone
from shared.optim.adamw import AdamW, exclude_from_decay
from shared.optim.schedule import WarmupLinearDecay
from tests.conftest import to_numpy

BATCH = 4


@pytest.fixture
def data(rng):
    x = rng.normal(size=(7 * BATCH, 3)).astype("float32")
    return x, rng.normal(size=(7 * BATCH, 2)).astype("float32")


def model(**arguments):
    """Linear, two outputs, always the same start."""
    start = keras.initializers.RandomNormal(seed=0)
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, kernel_initializer=start)])
    network.compile(AdamW(**{"learning_rate": 0.1, "weight_decay": 0.0} | arguments), loss="mse")
    return network


def weights_after_each_step(network, data, steps):
    """All weights as one vector, after each of the first batches."""
    result = []
    for step in range(steps):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        network.train_on_batch(data[0][rows], data[1][rows])
        result.append(flat(network.trainable_weights))
    return np.array(result)


def flat(variables):
    return np.concatenate([np.float64(to_numpy(variable)).ravel() for variable in variables])


def closed_form(thetas, a):
    t = len(thetas)
    shares = np.array([(1 - a) * a ** (t - i) for i in range(1, t + 1)]) / (1 - a**t)
    return shares @ thetas


def test_equals_adam_with_decoupled_decay_in_float64():
    """Gradients are given; the schedule, the exclusion and the decay before the step are part of the comparison."""
    rng = np.random.default_rng(5)
    theta = {"kernel": rng.normal(size=(3, 2)), "bias": rng.normal(size=2)}
    variables = [keras.Variable(value.astype("float32"), name=name) for name, value in theta.items()]
    theta = {name: np.float64(to_numpy(v)) for name, v in zip(theta, variables, strict=True)}
    decay, epsilon, steps = 0.3, 1e-6, 5
    optimizer = AdamW(WarmupLinearDecay(0.01, 2, 8), weight_decay=decay, epsilon=epsilon)
    optimizer.build(variables)
    optimizer.exclude_from_weight_decay(var_list=exclude_from_decay(variables))
    rates = [0.005, 0.01, 0.01, 0.01 * 5 / 6, 0.01 * 4 / 6]
    first = dict.fromkeys(theta, 0.0)
    second = dict.fromkeys(theta, 0.0)
    for step in range(steps):
        gradients = {name: rng.normal(size=value.shape).astype("float32") for name, value in theta.items()}
        optimizer.apply([keras.ops.convert_to_tensor(gradients[name]) for name in theta], variables)
        for name in theta:
            g = np.float64(gradients[name])
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            # Kingma & Ba, the efficient order before section 2.1: epsilon is added to the uncorrected root
            rate = rates[step] * np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
            shrunk = theta[name] * (1 - rates[step] * decay) if name == "kernel" else theta[name]
            theta[name] = shrunk - rate * first[name] / (np.sqrt(second[name]) + epsilon)
        for name, variable in zip(theta, variables, strict=True):
            np.testing.assert_allclose(to_numpy(variable), theta[name], atol=1e-6)  # float32 numbers of about 1


def test_a_compiled_step_leaves_excluded_weights_without_decay(data):
    networks = [model(weight_decay=decay) for decay in (0.0, 0.5)]
    for network in networks:
        network.optimizer.build(network.trainable_variables)
        network.optimizer.exclude_from_weight_decay(var_list=exclude_from_decay(network.trainable_variables))
        start = to_numpy(network.layers[0].kernel)
        network.train_on_batch(data[0][:BATCH], data[1][:BATCH])
    plain, decayed = (network.layers[0] for network in networks)
    np.testing.assert_array_equal(to_numpy(decayed.bias), to_numpy(plain.bias))
    np.testing.assert_allclose(to_numpy(decayed.kernel), to_numpy(plain.kernel) - 0.1 * 0.5 * start, atol=1e-6)


@pytest.mark.parametrize("a", [0.5, 0.99, 0.9999])
def test_the_average_equals_the_closed_form_after_every_step(data, a):
    network = model(use_ema=True, ema_momentum=a)
    thetas = []
    for step in range(7):
        rows = slice(step * BATCH, (step + 1) * BATCH)
        network.train_on_batch(data[0][rows], data[1][rows])
        thetas.append(flat(network.trainable_weights))
        got = flat(network.optimizer.averages)
        np.testing.assert_allclose(got, closed_form(np.array(thetas), a), atol=1e-6)
    assert np.abs(got - thetas[-1]).max() > 1e-3
    assert np.abs(got - thetas[0]).max() > 1e-3


def test_the_average_is_exact_over_many_steps_for_a_momentum_near_one():
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer = AdamW(0.01, weight_decay=0.0, use_ema=True, ema_momentum=0.9999)
    optimizer.build([variable])
    rng, thetas = np.random.default_rng(0), []
    for _ in range(300):
        optimizer.apply([keras.ops.convert_to_tensor(rng.normal(0.5, 1.0, size=2).astype("float32"))], [variable])
        thetas.append(np.float64(to_numpy(variable)))
    # 300 roundings of numbers up to 3; the uncorrected average would be 0.03 times as large
    np.testing.assert_allclose(to_numpy(optimizer.averages[0]), closed_form(np.array(thetas), 0.9999), atol=1e-5)


@pytest.mark.parametrize("a", [0.5, 0.9999])
def test_the_average_equals_the_closed_form_through_fit(data, a):
    thetas = weights_after_each_step(model(use_ema=True, ema_momentum=a), data, 7)
    network = model(use_ema=True, ema_momentum=a)
    network.fit(*data, batch_size=BATCH, shuffle=False, epochs=1, verbose=0)
    np.testing.assert_allclose(flat(network.optimizer.averages), closed_form(thetas, a), atol=1e-6)


def test_the_average_leaves_the_weights_alone(data):
    want = weights_after_each_step(model(), data, 7)
    np.testing.assert_array_equal(weights_after_each_step(model(use_ema=True, ema_momentum=0.9), data, 7), want)


def test_fit_leaves_the_weights_alone(data):
    """Keras' own optimizers end `fit` by writing the average into the model; the next epoch would start from there."""
    want = weights_after_each_step(model(), data, 7)[-1]
    network = model(use_ema=True, ema_momentum=0.9)
    network.fit(*data, batch_size=BATCH, shuffle=False, epochs=1, verbose=0)
    np.testing.assert_allclose(flat(network.trainable_weights), want, atol=1e-6)


def test_two_calls_of_fit_equal_all_steps_at_once(data):
    thetas = weights_after_each_step(model(use_ema=True, ema_momentum=0.9), data, 7)
    network = model(use_ema=True, ema_momentum=0.9)
    for rows in (slice(0, 3 * BATCH), slice(3 * BATCH, None)):
        network.fit(data[0][rows], data[1][rows], batch_size=BATCH, shuffle=False, epochs=1, verbose=0)
    np.testing.assert_allclose(flat(network.trainable_weights), thetas[-1], atol=1e-6)
    np.testing.assert_allclose(flat(network.optimizer.averages), closed_form(thetas, 0.9), atol=1e-6)


def test_without_averaging_there_are_no_averages(data):
    network = model(use_ema=False)
    weights_after_each_step(network, data, 1)
    assert not any("average" in variable.path for variable in network.optimizer.variables)
    averaging = model(use_ema=True)
    weights_after_each_step(averaging, data, 1)
    assert len(averaging.optimizer.variables) == len(network.optimizer.variables) + 2  # kernel and bias
    assert [v.shape for v in averaging.optimizer.averages] == [v.shape for v in averaging.trainable_variables]


def test_gradients_are_clipped_by_their_common_norm():
    """Of gradients with norm 10 and clipping at 1, a tenth remains in Adam's first moments."""
    variables = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
    optimizer = AdamW(0.1, weight_decay=0.0, global_clipnorm=1.0)
    optimizer.apply([keras.ops.convert_to_tensor(np.float32(g)) for g in ([6, 0], [0, 8])], variables)
    moments = [to_numpy(v) for v in optimizer.variables if "momentum" in v.path]
    np.testing.assert_allclose(moments, [[0.06, 0], [0, 0.08]], rtol=1e-5)


def test_the_config_round_trips():
    optimizer = AdamW(WarmupLinearDecay(1e-3, 2, 8), weight_decay=0.2, use_ema=True, ema_momentum=0.9, epsilon=1e-6)
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(optimizer)))
    assert document["registered_name"] == "baseline_kit>AdamW"
    assert keras.saving.deserialize_keras_object(document).get_config() == optimizer.get_config()


def test_biases_and_normalizations_are_excluded_from_decay():
    layer = build_backbone(BackboneSettings(kind="bert", preset="tiny"), 30, seed=0)
    layer.build((None, None), (None, None), condition_shape=(None, 3))
    norm = ("gamma", "beta", "gamma_kernel", "beta_kernel")
    want = {f"embedding/norm/{name}" for name in norm}
    for block in ("block_0", "block_1"):
        want |= {f"{block}/{part}/{name}" for part in ("attention_norm", "ffn_norm") for name in norm}
        want |= {f"{block}/attention/qkv_bias", f"{block}/attention/output_bias"}
        want |= {f"{block}/ffn_expand/bias", f"{block}/ffn_reduce/bias"}
    excluded = [variable.path for variable in exclude_from_decay(layer.trainable_variables)]
    assert len(excluded) == len(want)
    assert {path.removeprefix("backbone/") for path in excluded} == want


def test_matrices_and_tables_keep_their_decay():
    layer = build_backbone(BackboneSettings(kind="bert", preset="tiny"), 30, seed=0)
    layer.build((None, None), (None, None))
    excluded = {variable.path for variable in exclude_from_decay(layer.trainable_variables)}
    kept = {v.path.removeprefix("backbone/") for v in layer.trainable_variables if v.path not in excluded}
    tables = {f"embedding/{name}_embedding" for name in ("token", "segment", "position")}
    names = ("attention/qkv_kernel", "attention/output_kernel", "ffn_expand/kernel", "ffn_reduce/kernel")
    assert kept == tables | {f"block_{i}/{name}" for i in (0, 1) for name in names}
