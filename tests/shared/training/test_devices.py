"""Devices and hosts change nothing: each case is one or two processes, compared with one process on one device."""

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

WAYS = {"plain": {}, "pieces": {"micro_batches": 2, "steps_per_call": 2}}
CPU = {"accelerator": "cpu", "precision": "float32"}
ALL = {**CPU, "strategy": "data_parallel"}
CASES = {
    "2 devices, tensorflow": {"backend": "tensorflow", "devices": 2, **ALL},
    "2 devices, tensorflow, jit": {"backend": "tensorflow", "devices": 2, "jit": "on", **ALL},
    "4 devices, jax": {"backend": "jax", "devices": 4, **ALL},
    "2 hosts, tensorflow": {"backend": "tensorflow", "strategy": "multi_worker", **CPU},
    "2 hosts, jax": {"backend": "jax", "strategy": "multi_worker", **CPU},
    "2 hosts of 2 devices, jax": {"backend": "jax", "strategy": "multi_worker", "devices": 2, **CPU},
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What comes out on one device, by backend and jit."""
    results = {}

    def run(backend, jit):
        if (backend, jit) not in results:
            settings = {"backend": backend, "jit": jit, **CPU}
            (results[backend, jit],) = runs(settings, tmp_path_factory.mktemp("alone"), hosts=1)
        return results[backend, jit]

    return run


@pytest.fixture(scope="module", params=CASES)
def case(request, alone, tmp_path_factory):
    """(results of one device, results of each host)"""
    settings = CASES[request.param]
    hosts = 2 if settings["strategy"] == "multi_worker" else 1
    many = runs(settings, tmp_path_factory.mktemp("many"), hosts)
    return alone(settings["backend"], settings.get("jit", "auto")), many


def runs(settings, folder, hosts):
    """Runs device_run.py, as a process for each host, side by side; returns what each of them wrote."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(hosts)]

    def one(host):
        environment = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "KERAS_BACKEND")}
        if hosts > 1:
            task = {"type": "worker", "index": host}
            environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
        file = folder / f"host_{host}.npz"
        arguments = ["-m", "tests.shared.training.device_run", file, json.dumps(settings), json.dumps(WAYS)]
        options = {"cwd": REPOSITORY, "env": environment, "capture_output": True, "text": True, "timeout": 300}
        done = subprocess.run([sys.executable, *arguments], **options, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return dict(np.load(file))

    with ThreadPoolExecutor(hosts) as pool:
        return list(pool.map(one, range(hosts)))


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_losses_norms_and_weights_are_those_of_one_device(case):
    one, many = case
    for result in many:
        for way in WAYS:
            for name in ("losses", "norms", "weights"):
                np.testing.assert_allclose(result[f"{way}_{name}"], one[f"plain_{name}"], atol=1e-5, err_msg=way)
    assert (one["plain_norms"] > 0.05).any()  # so that the gradient was clipped


def test_predictions_are_those_of_one_device_before_and_after_training(case):
    one, many = case
    assert np.abs(one["plain_after"] - one["plain_before"]).max() > 0.01
    for result in many:
        for way in WAYS:
            for name in ("before", "after", "restored"):
                np.testing.assert_allclose(
                    result[f"{way}_{name}"], one[f"plain_{name.replace('restored', 'after')}"], atol=1e-5, err_msg=way
                )


def test_an_output_without_rows_comes_back_once(case):
    one, many = case
    for result in [one, *many]:
        np.testing.assert_array_equal(result["plain_same"], np.ones((2, 2)))


def test_each_row_is_computed_once(case):
    one, many = case
    for result in [one, *many]:
        np.testing.assert_array_equal(result["seen"], np.ones(10))


def test_all_copies_stay_equal_bit_for_bit(case):
    _, many = case
    for way in WAYS:
        for result in many:
            assert result[f"{way}_copies_differ"].tolist() == []
            np.testing.assert_array_equal(result[f"{way}_weights"], many[0][f"{way}_weights"])


def test_what_one_host_says_all_know(case):
    _, many = case
    for result in many:
        assert result["any_host"].tolist() == [False, len(many) > 1, True, True]


def test_a_signal_to_one_host_stops_all_at_the_same_step(case):
    _, many = case
    if len(many) == 1:
        pytest.skip("one host")
    for result in many:
        assert str(result["stopped"]).startswith("stopped by SIGTERM after step 20; ")


def test_a_state_that_the_first_host_cannot_load_stops_the_others(case):
    _, many = case
    if len(many) == 1:
        pytest.skip("one host")
    assert [str(result["refusal"])[:20] for result in many] == ["of another run", "host 0 could not load"[:20]]


def test_what_the_first_host_sends_arrives_bit_for_bit(case):
    _, many = case
    for result in many:
        assert result["sent_0"].tobytes() == np.float32([-0.0, 0.1]).tobytes()
        assert result["sent_1"].tolist() == [2**60]
        assert result["sent_2"].tolist() == [True, False, False]
