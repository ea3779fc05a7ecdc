"""Results and gradients of a function of tensors, on either backend and by differences in NumPy."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from tests.conftest import to_numpy


def differentiate(
    function: Callable[..., Any], arguments: Sequence[np.ndarray], upstream: np.ndarray, dtype: str = "float32"
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Returns function(*arguments), computed in `dtype`, and the gradient of sum(upstream * it) by each argument."""
    tensors = [ops.convert_to_tensor(argument, dtype) for argument in arguments]
    above = ops.convert_to_tensor(upstream, dtype)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            result = function(*tensors)
        gradients = tape.gradient(result, tensors, above)
    else:
        import jax

        def both(above, *tensors):
            result, back = jax.vjp(function, *tensors)
            return result, back(above)

        result, gradients = jax.jit(both)(above, *tensors)  # as in training: single operations round more often
    return to_numpy(result), [to_numpy(gradient) for gradient in gradients]


def differences(
    function: Callable[..., np.ndarray], arguments: Sequence[np.ndarray], upstream: np.ndarray
) -> list[np.ndarray]:
    """Returns the same gradients of a function of float64 arrays by central differences; right to about 1e-9."""
    copies = [np.array(argument, np.float64) for argument in arguments]
    gradients = [np.empty(copy.shape) for copy in copies]
    for copy, gradient in zip(copies, gradients, strict=True):
        for place in np.ndindex(copy.shape):
            value, ends = copy[place], []
            for step in (1e-5, -1e-5):
                copy[place] = value + step
                ends.append(np.sum(upstream * function(*copies)))
            copy[place] = value
            gradient[place] = (ends[0] - ends[1]) / 2e-5
    return gradients


def rounded(array: np.ndarray) -> np.ndarray:
    """Returns the nearest bfloat16 numbers, as float64."""
    return np.float64(to_numpy(ops.convert_to_tensor(np.float32(array), "bfloat16")))
