"""Precision, compilation, seeds and determinism, set once before a model is built."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from shared.errors import UserError
from shared.training.native_logs import without_chatter
from shared.training.settings import HardwareSettings

_FAST_BFLOAT16_FLAGS = {"amx_bf16", "avx512_bf16"}


@dataclass(frozen=True)
class Hardware:
    """What was decided. accelerator: `cpu`, `gpu`, `tpu`; precision: `float32`, `bfloat16`; backend: Keras' name."""

    accelerator: str
    precision: str
    jit: bool
    backend: str

    def __str__(self) -> str:
        return f"{self.backend} on {self.accelerator}, {self.precision}, jit {'on' if self.jit else 'off'}"


def configure(settings: HardwareSettings, seed: int) -> Hardware:
    """Applies the settings to Keras and its backend, seeds every random source, and returns what was decided.

    Call it once, before any layer is made. Seeds Python, NumPy and the backend.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if settings.backend != "auto":
        os.environ["KERAS_BACKEND"] = settings.backend
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with without_chatter():
        import keras  # takes seconds, so not at the top: settings are read without it

        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        backend = keras.config.backend()
        accelerator = _accelerator(backend)
        fast_bfloat16 = settings.precision == "auto" and _fast_bfloat16(backend, accelerator)
    precision = settings.precision
    if precision == "auto":
        precision = "bfloat16" if fast_bfloat16 else "float32"
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
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.utils.set_random_seed(seed)
    if deterministic and backend == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return Hardware(accelerator, precision, jit, backend)


def _accelerator(backend: str) -> str:
    if backend == "tensorflow":
        import tensorflow as tf

        kinds = {device.device_type.lower() for device in tf.config.list_physical_devices()}
    elif backend == "jax":
        import jax

        kinds = {jax.default_backend()}
    else:
        import torch

        kinds = {"gpu"} if torch.cuda.is_available() else set()
    return next((kind for kind in ("tpu", "gpu") if kind in kinds), "cpu")


def _fast_bfloat16(backend: str, accelerator: str) -> bool:
    """Whether the hardware multiplies bfloat16 fast: TPUs, NVIDIA GPUs from Ampere (8.0) on, some CPUs."""
    if accelerator == "cpu":
        return bool(_FAST_BFLOAT16_FLAGS & _cpu_flags())
    if accelerator == "gpu" and backend == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
        return all(detail.get("compute_capability", (8, 0)) >= (8, 0) for detail in details)
    if accelerator == "gpu" and backend == "jax":
        import jax

        return float(getattr(jax.devices()[0], "compute_capability", "8.0")) >= 8.0
    return True


def _cpu_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return set()
    return next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
