"""Gradients written by hand, for backends that run one operation after the other."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def with_gradient(function: Callable[..., tuple[Any, Callable[..., Any]]]) -> Callable[..., Any]:
    """Decorates a function that returns (result, gradient function): on TensorFlow that function makes the gradient.

    What is written by hand takes fewer passes over memory, or keeps more digits, than what TensorFlow derives from each
    operation. Elsewhere the compiler fuses the operations anyway, and the derivative of the result is taken as usual.

    The gradient function takes the gradient of the result and returns that of each argument; all arguments are tensors.
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
        return decorated(*map(ops.convert_to_tensor, arguments))

    return call
