"""Weights to and from `.safetensors`, checked name by name and shape by shape."""

from pathlib import Path

import keras
import numpy as np
import safetensors
import safetensors.numpy

from shared.errors import UserError
from shared.files import write_bytes


def weights_by_path(network: keras.Model) -> dict[str, keras.Variable]:
    """Returns the network's weights by their path, e.g. `backbone/block_0/attention/qkv_kernel`.

    The state of random generators is not a weight and is left out.
    """
    return {weight.path: weight for weight in network.weights if "seed_generator" not in weight.path}


def save_weights(network: keras.Model, path: Path) -> None:
    """Writes all weights, float32, atomically."""
    arrays = {
        name: np.asarray(keras.ops.convert_to_numpy(weight), np.float32)
        for name, weight in weights_by_path(network).items()
    }
    write_bytes(path, safetensors.numpy.save(arrays))


def load_weights(network: keras.Model, path: Path) -> None:
    """Fills the network. Raises: UserError unless names and shapes agree one to one."""
    try:
        arrays = safetensors.numpy.load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file. Run the train stage first.") from None
    except safetensors.SafetensorError as error:
        raise UserError(f"{path}: damaged ({error}). Run the train stage again.") from None
    weights = weights_by_path(network)
    problems = [f"missing: {name}" for name in weights if name not in arrays]
    problems += [f"unexpected: {name}" for name in arrays if name not in weights]
    problems += [
        f"{name}: shape {arrays[name].shape} in the file, {tuple(weight.shape)} in the model"
        for name, weight in weights.items()
        if name in arrays and arrays[name].shape != tuple(weight.shape)
    ]
    if problems:
        shown = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
        raise UserError(f"{path}: does not fit the model: {shown}. The settings beside it belong to other weights.")
    for name, weight in weights.items():
        weight.assign(arrays[name])
