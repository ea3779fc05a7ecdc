"""Several devices and hosts on the TensorFlow backend: tf.distribute."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import tensorflow as tf

from shared.training.cluster import Cluster
from shared.training.distribution import Distribution, Predictor, padded, without_rows
from shared.training.feed import Arrays


class Replicas(Distribution):
    """The replicas of a tf.distribute.Strategy.

    Args: strategy: synchronous, with one copy of the weights on each device. host: the number of this host.
    """

    shared = True

    def __init__(self, strategy: Any, hosts: int = 1, host: int = 0):
        self.strategy, self.hosts, self.host = strategy, hosts, host
        self.replicas = strategy.num_replicas_in_sync

    def scope(self) -> AbstractContextManager[Any]:
        return self.strategy.scope()

    def place(self, arrays: Any, axis: int = 0) -> Any:
        return tf.nest.map_structure(lambda array: self._divided(array, axis, 0, self.replicas), arrays)

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function on every replica, each with its own part of the arguments; returns their results together.

        Call it in a tf.function, outside of any loop of the graph.
        """
        return self.strategy.run(function, args=arguments)

    def first(self, value: Any) -> Any:
        """Returns one of several results of `run`: that of this host's first replica."""
        return self.strategy.experimental_local_results(value)[0]

    def sum(self, values: Any) -> Any:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def replica(self) -> Any:
        return tf.distribute.get_replica_context().replica_id_in_sync_group

    def predictor(self, network: Any, jit: bool) -> Predictor:
        here, once = self.replicas // self.hosts, without_rows(network)
        one = forward(network, jit)
        everywhere = tf.function(
            lambda inputs: self.strategy.run(one, args=(inputs,)), autograph=False, reduce_retracing=True
        )

        def predict(inputs: Arrays) -> Arrays:
            full, rows = padded(inputs, here)
            divided = {name: self._divided(array, 0, self.host * here, here) for name, array in full.items()}
            result = {}
            for name, value in everywhere(divided).items():
                first, *others = (part.numpy() for part in self.strategy.experimental_local_results(value))
                result[name] = first if name in once else np.concatenate([first, *others])[:rows]
            return result

        return predict

    def from_chief(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        return [self._from_chief(array) for array in arrays] if self.hosts > 1 else arrays

    def any_host(self, flags: Sequence[bool]) -> list[bool]:
        mine = np.array(flags, np.int64)
        return [count > 0 for count in self._summed(lambda replica: mine)] if self.hosts > 1 else list(flags)

    def _divided(self, array: np.ndarray, axis: int, first: int, replicas: int) -> Any:
        """Divides an array among so many replicas, the first of which has the number `first`."""
        parts = np.split(np.asarray(array), replicas, axis)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(parts[context.replica_id_in_sync_group - first])
        )

    def _from_chief(self, array: np.ndarray) -> np.ndarray:
        array = np.asarray(array)
        data = array.tobytes()
        words = np.frombuffer(data + bytes(-len(data) % 8), np.int64)
        # Only replica 0 adds anything, and whole numbers add up exactly: every bit arrives.
        total = self._summed(lambda replica: words if replica == 0 else np.zeros_like(words))
        return np.frombuffer(total.tobytes()[: len(data)], array.dtype).reshape(array.shape).copy()

    def _summed(self, part: Callable[[int], np.ndarray]) -> np.ndarray:
        """Returns the sum of what `part` gives for the number of each replica."""
        mine = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(part(context.replica_id_in_sync_group))
        )
        summed = tf.function(lambda x: self.run(lambda one: self.sum(tf.identity(one)), x), autograph=False)(mine)
        return self.first(summed).numpy()


def several_devices(accelerator: str, devices: int) -> Replicas:
    """Returns the first so many devices of a kind on this host. Must be called before TensorFlow has computed anything.

    Args: accelerator: cpu, gpu or tpu; TPU cores are all taken.
    """
    if accelerator == "tpu":
        return Replicas(tpu_strategy())
    return Replicas(tf.distribute.MirroredStrategy([f"{accelerator.upper()}:{i}" for i in range(devices)]))


def several_hosts(cluster: Cluster) -> Replicas:
    """Returns all visible devices of all hosts. Must be called before TensorFlow has computed anything.

    Waits until all hosts have come.
    """
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.host,
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
        rpc_layer="grpc",
    )
    return Replicas(tf.distribute.MultiWorkerMirroredStrategy(resolver), cluster.hosts, cluster.host)


def tpu_strategy() -> Any:
    """Returns the strategy for the TPU cores of this machine."""
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="local")
    tf.config.experimental_connect_to_cluster(resolver)
    tf.tpu.experimental.initialize_tpu_system(resolver)
    return tf.distribute.TPUStrategy(resolver)


def forward(network: Any, jit: bool) -> Callable[[Arrays], dict[str, Any]]:
    """Returns the network without training as one graph for all shapes; XLA compiles it again for each."""
    signature = {tensor.name: tf.TensorSpec(tuple(tensor.shape), tensor.dtype) for tensor in network.inputs}
    function = tf.function(
        lambda inputs: network(inputs, training=False), input_signature=[signature], autograph=False, jit_compile=jit
    )

    def call(inputs: Arrays) -> dict[str, Any]:
        return function({name: tf.cast(inputs[name], spec.dtype) for name, spec in signature.items()})

    return call
