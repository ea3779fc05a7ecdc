"""How much memory training will take, estimated before the first step from the sizes of the network and the batch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np

GIB = 2**30


class Cost(NamedTuple):
    """Bytes a token takes for the gradient, by what they grow with."""

    hidden: float  # in each block, per unit of hidden_dim
    ffn: float  # the same per unit of ffn_dim
    score: float  # the same per head and token that can be looked at
    peak: float  # per head and token, but only in the block at work


# By backend and compute dtype, fitted to steps on a CPU; see `estimate`.
_COSTS = {
    ("tensorflow", "float32"): Cost(50, 13, 4, 0),
    ("tensorflow", "bfloat16"): Cost(22, 13, 3, 0),
    ("jax", "float32"): Cost(85, 13, 8, 16),
    ("jax", "bfloat16"): Cost(85, 12, 8, 15),
}
_MOMENTS = {
    "adamw": 2,
    "adam": 2,
    "radam": 2,
    "sgd": 1,
    "lion": 1,
    "rmsprop": 1,
    "adafactor": 1,
}  # numbers kept for each weight
_RECOMPUTED = 1.25  # of a block, while its gradient is computed
_UPDATE_COPIES = 3  # the gradient, clipped, and what the optimizer makes of it
_OUTPUT_COPIES = 8  # float32 numbers that the loss and its gradient keep for each output
_FOLDED = 20  # bytes per unit of hidden_dim, where a head sets out the tokens several times (relations)


@dataclass(frozen=True)
class Estimate:
    """Bytes on one device.

    gradients: with the copies that clipping and the optimizer make. optimizer: moments and averages. activations:
    of encoder and head, kept for the gradient. outputs: of the network, with what the loss keeps of them.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    outputs: int

    @property
    def total(self) -> int:
        """The peak: the gradient is complete only when the activations are gone."""
        return self.weights + self.optimizer + max(self.gradients, self.activations + self.outputs)


def estimate(
    network: keras.Model,
    settings: Any,
    width: int,
    rows: int,
    inputs: Mapping[str, np.ndarray] | None = None,
    micro_batches: int = 1,
) -> Estimate:
    """Returns what training takes on batches of rows x width tokens.

    Args:
        network: with or without a layer that has an `architecture`, as `Backbone`; without, its layers' activations are
            left out. settings: the competition's. width: tokens of the widest batch. rows: of it on one device.
        inputs: such a batch's, for networks with axes beyond rows and tokens, as of subjects; their sizes count.
        micro_batches: parts that the rows are computed in, one after the other.

    What the encoder keeps was fitted to the peaks of steps on a CPU, of 2 to 4 layers, 64 to 512 tokens and 0.2 to 0.9
    GiB (tests/shared/training/memory_peak.py takes them): within 20 % with TensorFlow, 5 % with JAX. Besides, the
    backend itself takes 0.1 to 0.3 GiB. A change to the layers asks for new constants. Whole steps of the competitions
    took 4 to 10 % more than expected. GPUs and TPUs, whose compilers join more operations, may take less. With JAX on a
    CPU `recompute` saves nothing, as its compiler undoes it; the estimate does not know that.
    """
    weights = weight_bytes(network)
    trainable = _bytes(network.trainable_variables)
    moments = _MOMENTS[settings.train.optimizer.kind] + (settings.train.ema_momentum > 0)
    moments += len({"lookahead", "swa"} & set(settings.train.optimizer.wrap))
    rows = math.ceil(rows / micro_batches)
    backbone = next((layer for layer in network.layers if hasattr(layer, "architecture")), None)
    folds = max([inputs[t.name].shape[1] for t in network.inputs if _is_folded(t.shape)] if inputs else [], default=1)
    outputs = sum(4 * _OUTPUT_COPIES * _size(tensor.shape, rows, width, folds) for tensor in network.outputs)
    activations = 0
    if backbone is not None:
        activations = _blocks(backbone, rows, width, settings.hardware.recompute)
        if folds > 1:
            activations += rows * folds * width * backbone.architecture.hidden_dim * _FOLDED
    tricks = settings.train.tricks
    if tricks.r_drop or tricks.adversary in ("virtual", "gradient_penalty"):  # two passes are kept at once
        activations, outputs = 2 * activations, 2 * outputs
    gradients = trainable * (_UPDATE_COPIES + (micro_batches > 1) + (tricks.adversary != "none"))
    return Estimate(weights, gradients, moments * trainable, activations, outputs)


