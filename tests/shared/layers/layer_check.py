"""The check that every layer of the kit passes, whatever it computes."""

import json
from typing import Any

import keras
import numpy as np

from tests.conftest import to_numpy


def check_layer(
    layer_class: type[keras.layers.Layer],
    arguments: dict[str, Any],
    inputs: dict[str, np.ndarray],
    *,
    padded: tuple[str, ...] = (),
    passes_mask: bool = False,
    bfloat16_error: float,
) -> None:
    """Fails unless the layer can be rebuilt, traced, padded, trained and run in mixed precision.

    Args: arguments: of the constructor. inputs: call argument -> array (batch, ...); the first is `inputs` or
        `token_ids`. padded: those with a length axis, if padding must not change the vectors at real tokens; token ids
        and masks are filled with 0, vectors with garbage. passes_mask: the Keras mask of `inputs` must come
        out again. bfloat16_error: largest deviation of the bfloat16 result.
    """
    _round_trips(layer_class, arguments, inputs)
    _traces(layer_class, arguments, inputs)
    if padded:
        _ignores_padding(layer_class, arguments, inputs, padded)
    if passes_mask:
        _passes_the_mask_on(layer_class, arguments, inputs)
    _trains(layer_class, arguments, inputs)
    _runs_in_mixed_precision(layer_class, arguments, inputs, bfloat16_error)


def randomize(layer: keras.layers.Layer, seed: int = 1) -> None:
    """Draws all weights anew, so that no part stays at a zero or one that would hide it."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        if "seed_generator" not in weight.path:
            weight.assign(rng.normal(0.3, 0.5, size=weight.shape))


def _made(layer_class, arguments, inputs, **more):
    layer = layer_class(**arguments, **more)
    layer(**inputs)
    randomize(layer)
    return layer


def _round_trips(layer_class, arguments, inputs):
    layer = _made(layer_class, arguments, inputs, name="the_layer")
    config = layer.get_config()
    assert json.loads(json.dumps(config)) == config, "the config is not plain JSON"
    for name, value in arguments.items():
        assert config[name] == (list(value) if isinstance(value, tuple) else value), f"{name} got lost in the config"
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    assert document["registered_name"] == f"baseline_kit>{layer_class.__name__}"
    for copy in (layer_class.from_config(config), keras.saving.deserialize_keras_object(document)):
        assert type(copy) is layer_class
        assert copy.get_config() == config
        copy(**inputs)
        assert [weight.path for weight in copy.weights] == [weight.path for weight in layer.weights]
        copy.set_weights(layer.get_weights())
        np.testing.assert_array_equal(to_numpy(copy(**inputs)), to_numpy(layer(**inputs)))


def _traces(layer_class, arguments, inputs):
    layer = _made(layer_class, arguments, inputs)
    want = to_numpy(layer(**inputs))
    symbols = _symbols(inputs)
    output = layer(**symbols)
    assert len(output.shape) == want.ndim
    assert output.shape[0] is None
    assert all(a is None or a == b for a, b in zip(output.shape, want.shape, strict=True)), output.shape
    assert output.shape[-1] == want.shape[-1]
    shapes = {f"{name}_shape": array.shape for name, array in inputs.items()}
    assert tuple(layer.compute_output_shape(**shapes)) == want.shape
    got = keras.Model(symbols, output).predict_on_batch(inputs)
    np.testing.assert_allclose(got, want, atol=1e-5)


def _symbols(inputs):
    """Symbolic inputs of open batch and, where there is one, open length."""
    length = next(iter(inputs.values())).shape[1]
    return {
        name: keras.Input([None if n == length else n for n in array.shape[1:]], dtype=str(array.dtype), name=name)
        for name, array in inputs.items()
    }


def _ignores_padding(layer_class, arguments, inputs, padded):
    layer = _made(layer_class, arguments, inputs)
    want = to_numpy(layer(**inputs))
    longer = {name: _pad(array) if name in padded else array for name, array in inputs.items()}
    got = to_numpy(layer(**longer))
    if got.ndim == 3:
        assert got.shape[1] == want.shape[1] + 3
        got = got[:, : want.shape[1]]
    np.testing.assert_allclose(got, want, atol=1e-5)


def _pad(array):
    fill = 9.0 if array.dtype.kind == "f" else 0
    return np.pad(array, [(0, 0), (0, 3), *[(0, 0)] * (array.ndim - 2)], constant_values=fill)


class _Mask(keras.layers.Layer):
    """Keeps the mask it is called with."""

    supports_masking = True

    def call(self, inputs, mask=None):
        self.seen = mask
        return inputs


def _passes_the_mask_on(layer_class, arguments, inputs):
    first, *others = inputs.items()
    vectors = first[1].copy()
    vectors[0, -1] = 0.0  # what `Masking` hides
    keep = _Mask()
    keep(layer_class(**arguments)(**{first[0]: keras.layers.Masking()(vectors)}, **dict(others)))
    want = np.ones(vectors.shape[:2], bool)
    want[0, -1] = False
    assert keep.seen is not None
    np.testing.assert_array_equal(to_numpy(keep.seen), want)


def _trains(layer_class, arguments, inputs):
    """One step of `fit`; what comes before the layer must learn too."""
    layer, symbols = layer_class(**arguments), _symbols(inputs)
    front = {
        name: keras.layers.Dense(symbol.shape[-1], name=f"before_{name}")(symbol)
        for name, symbol in symbols.items()
        if inputs[name].dtype.kind == "f"
    }
    model = keras.Model(symbols, layer(**symbols | front))
    model.compile(keras.optimizers.Adam(0.01), loss="mse")
    before = {weight.path: to_numpy(weight) for weight in model.trainable_weights}
    assert set(before) >= {f"before_{name}/kernel" for name in front}
    shape = to_numpy(layer(**inputs)).shape
    targets = np.random.default_rng(3).normal(size=shape).astype("float32")
    history = model.fit(inputs, targets, batch_size=len(targets), epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    learned_later = {"before_condition/kernel", "before_condition/bias"}  # zero kernels stand behind them at first
    for weight in model.trainable_weights:
        after = to_numpy(weight)
        assert np.isfinite(after).all(), weight.path
        if weight.path not in learned_later:
            assert not np.array_equal(after, before[weight.path]), f"{weight.path} did not change"


def _runs_in_mixed_precision(layer_class, arguments, inputs, error):
    exact = _made(layer_class, arguments, inputs)
    layer = _made(layer_class, arguments, inputs, dtype="mixed_bfloat16")
    layer.set_weights(exact.get_weights())
    assert {str(weight.dtype) for weight in layer.trainable_weights} <= {"float32"}
    got = layer(**inputs)
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    np.testing.assert_allclose(to_numpy(got), to_numpy(exact(**inputs)), atol=error)
