"""The architecture of a published checkpoint: what its configuration says, held against its tensors."""

import re
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from shared.backbones.architecture import Architecture, Kind
from shared.errors import UserError
from shared.files import read_text
from shared.pretrained.checkpoint import Checkpoint
from shared.pretrained.names import find_naming
from shared.pretrained.naming import Naming
from shared.pretrained.tensors import brief
from shared.settings_errors import did_you_mean
from shared.text.units import has_words

_MODEL_TYPES: dict[str, set[Kind]] = {  # of transformers and JunnYu's packages
    "bert": {"bert", "wobert"},
    "wobert": {"wobert"},
    "electra": {"electra"},
    "albert": {"albert"},
    "nezha": {"nezha"},
    "roformer": {"roformer"},
}
_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_ONLY: dict[str, tuple[Any, str]] = {  # options of which one value is built here, and what the others are
    "rotary_value": (False, "values turned with the queries"),
    "is_decoder": (False, "a decoder"),
    "is_encoder_decoder": (False, "an encoder with a decoder"),
    "add_cross_attention": (False, "attention to another text"),
    "position_embedding_type": ("absolute", "relative positions as in Shaw et al. or T5"),
    "ln_type": ("postln", "normalization before the layers instead of behind them"),
    "inner_group_num": (1, "several blocks in a group"),
    "num_memory_blocks": (0, "memory blocks"),
    "pruned_heads": ({}, "attention without some heads"),
    "quantization_config": (None, "quantized weights"),
}


def architecture_of(checkpoint: Checkpoint, kind: str | None = None) -> tuple[Architecture, int]:
    """Returns the architecture of a checkpoint and the number of its tokens.

    What the configuration leaves out has the default of its release. "gelu" is the exact one, by the error function,
    as in all that was converted from TensorFlow, where the same word meant the approximation by tanh.

    Args: kind: what the user says it is; None: find out.
    Raises: UserError if it is another kind, of no kind that is known here, if nothing tells NEZHA from RoFormer, if
        the configuration asks for what is not built here, or contradicts the tensors.
    """
    naming = find_naming(checkpoint)
    config, where = checkpoint.config, checkpoint.config_file
    chosen = _kind(checkpoint, naming, kind)
    for key, (value, meaning) in _ONLY.items():
        if config.get(key, value) not in (value, None):
            raise UserError(
                f"{where}: {key} is {brief(config[key])}: {meaning}. Expected {value!r}; others are not built."
            )
    reader = _Reader(checkpoint, naming)
    fields: dict[str, Any] = {
        "kind": chosen,
        "hidden_dim": reader.size("hidden_size", naming.block_kernel("query", 0), 0),
        "num_heads": reader.size("num_attention_heads"),
        "ffn_dim": reader.size("intermediate_size", naming.block_kernel("ffn_expand", 0), 0 if naming.transpose else 1),
        "num_layers": reader.size("num_hidden_layers"),
        "segment_count": reader.size("type_vocab_size", naming.segments, 0, default=2),
        "max_positions": reader.size("max_position_embeddings", naming.positions, 0, default=512),
        "activation": _activation(config.get("hidden_act", "gelu_new" if chosen == "albert" else "gelu"), where),
        "epsilon": config.get("layer_norm_eps", 1e-12),
        "initializer_range": config.get("initializer_range", 0.02),
        "num_groups": _groups(reader, naming, chosen),
        **_projection(reader, naming),
    }
    if chosen == "nezha":
        fields |= {"position": "relative", "relative_range": reader.size("max_relative_position", default=64)}
    elif chosen in ("roformer", "roformer_v2"):
        fields["position"] = "rotary"
    if chosen == "roformer_v2":
        fields |= {"norm": "rms", "bias": False}
    reader.count_layers(fields["num_groups"] or fields["num_layers"])
    try:
        return Architecture.model_validate(fields), reader.size("vocab_size", naming.tokens, 0, default=0)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{where}: {f'{key}: ' if key else ''}{first['msg'].removeprefix('Value error, ')}.") from None


def has_word_vocabulary(file: Path) -> bool:
    """Whether a vocab.txt is one of words."""
    return has_words(read_text(file).split("\n"))


class _Reader:
    """Sizes of a configuration, each held against the tensor that has it."""

    def __init__(self, checkpoint: Checkpoint, naming: Naming):
        self.config, self.where, self.tensors = checkpoint.config, checkpoint.config_file, checkpoint.tensors
        self.naming = naming

    def size(self, key: str, tensor: str = "", axis: int = 0, default: int | None = None) -> int:
        """Returns config[key], a positive integer, equal to that size of the tensor if there is such a tensor.

        default: if the key is missing; 0: what the tensor has.
        """
        found = self.shape(tensor)
        actual = found[axis] if len(found) > axis else None
        value = self.config.get(key, default)
        if key not in self.config and actual is not None and default is not None:
            return actual
        if value is None:
            raise UserError(f"{self.where}: no {key!r}. Expected the configuration that belongs to the weights.")
        if type(value) is not int or value < 1:
            raise UserError(f"{self.where}: {key} is {brief(value)}. Expected a positive integer.")
        if actual is not None and actual != value:
            raise UserError(
                f"{self.where}: {key} is {value}, but {tensor} has the shape {list(found)}. Configuration and weights "
                "are not of one release."
            )
        return value

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of a tensor, () if there is none."""
        tensor = self.tensors.get(name)
        return tensor.shape if tensor else ()

    def count_layers(self, expected: int) -> None:
        """Raises: UserError if the tensors have another number of blocks; single missing tensors are the audit's."""
        layer = self.naming.block.layer
        if "{}" not in layer:
            return
        start, stop = map(re.escape, layer.split("{}"))
        pattern = re.compile(f"{start}([0-9]{{1,6}}){stop}")
        found = {int(match[1]) for name in self.tensors if (match := pattern.match(name))}
        if found and max(found) + 1 != expected:
            key = "num_hidden_groups" if "group" in layer else "num_hidden_layers"
            raise UserError(
                f"{self.where}: {key} is {expected}, but the tensors have {max(found) + 1}: the last is "
                f"{layer.format(max(found))[:-1]}. Configuration and weights are not of one release."
            )


