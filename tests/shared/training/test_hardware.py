import json
import os
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from shared.errors import UserError
from shared.training import hardware
from shared.training.devices import chosen_devices, prepare_jax
from shared.training.distribution import Distribution
from shared.training.hardware import Hardware, configure
from shared.training.settings import HardwareSettings
from tests.conftest import to_numpy

ALONE = {"hosts": 1, "host": 0}
BACKEND = keras.backend.backend()


@pytest.fixture(autouse=True)
def untouched_policy():
    policy = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(autouse=True)
def no_traces(monkeypatch):
    monkeypatch.setattr(hardware, "_last", None)  # other tests predict on what was decided last
    for name in ("TF_CONFIG", "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        monkeypatch.delenv(name, raising=False)


def decided(monkeypatch, there="cpu", flags=(), seed=0, number=1, alone=False, **settings) -> Hardware:
    """What is decided on a machine with so many devices of a kind; that they work together is in test_devices.py."""
    monkeypatch.setattr(hardware, "devices_there", lambda backend: {"cpu": 1} | {there: number})
    monkeypatch.setattr(hardware, "distribution_over", lambda devices, *_: SimpleNamespace(replicas=devices, **ALONE))
    monkeypatch.setattr(hardware, "_cpu_flags", lambda: set(flags))
    return configure(HardwareSettings(**{"deterministic": "off"} | settings), seed, alone=alone)


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
    for accelerator in ("cpu", "gpu", "tpu"):
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
    monkeypatch.setenv("KERAS_BACKEND", "neither")
    decided(monkeypatch, backend=BACKEND)
    assert os.environ["KERAS_BACKEND"] == BACKEND
    decided(monkeypatch)
    assert os.environ["KERAS_BACKEND"] == BACKEND


def test_a_backend_other_than_the_one_loaded_is_refused(monkeypatch):
    other = {"tensorflow": "jax", "jax": "tensorflow"}[BACKEND]
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    with pytest.raises(UserError, match=f"hardware.backend is {other}, but Keras already runs on {BACKEND}"):
        decided(monkeypatch, backend=other)


def test_a_backend_that_is_unknown_or_not_installed_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(UserError, match="KERAS_BACKEND is torch; expected one of tensorflow, jax"):
        decided(monkeypatch)
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    monkeypatch.setattr(hardware.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="is not installed"):
        decided(monkeypatch, backend=BACKEND)


@pytest.mark.parametrize(
    ("settings", "devices"),
    [
        ({}, 1),
        ({"strategy": "data_parallel"}, 4),
        ({"strategy": "data_parallel", "devices": 3}, 3),
        ({"strategy": "data_parallel", "accelerator": "cpu"}, 1),
    ],
)
def test_the_strategy_decides_between_one_device_and_all(monkeypatch, settings, devices):
    assert decided(monkeypatch, "gpu", number=4, **settings).devices == devices


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"accelerator": "tpu"}, "accelerator is tpu, but .* finds only 1 cpu, 2 gpu"),
        ({"devices": 2}, "devices is 2, but hardware.strategy is single"),
        (
            {"devices": 3, "strategy": "data_parallel"},
            "devices is 3, but there are 2 gpu. Set it to 2 or less",
        ),
    ],
)
def test_devices_that_are_not_there_are_named(monkeypatch, settings, message):
    with pytest.raises(UserError, match=message):
        decided(monkeypatch, "gpu", number=2, **settings)


def test_several_devices_on_a_machine_with_none_are_refused_with_a_way_to_try_them(monkeypatch):
    with pytest.raises(UserError, match=r"there is 1 cpu\. .* set hardware.accelerator to cpu"):
        decided(monkeypatch, devices=2, strategy="data_parallel")


@pytest.mark.parametrize(
    "settings", [{}, {"strategy": "data_parallel", "devices": 2}, {"strategy": "data_parallel", "devices": 9}]
)
def test_tensorflow_takes_all_cores_of_a_tpu_or_none(monkeypatch, settings):
    monkeypatch.setattr(keras.config, "backend", lambda: "tensorflow")
    with pytest.raises(UserError, match="TensorFlow takes all 8 TPU cores"):
        decided(monkeypatch, "tpu", number=8, **settings)
    for devices in (0, 8):
        assert decided(monkeypatch, "tpu", number=8, strategy="data_parallel", devices=devices).devices == 8


def test_jax_takes_as_many_cores_of_a_tpu_as_asked_for():
    for settings, devices in (({}, 1), ({"strategy": "data_parallel", "devices": 2}, 2)):
        assert chosen_devices(8, "tpu", HardwareSettings(**settings), "jax") == devices


