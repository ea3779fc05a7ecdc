"""A network with embedding tables for the tests of tricks, and the same in NumPy, float64, with exact derivatives."""

import keras
import numpy as np
from keras import ops

from shared.layers.draws import Draws, drawing, step_key
from shared.layers.text_embedding import TextEmbedding
from shared.losses import divergence
from shared.training.batch import Batch
from shared.training.checkpoint import values
from shared.training.engine import Engine
from shared.training.loss import Loss
from tests.conftest import to_numpy
from tests.shared.training import toy
from tests.shared.training.steps import engine_of

WORDS, DIM, LENGTH = 9, 4, 6
TABLE = slice(0, WORDS * DIM)  # of the token table among all weights, one after the other
STEP = 1e-25  # of derivatives by imaginary steps, which lose no digits


def network(dropout: float = 0.0, positions: int = LENGTH) -> keras.Model:
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    embedding = TextEmbedding(
        WORDS, DIM, max_positions=positions, dropout=dropout, epsilon=0.1, initializer_range=0.5, seed=3, name="embed"
    )
    x = embedding(token_ids, ops.zeros_like(token_ids))
    mask = ops.cast(ops.expand_dims(ops.not_equal(token_ids, 0), -1), "float32")
    x = ops.sum(x * mask, axis=1) / ops.sum(mask, axis=1)
    start = keras.initializers.RandomNormal(seed=1)
    logits = keras.layers.Dense(2, kernel_initializer=start, name="out")(x)
    return keras.Model({"token_ids": token_ids}, {"logits": logits})


def _apart(targets, outputs, other, sample_weight):
    return {"rows": ops.sum(divergence.categorical(outputs["logits"], other["logits"]) * sample_weight)}


loss = Loss(toy.loss.weights, toy.loss.sums, _apart)


def batch(rows: int = 5, seed: int = 0) -> Batch:
    rng = np.random.default_rng(seed)
    token_ids = rng.integers(1, WORDS - 1, (rows, LENGTH)).astype(np.int32)  # the last word never occurs
    token_ids[0, -2:] = 0
    weight = np.ones(rows, np.float32)
    weight[-1] = 0.5
    return Batch({"token_ids": token_ids}, {"label": rng.integers(0, 2, rows).astype(np.int32)}, weight)


def engine(dropout: float = 0.0, loss: Loss = loss, **tricks) -> Engine:
    """An engine whose weights are all drawn at random; steps_per_execution 2."""
    settings = toy.train_settings(tricks=tricks, clip_norm=0.0, warmup_share=0.0)
    one = engine_of(network(dropout), loss, settings, 10, steps_per_execution=2)
    rng = np.random.default_rng(5)
    for variable in one.network.trainable_variables:
        variable.assign(to_numpy(variable) + rng.normal(0.0, 0.5, variable.shape))
    return one


def step(engine: Engine, one: Batch) -> tuple[float, np.ndarray]:
    """Takes the first step; returns its loss and the gradient by all weights, one after the other."""
    metrics = engine.run([one])
    gradient = np.concatenate([to_numpy(moment).ravel() for moment in engine.optimizer._momentums]) / 0.1
    np.testing.assert_allclose(to_numpy(metrics["norm"])[0], np.linalg.norm(gradient), rtol=1e-4)
    return float(to_numpy(metrics["loss"])[0]), gradient


class Reference:
    """The network's loss and divergence for any number of weight vectors at once: theta (many, weights)."""

    def __init__(self, engine: Engine, one: Batch):
        weights = values(engine.network.trainable_variables)
        self.shapes = [array.shape for array in weights]
        self.theta = np.concatenate([array.ravel() for array in weights]).astype(np.float64)
        self.batch, self.weight = one, np.float64(one.weight)
        self.drop = engine.network.get_layer("embed").drop

    def masks(self, key_offset: int = 0) -> np.ndarray:
        """What dropout multiplies by in the first step."""
        with drawing(Draws(ops.cast(step_key(0, 0), "uint32") + ops.convert_to_tensor(np.uint32(key_offset)))):
            shape = (*self.batch.inputs["token_ids"].shape, DIM)
            return np.float64(to_numpy(self.drop.multiplier(shape, "float32", True)))

    def log_p(self, theta: np.ndarray, masks: np.ndarray | float = 1.0) -> np.ndarray:
        """Returns (many, rows, 2)."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes])[:-1]
        parts = np.split(theta, ends, axis=1)
        tokens, segments, positions, gamma, beta, kernel, bias = (
            part.reshape(-1, *shape) for part, shape in zip(parts, self.shapes, strict=True)
        )
        ids = self.batch.inputs["token_ids"]
        x = tokens[:, ids] + segments[:, None, None, 0] + positions[:, None]  # (many, rows, length, dim)
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 0.1)
        x = (x * gamma[:, None, None] + beta[:, None, None]) * masks
        share = (ids != 0) / (ids != 0).sum(axis=1, keepdims=True)
        logits = np.einsum("mrld,rl,mdc->mrc", x, share, kernel, optimize=True) + bias[:, None]
        return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))

    def mean(self, of_rows: np.ndarray) -> np.ndarray:
        return (of_rows * self.weight).sum(axis=-1) / self.weight.sum()

    def loss(self, theta: np.ndarray, masks: np.ndarray | float = 1.0) -> np.ndarray:
        """Returns (many,)."""
        label = self.batch.targets["label"]
        return self.mean(-self.log_p(theta, masks)[:, np.arange(len(label)), label])

    def divergence(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Returns (many,), of log probabilities."""
        forward, backward = (np.exp(p) * (p - q)).sum(axis=-1), (np.exp(q) * (q - p)).sum(axis=-1)
        return self.mean((forward + backward) / 2)

    def moved(self, offset: np.ndarray) -> np.ndarray:
        """Returns the weights with an offset on the token table."""
        theta = self.theta.copy()
        theta[TABLE] += offset.ravel()
        return theta


def gradient(function, theta: np.ndarray) -> np.ndarray:
    """Returns the gradient of a function of (many, weights) at theta (weights,)."""
    return function(theta + 1j * STEP * np.eye(len(theta))).imag / STEP


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)
