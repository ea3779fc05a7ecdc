import json

import pytest

from shared.errors import UserError
from shared.training.cluster import Cluster, cluster_of, named_in

ADDRESSES = ("10.0.0.1:2222", "10.0.0.2:2222")


def tf_config(kind="worker", index=1, **cluster) -> dict[str, str]:
    cluster = cluster or {"worker": ADDRESSES}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})}


def jax_variables(address=ADDRESSES[0], hosts="2", host="1") -> dict[str, str]:
    return {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": hosts, "JAX_PROCESS_ID": host}


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_both_backends_read_tf_config(backend):
    assert cluster_of(tf_config() | jax_variables(hosts="9"), backend) == Cluster(2, 1, ADDRESSES)


def test_a_chief_comes_before_the_workers():
    roles = {"chief": ADDRESSES[:1], "worker": ADDRESSES[1:]}
    assert cluster_of(tf_config("chief", 0, **roles), "tensorflow") == Cluster(2, 0, ADDRESSES)
    assert cluster_of(tf_config("worker", 0, **roles), "tensorflow") == Cluster(2, 1, ADDRESSES)


def test_jax_reads_its_own_variables():
    assert cluster_of(jax_variables(), "jax") == Cluster(2, 1, ADDRESSES[:1])


def test_jax_without_variables_is_left_to_find_the_hosts_itself():
    assert cluster_of({}, "jax") is None


@pytest.mark.parametrize(
    ("environment", "backend", "message"),
    [
        ({}, "tensorflow", r"TF_CONFIG is not set\. Set TF_CONFIG on every host"),
        (jax_variables(), "tensorflow", "TF_CONFIG is not set .*JAX_PROCESS_ID are for the JAX backend"),
        ({"JAX_PROCESS_ID": "0"}, "jax", "JAX_PROCESS_ID: set, but not JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES"),
        (jax_variables(host="2"), "jax", "JAX_PROCESS_ID is '2'; expected"),
        (jax_variables(address="10.0.0.1"), "jax", "JAX_COORDINATOR_ADDRESS: '10.0.0.1' is no address"),
        ({"TF_CONFIG": "{"}, "tensorflow", "TF_CONFIG: not understood"),
        ({"TF_CONFIG": '{"cluster": {}}'}, "jax", "TF_CONFIG: not understood .KeyError: 'task'"),
        (tf_config(index=2), "jax", "there is no worker 2 among"),
        (tf_config(kind="ps", index=0), "tensorflow", "ps: only workers"),
        (tf_config(worker=ADDRESSES, evaluator=["10.0.0.3:1"]), "tensorflow", "evaluator: only workers"),
        (tf_config(worker=[ADDRESSES[0]] * 2), "tensorflow", "one address twice"),
        (tf_config(worker=["here"], index=0), "tensorflow", "'here' is no address"),
    ],
)
def test_what_is_missing_or_wrong_is_named(environment, backend, message):
    with pytest.raises(UserError, match=message):
        cluster_of(environment, backend)


def test_the_variables_that_are_set_are_known():
    assert named_in({"TF_CONFIG": "", "JAX_PROCESS_ID": "0", "PATH": "x"}) == ["JAX_PROCESS_ID"]