@pytest.mark.parametrize(
    ("deterministic", "before", "after"),
    [
        ("on", None, "--xla_gpu_deterministic_ops=true"),
        ("on", "--xla_dump_to=x", "--xla_dump_to=x --xla_gpu_deterministic_ops=true"),
        ("on", "--xla_gpu_deterministic_ops=false", "--xla_gpu_deterministic_ops=false"),
        ("auto", "--xla_dump_to=x", "--xla_dump_to=x"),
    ],
)
def test_jax_is_told_that_gpus_must_be_deterministic(monkeypatch, deterministic, before, after):
    monkeypatch.setenv("XLA_FLAGS", before or "")
    if before is None:
        monkeypatch.delenv("XLA_FLAGS")
    prepare_jax(HardwareSettings(deterministic=deterministic))
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.parametrize(("devices", "fast"), [(1, True), (2, False)])
def test_only_the_gpus_that_are_used_decide_on_bfloat16(monkeypatch, devices, fast):
    """An A100 (8.0) stands before a V100 (7.0)."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [(8, 0), (7, 0)])
        monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: {"compute_capability": device})
    else:
        import jax

        cards = [SimpleNamespace(compute_capability=number) for number in ("8.0", "7.0")]
        monkeypatch.setattr(jax, "local_devices", lambda: cards)
    assert hardware._fast_bfloat16(BACKEND, "gpu", devices) == fast


def test_bfloat16_on_an_old_gpu_is_refused_and_auto_avoids_it(monkeypatch):
    monkeypatch.setattr(hardware, "_fast_bfloat16", lambda *_: False)
    with pytest.raises(UserError, match="from Ampere"):
        decided(monkeypatch, "gpu", precision="bfloat16")
    assert decided(monkeypatch, "gpu", precision="auto").precision == "float32"


def test_bfloat16_on_a_cpu_without_it_is_warned_of(monkeypatch):
    assert "float32 will be faster" in decided(monkeypatch, flags=["avx2"], precision="bfloat16").warnings[0]
    assert decided(monkeypatch, flags=["amx_bf16"], precision="bfloat16").warnings == ()
    assert decided(monkeypatch, flags=["avx2"]).warnings == ()


def test_a_cluster_that_is_not_asked_for_is_warned_of(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert decided(monkeypatch).warnings == (
        "TF_CONFIG: set, but not used, as hardware.strategy is single, not multi_worker",
    )


def test_several_hosts_need_to_be_named(monkeypatch):
    monkeypatch.setenv("JAX_PROCESS_ID", "0")
    with pytest.raises(UserError, match=r"TF_CONFIG is not set|not JAX_COORDINATOR_ADDRESS"):
        decided(monkeypatch, strategy="multi_worker")


def test_where_nothing_is_learned_one_host_does_without_the_others(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    machine = decided(monkeypatch, "gpu", number=2, strategy="multi_worker", alone=True)
    assert (machine.strategy, machine.devices, machine.hosts, machine.warnings) == ("data_parallel", 2, 1, ())


def test_only_the_first_host_is_the_chief():
    assert [Hardware("cpu", "float32", True, BACKEND, hosts=2, host=host).is_chief for host in (0, 1)] == [True, False]


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
    assert machine.backend == BACKEND
    assert machine.accelerator in ("cpu", "gpu", "tpu")
    assert (machine.devices, machine.hosts, machine.strategy) == (1, 1, "single")
    assert machine.accelerator == "tpu" or type(machine.distribution) is Distribution


@pytest.mark.parametrize(
    ("devices", "hosts", "text"),
    [
        (1, 1, "tensorflow on gpu, float32, jit off"),
        (2, 1, "tensorflow on 2 x gpu, float32, jit off"),
        (1, 3, "tensorflow on 3 hosts with gpu, float32, jit off"),
        (2, 3, "tensorflow on 3 hosts with 2 x gpu, float32, jit off"),
    ],
)
def test_the_description_names_devices_and_hosts(devices, hosts, text):
    assert str(Hardware("gpu", "float32", False, "tensorflow", devices, hosts)) == text


def test_what_was_decided_last_is_kept(monkeypatch):
    assert type(hardware.configured().distribution) is Distribution
    machine = decided(monkeypatch, "gpu")
    assert hardware.configured() is machine


def test_settings_round_trip_as_json():
    settings = HardwareSettings(predict_batch_size=3)
    assert HardwareSettings.model_validate(json.loads(settings.model_dump_json())) == settings
