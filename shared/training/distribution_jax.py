"""Several devices and hosts on the JAX backend: one program over a mesh of devices."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from shared.training.distribution import Distribution, Predictor, padded, without_rows
from shared.training.feed import Arrays

_ROWS = "rows"
_WHOLE = PartitionSpec()


class Devices(Distribution):
    """A line of devices, each with a copy of the weights and its own rows of a batch.

    Args: devices: of all hosts, as many on each; those of a host are neighbours.
    """

    shared = True

    def __init__(self, devices: Sequence[Any]):
        self.mesh = Mesh(np.array(devices), (_ROWS,))
        self.replicas, self.hosts, self.host = len(devices), jax.process_count(), jax.process_index()

    def place(self, arrays: Any, axis: int = 0) -> Any:
        sharding = NamedSharding(self.mesh, PartitionSpec(*[None] * axis, _ROWS))

        def divided(array: np.ndarray) -> Any:
            mine = np.split(np.asarray(array), self.hosts, axis)[self.host]
            return jax.make_array_from_process_local_data(sharding, mine, array.shape)

        return jax.tree.map(divided, arrays)

    def mapped(self, function: Callable[..., Any], whole: int, axis: int) -> Callable[..., Any]:
        """Returns a function that runs `function` on every replica.

        Args: whole: the first so many arguments are the same on all replicas; of the others, a replica gets its rows.
            axis: of the rows. The results of `function` must be the same on all replicas.
        """
        rows = PartitionSpec(*[None] * axis, _ROWS)

        def call(*arguments: Any) -> Any:
            specs = tuple(_WHOLE if i < whole else rows for i in range(len(arguments)))
            # check_vma would have JAX add up gradients on its own, before `sum` does.
            return jax.shard_map(function, mesh=self.mesh, in_specs=specs, out_specs=_WHOLE, check_vma=False)(
                *arguments
            )

        return call

    def copies(self, values: Any) -> Any:
        """Returns nested arrays, equal on all hosts, as arrays with a copy on each device; those that are stay so."""
        sharding = NamedSharding(self.mesh, _WHOLE)

        def copied(value: Any) -> Any:
            if isinstance(value, jax.Array) and value.sharding == sharding:
                return value
            return jax.make_array_from_process_local_data(sharding, np.asarray(value), np.shape(value))

        return jax.tree.map(copied, values)

    def sum(self, values: Any) -> Any:
        return jax.lax.psum(values, _ROWS)

    def replica(self) -> Any:
        return jax.lax.axis_index(_ROWS)

    def predictor(self, network: Any, jit: bool) -> Predictor:
        here = [device for device in self.mesh.devices.flat if device.process_index == self.host]
        return _Predictor(network, jit, here)

    def from_chief(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        if self.hosts == 1:
            return arrays

        def sent(array: np.ndarray) -> np.ndarray:
            array = np.asarray(array)
            # As bytes: without 64-bit numbers JAX would round some, and adding zeros would lose the sign of -0.
            data = multihost_utils.broadcast_one_to_all(np.frombuffer(array.tobytes(), np.uint8))
            return np.frombuffer(np.asarray(data).tobytes(), array.dtype).reshape(array.shape).copy()

        return [sent(array) for array in arrays]

    def any_host(self, flags: Sequence[bool]) -> list[bool]:
        if self.hosts == 1:
            return list(flags)
        return multihost_utils.process_allgather(np.array(flags)).any(axis=0).tolist()  # (hosts, flags) before


def first_devices(number: int) -> Devices:
    """Returns the first so many devices of each host. All hosts must have been started (`cluster.start_jax`)."""
    hosts: dict[int, list[Any]] = {}
    for device in sorted(jax.devices(), key=lambda device: (device.process_index, device.id)):
        hosts.setdefault(device.process_index, []).append(device)
    return Devices([device for host in sorted(hosts) for device in hosts[host][:number]])


def forward(network: Any, jit: bool) -> Callable[[Arrays], dict[str, Any]]:
    """Returns the network without training as one program a shape, on the device where the weights are."""

    def outputs(values: list[Any], fixed: list[Any], inputs: Arrays) -> dict[str, Any]:
        return network.stateless_call(values, fixed, inputs, training=False)[0]

    program = jax.jit(outputs) if jit else outputs

    def call(inputs: Arrays) -> dict[str, Any]:
        return program(*_values(network), inputs)

    return call


class _Predictor:
    """See `Distribution.predictor`. Weights are copied to the devices again when they have changed."""

    def __init__(self, network: Any, jit: bool, devices: Sequence[Any]):
        self._network, self._devices = network, devices
        mesh = Mesh(np.array(devices), (_ROWS,))
        self._whole, self._rows = NamedSharding(mesh, _WHOLE), NamedSharding(mesh, PartitionSpec(_ROWS))
        self._source: list[Any] = []
        self._copies: Any = None

        def outputs(values: list[Any], fixed: list[Any], inputs: Arrays) -> dict[str, Any]:
            return network.stateless_call(values, fixed, inputs, training=False)[0]

        self._once, rows = without_rows(network), PartitionSpec(_ROWS)
        out_specs = {name: _WHOLE if name in self._once else rows for name in network.output}
        program = jax.shard_map(
            outputs, mesh=mesh, in_specs=(_WHOLE, _WHOLE, rows), out_specs=out_specs, check_vma=False
        )
        self._program = jax.jit(program) if jit else program

    def __call__(self, inputs: Arrays) -> Arrays:
        full, rows = padded(inputs, len(self._devices))
        outputs = self._program(*self._weights(), jax.device_put(full, self._rows))
        return {
            name: np.asarray(value) if name in self._once else np.asarray(value)[:rows]
            for name, value in outputs.items()
        }

    def _weights(self) -> Any:
        values = _values(self._network)
        source = [*values[0], *values[1]]
        if len(source) != len(self._source) or any(a is not b for a, b in zip(source, self._source, strict=True)):
            self._copies, self._source = jax.tree.map(self._copied, values), source
        return self._copies

    def _copied(self, value: Any) -> Any:
        here = {shard.device: shard.data for shard in value.addressable_shards}
        if all(device in here for device in self._devices):  # as after a step; nothing is copied
            parts = [here[device] for device in self._devices]
            return jax.make_array_from_single_device_arrays(value.shape, self._whole, parts)
        return jax.device_put(np.asarray(value), self._whole)


def _values(network: Any) -> tuple[list[Any], list[Any]]:
    return (
        [variable.value for variable in network.trainable_variables],
        [variable.value for variable in network.non_trainable_variables],
    )
