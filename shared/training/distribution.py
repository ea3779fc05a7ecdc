"""How the rows of a batch are divided among devices and hosts; here: not at all."""

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from shared.training.feed import Arrays

Predictor = Callable[[Arrays], Arrays]


class Distribution:
    """One device. The base of those that divide the work, each of which serves one backend.

    A replica is a device with a copy of all weights. A step runs the same function on every replica: from the rows that
    it was given, a replica computes its part of loss and gradient; `sum` makes them those of the whole batch, and every
    replica then updates its copy in the same way. Replica r of R has the rows [r n / R, (r + 1) n / R) of a batch.

    Attributes: replicas: int, of all hosts together. hosts: int. host: int, the number of this one, from 0.
        shared: bool, whether steps go through `run` (TensorFlow) or `mapped` (JAX), which bring them to the devices.
    """

    shared = False
    replicas = 1
    hosts = 1
    host = 0

    def scope(self) -> AbstractContextManager[Any]:
        """Network and optimizer must be made in this context, so that each replica has a copy of their weights."""
        return contextlib.nullcontext()

    def place(self, arrays: Any, axis: int = 0) -> Any:
        """Returns the whole batch as `run` or `mapped` takes it: on each device, its own rows.

        Args: arrays: nested dicts and sequences of NumPy arrays, equal on all hosts. axis: of the rows; their number
            must be a multiple of `replicas`.
        """
        return arrays

    def sum(self, values: Any) -> Any:
        """Returns the sums over all replicas of nested tensors. For use in the function of the replicas."""
        return values

    def replica(self) -> Any:
        """Returns the number of the replica that asks: () int32. For use in the function of the replicas."""
        return 0

    def predictor(self, network: Any, jit: bool) -> Predictor:
        """Returns a function from inputs to outputs, NumPy arrays by name, compiled once a shape.

        The rows are divided among the devices of this host; other hosts take no part. Outputs have rows first, or are
        the same for all rows. The network's weights may change between calls.

        Args: network: keras.Model, a dict of inputs to a dict of outputs. jit: compile with XLA.
        """
        forward = compiled_forward(network, jit)

        def predict(inputs: Arrays) -> Arrays:
            return {name: np.asarray(value) for name, value in forward(inputs).items()}

        return predict

    def from_chief(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """Returns the arrays of host 0 on every host; all hosts must call it at the same point.

        Args: arrays: equal in number, shapes and dtypes on all hosts.
        """
        return arrays

    def any_host(self, flags: Sequence[bool]) -> list[bool]:
        """Returns for each flag whether any host has set it; all hosts must call it at the same point."""
        return list(flags)


def compiled_forward(network: Any, jit: bool) -> Callable[[Arrays], dict[str, Any]]:
    """Returns the network without training as one compiled function on one device."""
    import keras

    if keras.config.backend() == "jax":
        from shared.training.distribution_jax import forward
    else:
        from shared.training.distribution_tensorflow import forward
    return forward(network, jit)


def without_rows(network: Any) -> set[str]:
    """Returns the names of those outputs that are the same for all rows, such as the transitions of a CRF."""
    return {name for name, tensor in network.output.items() if not tensor.shape or tensor.shape[0] is not None}


def padded(inputs: Arrays, multiple: int) -> tuple[Arrays, int]:
    """Returns the inputs with their first rows once more up to a multiple of so many rows, and the true number."""
    rows = len(next(iter(inputs.values())))
    chosen = np.arange(rows + -rows % multiple) % rows
    return {name: np.asarray(array)[chosen] for name, array in inputs.items()}, rows
