"""Optimizer steps on the JAX backend; on several devices the compiler divides the work by where the rows lie."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from shared.layers.draws import Draws, drawing, step_key
from shared.layers.offsets import shifting
from shared.training.batch import Batch
from shared.training.hardware import Hardware
from shared.training.loss import Loss
from shared.training.tricks.rows import Objective, Rows, second_draws
from shared.training.tricks.tricks import Tricks


class Steps:
    """See `Engine`. One program is compiled for each shape of batches.

    Attributes: compilations: int, programs compiled so far. all_or_nothing: bool, whether a single step that fails
        changes nothing; here the arrays of the state are given away to the device at the start.
    """

    all_or_nothing = False

    def __init__(
        self,
        network: keras.Model,
        loss: Loss,
        optimizer: Any,  # one of Keras, or a Wrapper around one
        clip_norm: float,
        seed: int,
        machine: Hardware,
        tricks: Tricks = Tricks(),  # noqa: B008  frozen
    ):
        self._network, self._loss, self._optimizer = network, loss, optimizer
        self._clip_norm, self._seed, self._tricks = clip_norm, seed, tricks
        self._distribution: Any = machine.distribution  # with several replicas, that of distribution_jax
        self._trained = list(network.trainable_variables)
        self._fixed = list(network.non_trainable_variables)
        place = [variable is optimizer.iterations for variable in optimizer.variables]
        self._iterations, self._jit = place.index(True), machine.jit
        self._programs: dict[int, Any] = {}
        self.compilations = 0

    def run(self, batches: Sequence[Batch], micro_batches: int) -> dict[str, Any]:
        """See `Engine.run`; the rows of each batch are a multiple of all devices' micro-batches."""
        stacked = jax.tree.map(
            lambda *arrays: np.stack(arrays), *((batch.inputs, batch.targets, batch.weight) for batch in batches)
        )
        state = ([v.value for v in self._trained], [v.value for v in self._optimizer.variables])
        fixed = [v.value for v in self._fixed]
        if self._distribution.shared:
            state, fixed = self._distribution.copies((state, fixed))
            stacked = self._distribution.place(stacked, axis=1)
        (values, optimizer), metrics = self._program(micro_batches)(state, fixed, stacked)
        # The old arrays were given away to the program; `assign` would copy the new ones once more.
        for variable, value in zip([*self._trained, *self._optimizer.variables], [*values, *optimizer], strict=True):
            variable._value = value
        return metrics

    def _program(self, micro_batches: int) -> Any:
        if micro_batches not in self._programs:
            program = partial(self._loop, micro_batches)
            if self._distribution.shared:
                program = self._distribution.mapped(program, whole=2, axis=1)
            self._programs[micro_batches] = self._compiled(program) if self._jit else program
        return self._programs[micro_batches]

    def _compiled(self, program: Any) -> Any:
        def counted(state, fixed, stacked):
            self.compilations += 1  # when the program is made
            return program(state, fixed, stacked)

        return jax.jit(counted, donate_argnums=0)

    def _loop(self, micro_batches, state, fixed, stacked):
        """Takes the steps of a stack of batches; the rows are those of one device."""

        def one(state, arrays):
            return self._step(micro_batches, state, fixed, *arrays)

        return jax.lax.scan(one, state, stacked)

    def _step(self, micro_batches, state, fixed, inputs, targets, weight):
        values, optimizer = state
        key = step_key(self._seed, optimizer[self._iterations])
        weights = self._distribution.sum(self._loss.weights(targets, weight))

        def compute(*asked):
            part = self._gradients(values, fixed, inputs, targets, weight, weights, key, micro_batches, *asked)
            return self._distribution.sum(part)

        loss, gradients = self._tricks.step(compute, key)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(gradient)) for gradient in gradients))
        if self._clip_norm:
            factor = jnp.minimum(1.0, self._clip_norm / jnp.maximum(norm, 1e-30))
            gradients = [gradient * factor for gradient in gradients]
        values, optimizer = self._optimizer.stateless_apply(optimizer, gradients, values)
        return (values, optimizer), {"loss": loss, "norm": norm}

    def _gradients(
        self,
        values: list[Any],
        fixed: list[Any],
        inputs: Any,
        targets: Any,
        weight: Any,
        weights: Any,
        key: Any,
        micro_batches: int,
        objective: Objective,
        offset: Any,
        along: Any,
        only: int | None,
    ) -> tuple[Any, list[Any]]:
        """Returns loss and gradients of one device's rows, as parts of those of the whole batch; see `WholeBatch`."""
        rows = weight.shape[0]
        total_rows, first_row = rows * self._distribution.replicas, rows * self._distribution.replica()
        divided = self._distribution.replicas > 1 or micro_batches > 1
        places = range(len(values)) if only is None else [only]

        def value(chosen, inputs, targets, weight, first_row):
            draws = Draws(key, first_row, total_rows) if divided else Draws(key)
            given = list(values)
            for place, array in zip(places, chosen, strict=True):
                given[place] = array

            def forward(offset, second):
                offsets = {} if offset is None else {self._tricks.table_name: offset}
                with drawing(second_draws(draws) if second else draws), shifting(offsets):
                    return self._network.stateless_call(given, fixed, inputs, training=True)[0]

            def at(offset):
                return objective(Rows(forward, self._loss, targets, weight, weights), offset)

            with drawing(draws):
                if along is None:
                    return at(offset)
                _, slope, loss = jax.jvp(lambda t: at(t * along), (0.0,), (1.0,), has_aux=True)
                return slope, loss

        def gradient(*arrays):
            (_, loss), gradients = jax.value_and_grad(value, has_aux=True)([values[i] for i in places], *arrays)
            return loss, gradients

        if micro_batches == 1:
            return gradient(inputs, targets, weight, first_row)
        size = rows // micro_batches

        def add(carry, index):
            begin = index * size
            piece = jax.tree.map(
                partial(jax.lax.dynamic_slice_in_dim, start_index=begin, slice_size=size), (inputs, targets, weight)
            )
            return jax.tree.map(jnp.add, carry, gradient(*piece, first_row + begin)), None

        start = (jnp.zeros(()), [jnp.zeros(values[i].shape) for i in places])
        return jax.lax.scan(add, start, jnp.arange(micro_batches))[0]
