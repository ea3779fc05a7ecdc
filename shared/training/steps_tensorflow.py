"""Optimizer steps on the TensorFlow backend, on one device or under a `tf.distribute` strategy."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from shared.layers.draws import Draws, drawing, step_key
from shared.layers.gradient import plain_gradients
from shared.layers.offsets import shifting
from shared.training.batch import Batch
from shared.training.hardware import Hardware
from shared.training.loss import Loss
from shared.training.tricks.rows import Objective, Rows, second_draws
from shared.training.tricks.tricks import Tricks


class Steps:
    """See `Engine`. Without XLA one graph serves all shapes; with it, one is compiled for each.

    Attributes: compilations: int, graphs made so far. all_or_nothing: bool, whether a single step that fails changes
        nothing.
    """

    all_or_nothing = True

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
        self._clip_norm, self._seed, self._jit, self._tricks = clip_norm, seed, machine.jit, tricks
        self._distribution: Any = machine.distribution  # with several replicas, that of distribution_tensorflow
        self._weights = [variable.value for variable in network.trainable_variables]
        self._functions: dict[Any, Any] = {}
        self.compilations = 0
        # Gradients are summed over devices before they are clipped; Keras would do it after, and a second time.
        optimizer._all_reduce_sum_gradients = lambda pairs: pairs

    def run(self, batches: Sequence[Batch], micro_batches: int) -> dict[str, Any]:
        """See `Engine.run`; the rows of each batch are a multiple of all devices' micro-batches."""
        if self._distribution.shared:  # a loop in the graph cannot hold what passes between devices
            results = [self._function(batch, micro_batches)(*self._placed(batch)) for batch in batches]
            return {name: tf.stack([one[name] for one in results]) for name in ("loss", "norm")}
        inputs, targets, weight = (
            tf.nest.map_structure(lambda *arrays: np.stack(arrays), *parts)
            for parts in zip(*((batch.inputs, batch.targets, batch.weight) for batch in batches), strict=True)
        )
        return self._loop(batches[0], len(batches), micro_batches)(inputs, targets, weight)

    def _placed(self, batch: Batch) -> tuple:
        return self._distribution.place((batch.inputs, batch.targets, batch.weight))

    def _function(self, batch: Batch, micro_batches: int) -> Any:
        """Returns the compiled step of several devices."""
        key = (batch.shape, micro_batches)
        if key not in self._functions:

            def step(inputs, targets, weight):
                self.compilations += 1  # when the graph is made
                result = self._distribution.run(partial(self._step, micro_batches), inputs, targets, weight)
                return {name: self._distribution.first(value) for name, value in result.items()}

            self._functions[key] = tf.function(step, autograph=False)
        return self._functions[key]

    def _loop(self, batch: Batch, steps: int, micro_batches: int) -> Any:
        """Returns the compiled steps of one device, for arrays with an axis of steps in front."""
        signature = self._signature(batch, steps)
        key = (str(signature), micro_batches)
        if key not in self._functions:

            def loop(inputs, targets, weight):
                self.compilations += 1  # when the graph is made
                if steps == 1:
                    arrays = tf.nest.map_structure(lambda array: array[0], (inputs, targets, weight))
                    return tf.nest.map_structure(lambda x: x[None], self._step(micro_batches, *arrays))

                def one(index):
                    arrays = tf.nest.map_structure(lambda array: array[index], (inputs, targets, weight))
                    return self._step(micro_batches, *arrays)

                wanted = {"loss": tf.float32, "norm": tf.float32}
                return tf.map_fn(one, tf.range(steps), fn_output_signature=wanted, parallel_iterations=1)

            self._functions[key] = tf.function(loop, input_signature=signature, autograph=False)
        return self._functions[key]

    def _signature(self, batch: Batch, steps: int) -> list:
        """Returns the specifications of a loop's arguments, with sizes only where the network or XLA wants them."""
        static = {tensor.name: tuple(tensor.shape) for tensor in self._network.inputs}

        def spec(name: str, array: np.ndarray) -> tf.TensorSpec:
            shape = array.shape if self._jit else static.get(name, (None,) * array.ndim)
            return tf.TensorSpec((steps, *shape), array.dtype)

        inputs, targets = (
            {name: spec(name, array) for name, array in part.items()} for part in (batch.inputs, batch.targets)
        )
        return [inputs, targets, spec("", batch.weight)]

    def _step(self, micro_batches: int, inputs: Any, targets: Any, weight: Any) -> dict[str, Any]:
        """Takes the step on the rows of one device; returns the loss and the gradient norm of the whole batch."""
        sum_over_devices, iterations = self._distribution.sum, self._optimizer.iterations.value
        weights = sum_over_devices(self._loss.weights(targets, weight))
        key = step_key(self._seed, iterations)

        def compute(*asked):
            return sum_over_devices(self._gradients(inputs, targets, weight, weights, key, micro_batches, *asked))

        loss, gradients = self._tricks.step(compute, key)
        norm = tf.linalg.global_norm(gradients)
        with tf.control_dependencies([norm]):  # decay and step number wait too, lest half a step is taken
            self._update(gradients, norm)
        return {"loss": loss, "norm": norm}

    def _gradients(
        self,
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
        rows = tf.shape(weight)[0]
        total_rows = rows * self._distribution.replicas
        first_row = self._distribution.replica() * rows
        divided = self._distribution.replicas > 1 or micro_batches > 1
        variables = self._weights if only is None else [self._weights[only]]

        def part(inputs, targets, weight, first_row):
            draws = Draws(key, first_row, total_rows) if divided else Draws(key)

            def forward(offset, second):
                offsets = {} if offset is None else {self._tricks.table_name: offset}
                with drawing(second_draws(draws) if second else draws), shifting(offsets):
                    return self._network(inputs, training=True)

            chosen = Rows(forward, self._loss, targets, weight, weights)
            with drawing(draws), tf.GradientTape() as tape:
                value, loss = objective(chosen, offset) if along is None else slope(objective, chosen, along)
            gradients = tape.gradient(value, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

        compiled = self._compiled(part)
        if micro_batches == 1:
            return compiled(inputs, targets, weight, first_row)
        size = rows // micro_batches

        def add(index, loss, gradients):
            begin = index * size
            piece = tf.nest.map_structure(lambda array: array[begin : begin + size], (inputs, targets, weight))
            more, new = compiled(*piece, first_row + begin)
            return index + 1, loss + more, [a + b for a, b in zip(gradients, new, strict=True)]

        start = (tf.constant(0), tf.constant(0.0), [tf.zeros(variable.shape) for variable in variables])
        _, loss, gradients = tf.while_loop(lambda index, *_: index < micro_batches, add, start, parallel_iterations=1)
        return loss, gradients

    def _update(self, gradients, norm):
        if self._clip_norm:
            factor = tf.minimum(1.0, self._clip_norm / tf.maximum(norm, 1e-30))
            gradients = [gradient * factor for gradient in gradients]
        self._optimizer.apply(gradients)

    def _compiled(self, function: Any) -> Any:
        return tf.function(function, jit_compile=True, autograph=False) if self._jit else function


def slope(objective: Objective, rows: Rows, along: Any) -> tuple[Any, Any]:
    """Returns the derivative of the objective by t at 0, t * along being added to the table, and the loss to report."""
    with plain_gradients(), tf.GradientTape() as tape:
        t = tf.constant(0.0)
        tape.watch(t)
        value, loss = objective(rows, t * along)
    return tape.gradient(value, t, unconnected_gradients=tf.UnconnectedGradients.ZERO), loss
