"""What the losses of rows are checked against, in float64."""

import keras
import numpy as np

from tests.conftest import to_numpy

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 1.0], [60.0, -60.0, 0.0], [0.2, 0.1, -0.4]])
LABELS = np.array([0, 2, 0, 1, 1])


def softmax(logits: np.ndarray) -> np.ndarray:
    exponents = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def log_p(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The log-probability of each row's label; no logit underflows."""
    highest = logits.max(axis=-1, keepdims=True)
    normalized = logits - highest - np.log(np.exp(logits - highest).sum(axis=-1, keepdims=True))
    return normalized[np.arange(len(labels)), labels]


def tensors(logits: np.ndarray, *more: np.ndarray) -> tuple:
    kinds = {"f": "float32", "i": "int32"}
    return tuple(keras.ops.convert_to_tensor(np.asarray(x, kinds[np.asarray(x).dtype.kind])) for x in (logits, *more))


def gradient(function, logits: np.ndarray) -> np.ndarray:
    """The gradient of the sum of function(logits) by the logits, on the backend in use."""
    (x,) = tensors(logits)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            total = keras.ops.sum(function(x))
        return to_numpy(tape.gradient(total, x))
    import jax

    return to_numpy(jax.grad(lambda x: keras.ops.sum(function(x)))(x))