def _blocks(backbone: Any, rows: int, width: int, recompute: bool) -> int:
    """Returns the bytes that all blocks keep; with `recompute` what enters each of them, and all of a single one."""
    this, dtype = backbone.architecture, backbone.compute_dtype
    size = 2 if dtype == "bfloat16" else 4
    cost = _COSTS[keras.config.backend(), "bfloat16" if size == 2 else "float32"]
    looks = this.num_heads * width
    score = cost.score + (size if backbone.attention_dropout else 0)
    block = rows * width * (cost.hidden * this.hidden_dim + cost.ffn * this.ffn_dim + score * looks)
    peak = rows * width * cost.peak * looks
    if this.position == "relative":  # the sinusoids of all pairs of places
        block += width * width * this.hidden_dim // this.num_heads * size
    if recompute:
        return round(_RECOMPUTED * block + peak) + this.num_layers * rows * width * this.hidden_dim * size
    return round(block * this.num_layers + peak)


def weight_bytes(network: keras.Model) -> int:
    """Returns the bytes of all weights of a network."""
    return _bytes(network.variables)


def _bytes(variables: Any) -> int:
    return sum(math.prod(one.shape) * (2 if "16" in str(one.dtype) else 4) for one in variables)


def _is_folded(shape: tuple) -> bool:
    """Whether an input holds an unknown number of things in each row, which the head treats as rows of their own."""
    return len(shape) == 3 and shape[1] is None


def _size(shape: tuple, rows: int, width: int, folds: int) -> int:
    """Returns the numbers in an output: its unknown axes are rows, then perhaps folds, and tokens."""
    unknown = [axis for axis, size in enumerate(shape) if size is None]
    sizes = dict.fromkeys(unknown, folds) | ({unknown[-1]: width} if len(unknown) > 1 else {}) | {0: rows}
    return math.prod(sizes.get(axis, size) for axis, size in enumerate(shape))


def line(estimate: Estimate, available: int | None) -> str:
    """Returns the line to print before the first step. Args: available: bytes, see `available_bytes`; None: unknown."""
    parts = {
        "weights": estimate.weights,
        "optimizer": estimate.optimizer,
        "gradients": estimate.gradients,
        "activations": estimate.activations + estimate.outputs,
    }
    shares = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items())
    there = "" if available is None else f", {_gib(available)} GiB there"
    return f"memory: about {_gib(estimate.total)} GiB ({shares}){there}"


def warning(estimate: Estimate, available: int | None, settings: Any, width: int, rows: int) -> str | None:
    """Returns what to change if the estimate is more than what is there, else None.

    Args: as in `estimate` and `line`; rows and width are named as those of the largest batch.
    """
    if available is None or estimate.total <= available:
        return None
    fixed = estimate.total - estimate.activations - estimate.outputs
    if fixed >= available:
        cures = ["take a smaller model.backbone"] + ["set train.ema_momentum: 0"] * (settings.train.ema_momentum > 0)
    else:
        key = "train.batch_tokens" if settings.train.batch_tokens else "train.batch_size"
        cures = [f"lower {key}", "shorten the longest texts (data.max_length or data.window)"]
        if not settings.hardware.recompute:
            cures.insert(0, "set hardware.recompute: true")
    return (
        f"the largest batch, {rows} rows x {width} tokens, may need {_gib(estimate.total)} GiB, but "
        f"{_gib(available)} GiB are there: {'; '.join(cures)}."
    )


def _gib(size: int) -> str:
    gib = size / GIB
    return f"{gib:.0f}" if gib >= 10 else f"{gib:.1f}" if gib >= 0.1 else f"{gib:.2g}"
