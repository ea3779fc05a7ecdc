import json
import os

import keras
import numpy as np
import pytest

from shared.errors import UserError
from shared.training import hardware
from shared.training.hardware import Hardware, configure
from shared.training.settings import HardwareSettings
from tests.conftest import to_numpy


@pytest.fixture(autouse=True)
def untouched_policy():
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


def decided(monkeypatch, accelerator="cpu", flags=(), seed=0, **settings) -> Hardware:
    monkeypatch.setattr(hardware, "_accelerator", lambda backend: accelerator)
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: set(flags))
    return configure(HardwareSettings(**{"deterministic": "off"} | settings), seed)


@pytest.mark.parametrize(
    ("accelerator", "flags", "precision"),
    [
        ("cpu", [], "float32"),
        ("cpu", ["avx2", "fma"], "float32"),
        ("cpu", ["avx2", "amx_bf16"], "bfloat16"),
        ("gpu", [], "bfloat16"),
        ("tpu", [], "bfloat16"),
    ],
)
def test_auto_precision_is_bfloat16_where_that_is_fast(monkeypatch, accelerator, flags, precision):
    assert decided(monkeypatch, accelerator, flags).precision == precision
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
    assert keras.config.dtype_policy().name == policy


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_named_precision_holds_anywhere(monkeypatch, precision):
    for accelerator in ("cpu", "gpu"):
        assert decided(monkeypatch, accelerator, ["amx_bf16"], precision=precision).precision == precision


def test_named_compilation_holds_anywhere_and_auto_spares_the_cpu(monkeypatch):
    assert [decided(monkeypatch, "gpu", jit=jit).jit for jit in ("auto", "on", "off")] == [True, True, False]
    assert [decided(monkeypatch, "cpu", jit=jit).jit for jit in ("on", "off")] == [True, False]
    if keras.backend.backend() == "tensorflow":
        assert not decided(monkeypatch, "cpu", jit="auto").jit


def test_tensorflow_does_not_compile_what_must_be_deterministic(monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    monkeypatch.setattr(hardware, "_fast_bfloat16", lambda *_: True)
    tensorflow = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tensorflow.config.experimental, "enable_op_determinism", lambda: None)
    assert not decided(monkeypatch, "gpu", deterministic="on").jit
    assert decided(monkeypatch, "gpu", deterministic="auto").jit
    assert decided(monkeypatch, "cpu", deterministic="auto", jit="on").jit
    with pytest.raises(UserError, match="are both on"):
        decided(monkeypatch, "gpu", deterministic="on", jit="on")


def test_a_named_backend_is_the_one_that_keras_will_load(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    decided(monkeypatch, backend="jax")
    assert os.environ["KERAS_BACKEND"] == "jax"
    decided(monkeypatch)
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_seed_fixes_what_is_drawn(monkeypatch):
    def drawn(seed):
        decided(monkeypatch, seed=seed)
        layer = keras.layers.Dense(3)
        layer.build((None, 2))
        return np.concatenate([to_numpy(layer.kernel).ravel(), np.random.rand(2), to_numpy(keras.random.uniform((2,)))])

    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert (drawn(1) != drawn(2)).all()


def test_the_real_machine_is_described():
    machine = configure(HardwareSettings(deterministic="off"), 0)
    assert machine.backend == keras.backend.backend()
    assert machine.accelerator in ("cpu", "gpu", "tpu")
    assert str(Hardware("cpu", "float32", False, "tensorflow")) == "tensorflow on cpu, float32, jit off"


def test_settings_round_trip_as_json():
    settings = HardwareSettings(predict_batch_size=3)
    assert HardwareSettings.model_validate(json.loads(settings.model_dump_json())) == settings
