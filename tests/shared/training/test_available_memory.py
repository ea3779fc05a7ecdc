import subprocess
import sys
from types import SimpleNamespace

import pytest

from shared.training import available_memory
from shared.training.available_memory import available_bytes, host_bytes

GIB = 2**30
UNLIMITED = "9223372036854771712"  # as cgroup v1 writes it


def machine(tmp_path, membership="", files=None):
    """A /proc with 8 GiB available and a tree of cgroup files; returns both."""
    proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
    texts = {"meminfo": f"MemTotal: {16 * 2**20} kB\nMemAvailable: {8 * 2**20} kB\n", "self/cgroup": membership}
    for root, written in ((proc, texts), (cgroups, files or {})):
        for name, text in written.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    return proc, cgroups


def v2(folder, limit, usage, inactive=0):
    values = {"memory.max": limit, "memory.current": usage, "memory.stat": f"anon 5\ninactive_file {inactive}"}
    return {folder + name: f"{value}\n" for name, value in values.items()}


def v1(folder, limit, usage, inactive=0):
    stat = f"inactive_file 1\ntotal_inactive_file {inactive}"
    values = {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": usage, "memory.stat": stat}
    return {folder + name: f"{value}\n" for name, value in values.items()}


def test_without_cgroups_it_is_what_the_machine_has_left(tmp_path):
    assert host_bytes(*machine(tmp_path)) == 8 * GIB


def test_a_limit_of_cgroup_2_counts_without_idle_cache(tmp_path):
    files = v2("job/", 4 * GIB, 3 * GIB, GIB)
    assert host_bytes(*machine(tmp_path, "0::/job\n", files)) == 2 * GIB


def test_a_limit_of_cgroup_1_counts(tmp_path):
    files = v1("memory/job/", 4 * GIB, 3 * GIB, GIB // 2)
    membership = "5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n"
    assert host_bytes(*machine(tmp_path, membership, files)) == 3 * GIB // 2


def test_the_tightest_of_all_cgroups_around_counts(tmp_path):
    files = v2("a/", 3 * GIB, 2 * GIB) | v2("a/b/", 6 * GIB, GIB)
    assert host_bytes(*machine(tmp_path, "0::/a/b\n", files)) == GIB


def test_in_a_container_that_sees_only_its_own_cgroup_the_root_counts(tmp_path):
    files = v1("memory/", 4 * GIB, 3 * GIB)
    assert host_bytes(*machine(tmp_path, "4:memory:/outside/id\n", files)) == GIB


def test_no_limit_is_none(tmp_path):
    files = v1("memory/", UNLIMITED, 3 * GIB) | v2("", "max", 3 * GIB)
    assert host_bytes(*machine(tmp_path, "4:memory:/\n0::/\n", files)) == 8 * GIB


def test_beyond_a_limit_there_is_nothing(tmp_path):
    assert host_bytes(*machine(tmp_path, "0::/\n", v2("", GIB, 2 * GIB))) == 0


def test_a_machine_without_these_files_is_unknown(tmp_path):
    assert host_bytes(tmp_path / "proc", tmp_path / "cgroup") is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_this_machine_has_memory():
    size = available_bytes("cpu", "tensorflow")
    assert size is not None
    assert size > 2**20


def test_the_settings_go_first():
    assert available_bytes("gpu", "tensorflow", memory_gib=1.5) == 3 * GIB // 2


def test_jax_tells_of_its_devices(monkeypatch):
    jax = pytest.importorskip("jax")
    full = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 10 * GIB, "bytes_in_use": 9 * GIB})
    free = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 10 * GIB, "bytes_in_use": GIB})
    mute = SimpleNamespace(memory_stats=lambda: None)
    monkeypatch.setattr(jax, "local_devices", lambda: [free, full])
    assert available_bytes("gpu", "jax") == GIB
    monkeypatch.setattr(jax, "local_devices", lambda: [mute])
    assert available_bytes("tpu", "jax") is None


@pytest.mark.parametrize(
    ("printed", "want"), [("81920, 80000\n81920, 20480\n", 20 * GIB), ("81920, 500\n", 80 * GIB), ("[N/A], x\n", None)]
)
def test_nvidia_tells_of_its_gpus(monkeypatch, printed, want):
    answer = SimpleNamespace(stdout=printed)
    monkeypatch.setattr(available_memory.subprocess, "run", lambda *_, **__: answer)
    assert available_bytes("gpu", "tensorflow") == want


def test_without_the_tool_a_gpu_is_unknown(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(subprocess, "run", absent)
    assert available_bytes("gpu", "tensorflow") is None
    assert available_bytes("tpu", "tensorflow") is None
