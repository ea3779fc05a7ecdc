import sys

import pytest

from benchmarks.peers.process import WorkerProcess, environment
from shared.errors import UserError

ECHO = "import json, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line) | {'seen': True}), flush=True)"


def test_a_worker_answers_each_order(tmp_path):
    with WorkerProcess("echo", [sys.executable, "-c", ECHO], 1, environment(1), tmp_path / "log") as worker:
        assert worker.ask(do="one") == {"do": "one", "seen": True}
        assert worker.ask(do="two") == {"do": "two", "seen": True}
    assert worker.process.returncode == 0


def test_a_worker_that_ends_is_reported_with_its_last_words(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no such model')"]
    with (
        pytest.raises(UserError, match="no such model"),
        WorkerProcess("mine", command, 1, environment(1), tmp_path / "log") as worker,
    ):
        worker.ask(do="train")


def test_an_allocator_that_keeps_memory_is_asked_for_by_name():
    assert "hugetlb=1" in environment(2, allocator=True)["GLIBC_TUNABLES"]
    assert environment(2)["OMP_NUM_THREADS"] == "2"
