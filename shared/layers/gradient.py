"""Gradients written by hand, for backends that run one operation after the other."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

_by_hand: ContextVar[bool] = ContextVar("by_hand", default=True)


@contextmanager
def plain_gradients() -> Iterator[None]:
    """Functions that are called in the block have the gradients that the backend derives from each operation.

    For second derivatives: what is written by hand is one derivative, in few passes over memory, not a function to
    derive from again.
    """
    token = _by_hand.set(False)
    try:
        yield
    finally:
        _by_hand.reset(token)


def with_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Decorates a function that returns (result, gradient function): on TensorFlow that function makes the gradient.

    What is written by hand takes fewer passes over memory, or keeps more digits, than what TensorFlow derives from each
    operation. Elsewhere the compiler fuses the operations anyway, and the derivative of the result is taken as usual.

    The gradient function takes the gradient of the result and returns that of each argument; all arguments are tensors.
    Under `plain_gradients` it is not used.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        name = function.__name__.strip("_")  # in the graph, for profiles

        def named(*arguments):
            with tf.name_scope(name):
                result, gradient = function(*arguments)

            def named_gradient(upstream):
                with tf.name_scope(f"{name}_gradient"):
                    return gradient(upstream)

            return result, named_gradient

        custom = ops.custom_gradient(named)

        def decorated(*arguments):
            return custom(*map(tf.convert_to_tensor, arguments))  # variables must not get into it

    else:

        def decorated(*arguments):
            return function(*arguments)[0]

    @functools.wraps(function)
    def call(*arguments):
        tensors = map(ops.convert_to_tensor, arguments)
        return decorated(*tensors) if _by_hand.get() else function(*tensors)[0]

    return call
