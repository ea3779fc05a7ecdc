"""How much memory there is for training: of the host, within the limits of its container, or of the accelerator."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_NO_LIMIT = 1 << 60  # cgroup v1 writes a number near 2^63, v2 the word max


def available_bytes(accelerator: str, backend: str, memory_gib: float = 0.0) -> int | None:
    """Returns the memory that is still free for a training run, on each device, or None if that cannot be told.

    Args: accelerator: cpu | gpu | tpu. backend: Keras' name. memory_gib: what the settings allow; 0: what there is.
    """
    if memory_gib:
        return round(memory_gib * 2**30)
    if accelerator == "cpu":
        return host_bytes()
    if backend == "jax":
        return _jax_device_bytes()
    return _nvidia_bytes() if accelerator == "gpu" else None


def host_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Returns the host memory that is free or can be freed, of the machine and of every cgroup around this process.

    Both versions of cgroups are read. Args: proc, cgroups: where Linux shows them; elsewhere the answer is None.
    """
    found = [_meminfo(proc / "meminfo"), *_cgroup_rooms(proc / "self" / "cgroup", cgroups)]
    known = [size for size in found if size is not None]
    return max(0, min(known)) if known else None


def _meminfo(path: Path) -> int | None:
    """Returns MemAvailable in bytes."""
    for line in _text(path).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _cgroup_rooms(membership: Path, mount: Path) -> Iterator[int]:
    """Yields for each cgroup with a limit, from the process's own to the root, what is left below the limit.

    A line of `membership` is `number:controllers:path`; version 2 has no controllers. In a container the path may be
    that outside, of which nothing is mounted; then the root of the mount is the container's own.
    """
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current", "inactive_file")
            roots = [mount, mount / "unified"]
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            roots = [mount / "memory", mount / controllers]
        else:
            continue
        for root in roots:
            inside = root / path.lstrip("/")
            for folder in (inside, *inside.parents):
                if (room := _room(folder, *names)) is not None:
                    yield room
                if folder == root:
                    break


def _room(folder: Path, limit_name: str, usage_name: str, cache_name: str) -> int | None:
    """Returns limit less usage, file cache that nobody uses not counted; None without a limit."""
    limit, usage = _text(folder / limit_name).strip(), _text(folder / usage_name).strip()
    if not limit.isdigit() or not usage.isdigit() or int(limit) >= _NO_LIMIT:
        return None
    numbers = dict(line.split(None, 1) for line in _text(folder / "memory.stat").splitlines())
    return int(limit) - int(usage) + int(numbers.get(cache_name, 0))


def _jax_device_bytes() -> int | None:
    """Returns what JAX may still take of the fullest local device; TPUs and GPUs tell, other devices do not."""
    import jax

    stats = [device.memory_stats() for device in jax.local_devices()]
    rooms = [one["bytes_limit"] - one["bytes_in_use"] for one in stats if one and "bytes_limit" in one]
    return min(rooms) if rooms else None


def _nvidia_bytes() -> int | None:
    """Returns the free memory of the fullest NVIDIA GPU, or its whole memory where TensorFlow has taken it already."""
    command = ["nvidia-smi", "--query-gpu=memory.total,memory.free", "--format=csv,noheader,nounits"]
    if os.environ.get("CUDA_VISIBLE_DEVICES"):
        command.append(f"--id={os.environ['CUDA_VISIBLE_DEVICES']}")
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
        sizes = [[int(size) * 2**20 for size in line.split(",")] for line in lines]
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    rooms = [total if free < total // 10 else free for total, free in sizes]
    return min(rooms) if rooms else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
