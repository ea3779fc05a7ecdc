"""Tensors of published checkpoints that no weight of ours is made of, and why none is missed."""

import re

import numpy as np

from shared.pretrained.checkpoint import Checkpoint
from shared.pretrained.naming import Naming
from shared.pretrained.tensors import Tensor

_SLOT = re.compile(
    r"(.+)/(?:adam_[mv]|lamb_[mv]|Adam|Adam_1|AdamWeightDecayOptimizer|AdamWeightDecayOptimizer_1|LAMBOptimizer"
    r"|LAMBOptimizer_1|accum_grad|Momentum)"
)
_REASONS = (
    (r"global_step|beta[12]_power|good_steps|loss_scale|current_loss_scale|save_counter", "a counter of the training"),
    (r"(.*[./])?embeddings\.(position|token_type)_ids", "a list of places: 0, 1, 2 ..."),
    (r".*\.relative_positions_encoding\..*", "sinusoids, computed here"),
    (r"(.*[./])?cls[./]seq_relationship[./].+", "the head that told next sentences"),
    (r"(.*\.)?sop_classifier\.classifier\..+", "the head that told the order of sentences"),
    (r"(.*[./])?discriminator_predictions[./].+", "the head that told replaced tokens"),
)
_PATTERNS = tuple((re.compile(pattern), reason) for pattern, reason in _REASONS)
_POSITIONS = re.compile(r"(.*\.)?encoder\.embed_positions\.weight")
_NETWORKS = {  # of ELECTRA's checkpoints, by the start of the names; the tables are the discriminator's
    "generator/": ("electra/", "discriminator_predictions/"),
    "electra/": ("generator/", "generator_predictions/"),
}


def reason(checkpoint: Checkpoint, naming: Naming, tensor: Tensor) -> str | None:
    """Returns why a tensor that makes no weight is not missed, or None if nothing is known of it.

    RoFormer's table of sinusoids is read: a table that was trained would be missed.
    """
    name = tensor.name
    slot = _SLOT.fullmatch(name)
    if slot and slot[1] in checkpoint.tensors:
        return "a variable of the optimizer"
    for pattern, text in _PATTERNS:
        if pattern.fullmatch(name):
            return text
    for own, others in _NETWORKS.items():
        if naming.format == "tensorflow" and naming.block.layer.startswith(own) and name.startswith(others):
            return "of the checkpoint's other network"
    if _POSITIONS.fullmatch(name) and len(tensor.shape) == 2 and _is_sinusoid(tensor):
        return "sinusoids, computed here"
    return None


def sinusoids(places: int, dim: int) -> np.ndarray:
    """Returns RoFormer's table as transformers keeps it, (places, dim) float32: sin(p / w_i), then cos(p / w_i) for
    place p and w_i = 10000^(2 i / dim).
    """
    angles = np.arange(places)[:, None] / np.power(10000.0, 2 * np.arange(dim // 2) / dim)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")


def _is_sinusoid(tensor: Tensor) -> bool:
    places, dim = tensor.shape
    if tensor.size > 1 << 24 or dim % 2:
        return False
    difference = tensor.read().astype("float32") - sinusoids(places, dim)
    return bool(np.abs(difference).max(initial=0) < 0.01)  # bfloat16 has 2 to 3 digits
