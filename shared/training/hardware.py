"""Devices, precision, compilation, seeds and determinism, set once before a model is built."""

import importlib.util
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import UserError
from shared.training.cluster import cluster_of, named_in, start_jax
from shared.training.devices import (
    LIBRARIES,
    chosen_accelerator,
    chosen_devices,
    devices_there,
    distribution_over,
    prepare_jax,
    spare_gpus,
)
from shared.training.distribution import Distribution
from shared.training.native_logs import without_chatter
from shared.training.settings import HardwareSettings

_FAST_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}

_last: "Hardware | None" = None


@dataclass(frozen=True)
class Hardware:
    """What was decided.

    accelerator: `cpu`, `gpu`, `tpu`; precision: `float32`, `bfloat16`; backend: Keras' name. devices: that each host
    trains on; hosts, host: how many and which, from 0. strategy: as in the settings. distribution: how the rows of a
    batch are divided. warnings: what the user should know.
    """

    accelerator: str
    precision: str
    jit: bool
    backend: str
    devices: int = 1
    hosts: int = 1
    host: int = 0
    strategy: str = "single"
    distribution: Distribution = field(default_factory=Distribution, repr=False, compare=False)
    warnings: tuple[str, ...] = ()

    @property
    def is_chief(self) -> bool:
        """Whether this host writes the files."""
        return self.host == 0

    @property
    def any_shape(self) -> bool:
        """Whether a compiled function takes arrays of any shape; else it is compiled again for each."""
        return self.backend == "tensorflow" and not self.jit

    def __str__(self) -> str:
        places = f"{self.devices} x {self.accelerator}" if self.devices > 1 else self.accelerator
        if self.hosts > 1:
            places = f"{self.hosts} hosts with {places}"
        return f"{self.backend} on {places}, {self.precision}, jit {'on' if self.jit else 'off'}"


def configure(settings: HardwareSettings, seed: int, *, alone: bool = False) -> Hardware:
    """Applies the settings to Keras and its backend, seeds every random source, and returns what was decided.

    Call it once, before any layer is made. Seeds Python, NumPy and the backend. With several hosts it waits for them.

    Args: alone: leave other hosts out, as where nothing is learned; `multi_worker` then means `data_parallel`.
    Raises: UserError if the machine lacks what is asked for.
    """
    if alone and settings.strategy == "multi_worker":
        settings = settings.model_copy(update={"strategy": "data_parallel"})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _choose_backend(settings.backend)
    with without_chatter():
        import keras  # takes seconds, so not at the top: settings are read without it

        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        backend = keras.config.backend()
        if settings.backend not in ("auto", backend):
            raise UserError(
                f"hardware.backend is {settings.backend}, but Keras already runs on {backend} in this process. Set the "
                f"environment variable KERAS_BACKEND={settings.backend}, or start a new process."
            )
        cluster = cluster_of(os.environ, backend) if settings.strategy == "multi_worker" else None
        if backend == "jax":
            prepare_jax(settings)
            if settings.strategy == "multi_worker":
                start_jax(cluster)
        there = devices_there(backend)
        accelerator = chosen_accelerator(there, settings, backend)
        devices = chosen_devices(there[accelerator], accelerator, settings, backend)
        precision, warnings = _precision(settings, backend, accelerator, devices)
        jit, deterministic = _jit_and_determinism(settings, backend, accelerator)
        distribution = distribution_over(devices, accelerator, settings, backend, cluster)
        keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
        keras.utils.set_random_seed(seed)
        if backend == "jax":
            spare_gpus()
    if settings.strategy != "multi_worker" and named_in(os.environ) and not alone:
        names = ", ".join(named_in(os.environ))
        warnings += (f"{names}: set, but not used, as hardware.strategy is {settings.strategy}, not multi_worker",)
    if deterministic and backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    hosts, host = distribution.hosts, distribution.host
    devices = distribution.replicas // hosts
    global _last
    _last = Hardware(
        accelerator, precision, jit, backend, devices, hosts, host, settings.strategy, distribution, warnings
    )
    return _last


def configured() -> Hardware:
    """Returns what `configure` decided last; if it was never called, one CPU."""
    import keras

    backend = keras.config.backend()
    return _last or Hardware("cpu", "float32", jit=backend == "jax", backend=backend)


def _choose_backend(asked: str) -> None:
    """Has Keras, when it is loaded, take the backend that is asked for. Raises: UserError if it is not usable."""
    if asked != "auto":
        os.environ["KERAS_BACKEND"] = asked
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    source = "hardware.backend" if asked != "auto" else "KERAS_BACKEND"
    if backend not in LIBRARIES:
        raise UserError(f"{source} is {backend}; expected one of {', '.join(LIBRARIES)}.")
    if importlib.util.find_spec(backend) is None:
        raise UserError(f"{source} is {backend}, but {LIBRARIES[backend]} is not installed; see docs/hardware.md.")


def _precision(settings: HardwareSettings, backend: str, accelerator: str, devices: int) -> tuple[str, tuple[str, ...]]:
    if settings.precision == "float32":
        return "float32", ()
    fast = _fast_bfloat16(backend, accelerator, devices)
    if settings.precision == "auto":
        return ("bfloat16" if fast else "float32"), ()
    if fast:
        return "bfloat16", ()
    if accelerator == "gpu":
        raise UserError(
            "hardware.precision is bfloat16, which NVIDIA GPUs multiply from Ampere (compute capability 8.0) on; this "
            "one is older. Set it to auto or float32."
        )
    return "bfloat16", (
        "hardware.precision is bfloat16, but this CPU has no instructions for it (avx512_bf16, amx_bf16) and float32 "
        "will be faster",
    )


def _jit_and_determinism(settings: HardwareSettings, backend: str, accelerator: str) -> tuple[bool, bool]:
    # Without XLA, JAX runs one operation at a time, many times slower than TensorFlow's graphs.
    jit = settings.jit == "on" or (settings.jit == "auto" and (accelerator != "cpu" or backend == "jax"))
    deterministic = settings.deterministic == "on" or (
        settings.deterministic == "auto" and accelerator == "cpu" and settings.jit != "on"
    )
    if backend == "tensorflow" and deterministic and jit:
        if settings.jit == "on":
            raise UserError(
                "hardware.jit and hardware.deterministic are both on, but TensorFlow does not compile deterministic "
                "operations with XLA. Set one of them to auto or off."
            )
        jit = False
    return jit, deterministic


def _fast_bfloat16(backend: str, accelerator: str, devices: int) -> bool:
    """Whether the first so many devices multiply bfloat16 fast: TPUs, NVIDIA GPUs from Ampere (8.0) on, some CPUs."""
    if accelerator == "cpu":
        return bool(_FAST_BFLOAT16_FLAGS & _cpu_flags())
    if accelerator == "gpu" and backend == "tensorflow":
        import tensorflow as tf

        used = tf.config.list_physical_devices("GPU")[:devices]
        details = map(tf.config.experimental.get_device_details, used)
        return all(detail.get("compute_capability", (8, 0)) >= (8, 0) for detail in details)
    if accelerator == "gpu" and backend == "jax":
        import jax

        try:
            used = jax.local_devices()[:devices]
            return all(float(getattr(device, "compute_capability", "8.0")) >= 8.0 for device in used)
        except ValueError:  # gfx90a and the like: AMD's
            return True
    return True


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
