import keras
import numpy as np
import pytest
import safetensors.numpy

from shared.errors import UserError
from shared.training.weights import load_weights, save_weights, weights_by_path
from tests.conftest import to_numpy


def network(units: int = 3, name: str = "out", seed: int = 0) -> keras.Model:
    inputs = keras.Input((2,), name="x")
    hidden = keras.layers.Dropout(0.5, seed=1, name="dropout")(keras.layers.BatchNormalization(name="norm")(inputs))
    start = keras.initializers.GlorotUniform(seed=seed)
    outputs = keras.layers.Dense(units, kernel_initializer=start, name=name)(hidden)
    return keras.Model({"x": inputs}, {"logits": outputs})


def fault(path, model) -> str:
    before = [to_numpy(weight) for weight in model.weights]
    with pytest.raises(UserError) as error:
        load_weights(model, path)
    for weight, want in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), want)  # not half filled
    return str(error.value).replace(f"{path.parent}/", "")


def test_weights_come_back_into_a_network_of_other_weights(tmp_path):
    source, target = network(seed=0), network(seed=1)
    save_weights(source, tmp_path / "w.safetensors")
    load_weights(target, tmp_path / "w.safetensors")
    assert sorted(weights_by_path(target)) == sorted(
        ["norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance", "out/kernel", "out/bias"]
    )
    for got, want in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(got), to_numpy(want))


def test_equal_weights_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        save_weights(network(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_are_stored_as_float32_under_mixed_precision(tmp_path):
    inputs = keras.Input((2,), name="x")
    dense = keras.layers.Dense(2, dtype="bfloat16", name="out")
    save_weights(keras.Model(inputs, dense(inputs)), tmp_path / "w")
    stored = safetensors.numpy.load_file(tmp_path / "w")
    assert {array.dtype for array in stored.values()} == {np.dtype(np.float32)}


def test_a_missing_file_says_which_stage_writes_it(tmp_path):
    assert fault(tmp_path / "w", network()) == "w: no such file. Run the train stage first."


def test_a_damaged_file_is_told(tmp_path):
    save_weights(network(), tmp_path / "w")
    data = (tmp_path / "w").read_bytes()
    for damaged in (b"", data[:-4], b"text" * 9):
        (tmp_path / "w").write_bytes(damaged)
        assert fault(tmp_path / "w", network()).startswith("w: damaged (")


def test_other_shapes_are_named(tmp_path):
    save_weights(network(units=3), tmp_path / "w")
    text = fault(tmp_path / "w", network(units=4))
    assert "out/kernel: shape (2, 3) in the file, (2, 4) in the model" in text
    assert "out/bias: shape (3,) in the file, (4,) in the model" in text


def test_missing_and_unexpected_names_are_named(tmp_path):
    save_weights(network(name="out"), tmp_path / "w")
    text = fault(tmp_path / "w", network(name="head"))
    for part in ("missing: head/kernel", "missing: head/bias", "unexpected: out/kernel", "unexpected: out/bias"):
        assert part in text


def test_of_many_problems_the_first_are_shown(tmp_path):
    safetensors.numpy.save_file({f"w{i}": np.zeros(1, np.float32) for i in range(9)}, tmp_path / "w")
    text = fault(tmp_path / "w", network())
    assert text.count("missing: ") + text.count("unexpected: ") == 5
    assert "and 10 more" in text
