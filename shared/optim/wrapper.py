"""What optimizers wrapped around others have in common."""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
from keras import ops


class Optimizer(Protocol):
    """What the engine and wrappers need; Keras optimizers have it, `averages` only if `use_ema`.

    variables: all that a step changes beside the weights, to be saved for resuming. iterations: a Keras variable, steps
    done. learning_rate: of the next step. use_ema: whether `averages` holds an average of the weights.
    """

    use_ema: bool

    @property
    def variables(self) -> list: ...

    @property
    def iterations(self) -> Any: ...

    @property
    def learning_rate(self) -> Any: ...

    @property
    def averages(self) -> list: ...

    def build(self, variables: list) -> None: ...

    def apply(self, gradients: Sequence[Any]) -> None: ...


def value(variable: Any) -> Any:
    """Returns what a variable holds now, as a tensor; nothing is copied. (`convert_to_tensor` returns the variable.)"""
    return ops.stop_gradient(variable)


class Wrapper:
    """An optimizer around another, seen from outside like a Keras optimizer; the base of all, which changes nothing.

    TensorFlow applies to its variables, eagerly, in a tf.function or in a replica of tf.distribute; JAX goes through
    `stateless_apply`. State is made in `build` by `add_variable`.
    """

    def __init__(self, inner: Any):
        self.inner = inner
        self.weights: list = []
        self._own: list = []

    def build(self, variables: list) -> None:
        """Makes the state for these weights, once. Raises: UserError if an option fits none of them."""
        self.inner.build(variables)
        self.weights = list(variables)

    def add_variable(self, reference: Any, name: str) -> Any:
        """Returns a new variable of the state, zeros of the reference's shape and dtype."""
        variable = keras.Variable(
            "zeros",
            shape=reference.shape,
            dtype=reference.dtype,
            trainable=False,
            name=f"{reference.path.replace('/', '_')}_{name}",
        )
        self._own.append(variable)
        return variable

    @property
    def variables(self) -> list:
        """The state of the inner optimizer, then one's own."""
        return [*self.inner.variables, *self._own]

    @property
    def iterations(self) -> Any:
        """Steps done, the inner optimizer's variable."""
        return self.inner.iterations

    @property
    def learning_rate(self) -> Any:
        """Of the next step, before what wrappers make of it."""
        return self.inner.learning_rate

    @property
    def use_ema(self) -> bool:
        """Whether `averages` holds an average of the weights."""
        return self.inner.use_ema

    @property
    def averages(self) -> list:
        """The averaged weights, in the order of the weights."""
        return self.inner.averages

    @property
    def _all_reduce_sum_gradients(self) -> Any:
        """How Keras on TensorFlow sums gradients over devices; the steps, which have done so, switch it off."""
        return self.inner._all_reduce_sum_gradients

    @_all_reduce_sum_gradients.setter
    def _all_reduce_sum_gradients(self, function: Any) -> None:
        self.inner._all_reduce_sum_gradients = function

    def apply(self, gradients: Sequence[Any]) -> None:
        """Takes a step. Args: gradients: one for each weight."""
        self.inner.apply(gradients)

    def stateless_apply(self, optimizer_variables: Sequence[Any], gradients: Sequence[Any], weights: Sequence[Any]):
        """Takes a step on given values, as that of Keras optimizers.

        Returns: new values of the weights, and of `variables`.
        """
        mapping = zip([*self.weights, *self.variables], [*weights, *optimizer_variables], strict=True)
        with keras.StatelessScope(state_mapping=list(mapping)) as scope:
            self.apply(gradients)
        new_weights = [scope.get_current_value(variable) for variable in self.weights]
        return new_weights, [scope.get_current_value(variable) for variable in self.variables]


class DisplacementWrapper(Wrapper):
    """Changes how far some weights move: all that is inside has moved them from old to new, `moved` says where to go.

    Attributes: touched: list of int, the numbers of those weights, set in `build`; the others cost nothing.
    """

    touched: list[int]

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        """Returns the new value of weight number `index`.

        Args: old, new: tensors. step: () integer, the number of this step from 1. rate: () float, its learning rate.
        """
        raise NotImplementedError

    def apply(self, gradients: Sequence[Any]) -> None:
        step, rate = self.iterations + 1, self.learning_rate
        old = {index: value(self.weights[index]) for index in self.touched}
        self.inner.apply(gradients)
        for index, before in old.items():
            weight = self.weights[index]
            weight.assign(self.moved(index, before, value(weight), gradients[index], step, rate))


class AverageWrapper(Wrapper):
    """Keeps an average of the weights, A <- A + share * (theta - A) after each step, ready for use at any time."""

    def build(self, variables: list) -> None:
        super().build(variables)
        self._averages = [self.add_variable(variable, "average") for variable in variables]

    def share(self, step: Any) -> Any:
        """Returns the share of the weights after this step in the average, () float32; step: its number from 1."""
        raise NotImplementedError

    @property
    def use_ema(self) -> bool:
        """There are averages."""
        return True

    @property
    def averages(self) -> list:
        """See `Wrapper`; zeros before the first step."""
        return self._averages

    def apply(self, gradients: Sequence[Any]) -> None:
        share = self.share(self.iterations + 1)
        self.inner.apply(gradients)
        for weight, average in zip(self.weights, self._averages, strict=True):
            average.assign_add((weight - average) * ops.cast(share, average.dtype))