def _kind(checkpoint: Checkpoint, naming: Naming, given: str | None) -> Kind:
    """Returns the kind that configuration and tensors agree on, or the given one if it is among those."""
    where = checkpoint.config_file
    if given is not None and given not in get_args(Kind):
        raise UserError(
            f"kind {given!r} is not known.{did_you_mean(given, get_args(Kind))} Expected one of {get_args(Kind)}."
        )
    told, seen = _told(checkpoint.config, where), _seen(checkpoint, naming)
    kinds = seen & told if told else seen
    if not kinds:
        raise UserError(
            f"{where}: says {_names(told)}, but the tensors are those of {_names(seen)}. Configuration and weights are "
            "not of one release."
        )
    if given is not None:
        if given not in kinds:
            raise UserError(f"{checkpoint.path}: is not {given}, but {_names(kinds)}. Name that kind, or auto.")
        return given
    if kinds == {"nezha", "roformer"}:
        raise UserError(
            f"{checkpoint.path}: NEZHA or RoFormer: both store the same tensors, without positions, and {where.name} "
            "does not tell. Name the kind: nezha or roformer."
        )
    if "wobert" in kinds and checkpoint.vocabulary_file and has_word_vocabulary(checkpoint.vocabulary_file):
        return "wobert"
    return "bert" if "bert" in kinds else min(kinds)


def _told(config: dict[str, Any], where: Path) -> set[Kind]:
    """Returns the kinds that the configuration allows; none if it does not tell, as those of TensorFlow releases."""
    model_type = config.get("model_type")
    if model_type is not None and (not isinstance(model_type, str) or model_type not in _MODEL_TYPES):
        raise UserError(
            f"{where}: model_type is {brief(model_type)}, which is not built. Expected one of {list(_MODEL_TYPES)}."
        )
    norm_type, use_bias = config.get("norm_type", "layer_norm"), config.get("use_bias", True)
    if norm_type not in ("layer_norm", "rms_norm") or (norm_type == "rms_norm") == bool(use_bias):
        raise UserError(
            f"{where}: norm_type is {brief(norm_type)} and use_bias is {brief(use_bias)}. Expected layer_norm and "
            "true, or rms_norm and false (RoFormerV2)."
        )
    if norm_type == "rms_norm" and model_type in (None, "roformer"):
        return {"roformer_v2"}
    if config.get("use_relative_position") is True and model_type in (None, "bert", "nezha"):
        return {"nezha"}
    if config.get("use_relative_position") is False and model_type == "nezha":
        raise UserError(f"{where}: use_relative_position is False. Expected True: NEZHA has no other positions here.")
    return _MODEL_TYPES.get(model_type or "", set())


def _seen(checkpoint: Checkpoint, naming: Naming) -> set[Kind]:
    """Returns the kinds that have the tensors of the checkpoint."""
    names, layer = checkpoint.tensors, naming.block.layer
    if "layer_shared" in layer or "group" in layer:
        return {"albert"}
    family = re.split(r"[./]", layer)
    if "electra" in family or "generator" in family:
        return {"electra"}
    if naming.positions in names:
        if naming.projection.endswith("embeddings_project") and f"{naming.projection}{naming.kernel}" in names:
            return {"electra"}
        plain = "bert" not in family and f"{naming.pooler}{naming.kernel}" not in names  # ElectraModel, saved alone
        return {"bert", "wobert", "electra"} if plain else {"bert", "wobert"}
    norm = any(name.startswith(f"{naming.embeddings}LayerNorm") for name in names)
    if not norm:
        return {"roformer_v2"}
    if "nezha" in family or any("relative_positions_encoding" in name for name in names):
        return {"nezha"}
    if "roformer" in family or any("embed_positions" in name for name in names):
        return {"roformer"}
    return {"nezha", "roformer"}


def _groups(reader: _Reader, naming: Naming, kind: Kind) -> int | None:
    if kind != "albert":
        return None
    return reader.size("num_hidden_groups", default=1) if "{}" in naming.block.layer else 1


def _projection(reader: _Reader, naming: Naming) -> dict[str, Any]:
    """Returns embedding_dim and projection by what the file has; the configuration must not contradict."""
    hidden_size, embedding_size = (reader.config.get(key) for key in ("hidden_size", "embedding_size"))
    if reader.config.get("model_type") == "nezha":  # a first release of transformers wrote 128 there, and used no such
        embedding_size = None
    before = naming.projection_before in reader.tensors
    project = f"{naming.projection}{naming.kernel}" in reader.tensors
    shape = reader.shape(naming.tokens)
    if embedding_size is not None and len(shape) == 2:
        reader.size("embedding_size", naming.tokens, 1)
    elif len(shape) == 2 and shape[1] != hidden_size and not (before or project):
        reader.size("hidden_size", naming.tokens, 1)
    if not before and not project and (len(shape) != 2 or shape[1] == hidden_size):
        return {}
    width = shape[1] if len(shape) == 2 else embedding_size
    return {"embedding_dim": width, "projection": "before" if before else "after"}


def _activation(name: Any, where: Path) -> str:
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise UserError(f"{where}: hidden_act is {brief(name)}. Expected one of {list(_ACTIVATIONS)}.")
    return _ACTIVATIONS[name]


def _names(kinds: set[Kind]) -> str:
    return " or ".join(sorted(kinds))
