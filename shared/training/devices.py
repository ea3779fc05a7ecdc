"""The devices of this host, and those of them that the settings ask for."""

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from shared.errors import UserError
from shared.training.cluster import Cluster
from shared.training.distribution import Distribution
from shared.training.settings import HardwareSettings

LIBRARIES = {"tensorflow": "TensorFlow", "jax": "JAX"}
_DETERMINISTIC = "xla_gpu_deterministic_ops"


def prepare_jax(settings: HardwareSettings) -> None:
    """Tells JAX which devices to make and whether GPUs must be deterministic, before it first looks at them."""
    import jax

    flags = os.environ.get("XLA_FLAGS", "")
    if settings.deterministic == "on" and _DETERMINISTIC not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{_DETERMINISTIC}=true".strip()
    if settings.accelerator != "cpu":
        return
    jax.config.update("jax_platforms", "cpu")
    if settings.devices > 1 and "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with contextlib.suppress(RuntimeError):  # JAX has computed already; its devices are counted as they are
            jax.config.update("jax_num_cpu_devices", settings.devices)


def spare_gpus() -> None:
    """Hides the GPUs from TensorFlow where Keras has loaded it beside JAX; it would take their memory."""
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        _show_only(tf, 0)


def devices_there(backend: str) -> dict[str, int]:
    """Returns the kinds of devices on this host with their numbers, without setting TensorFlow's up."""
    if backend == "tensorflow":
        import tensorflow as tf

        there = {"cpu": 0}
        for device in tf.config.list_physical_devices():
            parts = tf.config.get_logical_device_configuration(device)
            kind = device.device_type.lower()
            there[kind] = there.get(kind, 0) + len(parts or [device])
        return there
    import jax

    return {"cpu": 1} | {jax.default_backend(): jax.local_device_count()}


def chosen_accelerator(there: Mapping[str, int], settings: HardwareSettings, backend: str) -> str:
    """Returns the kind of device to use. Args: there: see `devices_there`. Raises: UserError if there is none of it."""
    asked = settings.accelerator
    if asked == "auto":
        return next((kind for kind in ("tpu", "gpu") if there.get(kind)), "cpu")
    if not there.get(asked):
        found = ", ".join(f"{number} {kind}" for kind, number in there.items() if number)
        raise UserError(
            f"hardware.accelerator is {asked}, but {LIBRARIES[backend]} finds only {found}. Set it to auto, or install "
            f"the build of {LIBRARIES[backend]} and the drivers for it (docs/hardware.md)."
        )
    return asked


def chosen_devices(there: int, accelerator: str, settings: HardwareSettings, backend: str) -> int:
    """Returns how many devices of this host to use. A CPU that is named is divided into as many as asked for.

    Args: there: how many of the kind there are. Raises: UserError if those are too few, strategy forbids several, or
        TensorFlow would take more TPU cores.
    """
    asked = settings.devices
    part = settings.strategy == "single" or asked not in (0, there)
    if accelerator == "tpu" and backend == "tensorflow" and part and there > 1:
        raise UserError(
            f"hardware.devices is {asked} and hardware.strategy {settings.strategy}, but TensorFlow takes all {there} "
            "TPU cores. Set strategy to data_parallel and devices to 0, or hardware.backend to jax."
        )
    if settings.strategy == "single":
        if asked > 1:
            raise UserError(
                f"hardware.devices is {asked}, but hardware.strategy is single, which trains on one. Set it to "
                "data_parallel."
            )
        return 1
    if asked > there and settings.accelerator == "cpu" and backend == "tensorflow":
        return _divide_cpu(asked)
    if asked > there:
        hint = " To try several without them, set hardware.accelerator to cpu." if accelerator == "cpu" else ""
        raise UserError(
            f"hardware.devices is {asked}, but there {'is' if there == 1 else 'are'} {there} {accelerator}. Set it to "
            f"{there} or less; 0 takes all.{hint}"
        )
    return asked or there


def distribution_over(
    devices: int, accelerator: str, settings: HardwareSettings, backend: str, cluster: Cluster | None
) -> Distribution:
    """Returns how batches are divided among so many devices of this host, and among the hosts of a cluster.

    Hides the other devices from TensorFlow, which must not have computed anything before.
    """
    if backend == "jax":
        import jax

        if jax.process_count() == 1 and devices == 1:
            return Distribution()
        from shared.training.distribution_jax import first_devices

        return first_devices(devices)
    import tensorflow as tf

    _show_only(tf, devices if accelerator == "gpu" else 0)
    if cluster and cluster.hosts > 1:
        if accelerator == "tpu":
            raise UserError(
                "hardware.strategy is multi_worker, but TensorFlow reaches the TPUs of other hosts in another way. Set "
                "hardware.backend to jax."
            )
        if accelerator == "cpu" and devices > 1:
            raise UserError("hardware.devices: with multi_worker, TensorFlow takes a CPU as one device. Set it to 0.")
        from shared.training import distribution_tensorflow

        return distribution_tensorflow.several_hosts(cluster)
    if devices > 1 or accelerator == "tpu":
        from shared.training import distribution_tensorflow

        return distribution_tensorflow.several_devices(accelerator, devices)
    return Distribution()


def _divide_cpu(parts: int) -> int:
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * parts)
    except RuntimeError:
        raise UserError(
            f"hardware.devices is {parts}, but TensorFlow has computed already and cannot divide its CPU any more. "
            "Start a new process."
        ) from None
    return parts


def _show_only(tensorflow: Any, gpus: int) -> None:
    """Hides all but so many GPUs from TensorFlow, which takes the memory of each that it sees."""
    if len(tensorflow.config.get_visible_devices("GPU")) > gpus:
        tensorflow.config.set_visible_devices(tensorflow.config.list_physical_devices("GPU")[:gpus], "GPU")
