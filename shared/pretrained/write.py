"""A model of ours as a Hugging Face folder."""

import json
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shared.backbones.architecture import KINDS, Architecture
from shared.backbones.backbone import Backbone
from shared.errors import UserError
from shared.files import new_folder, read_bytes, write_bytes, write_json
from shared.pretrained.config import has_word_vocabulary
from shared.pretrained.encoder import MLM_HEAD, Encoder
from shared.pretrained.harmless import sinusoids
from shared.pretrained.load import CONDITION, weights_of
from shared.pretrained.names import Entry, entries
from shared.pretrained.names_hugging_face import naming_for
from shared.text.vocabulary import Vocabulary

CONFIG, WEIGHTS, VOCABULARY, TOKENIZER = FILES = (
    "config.json",
    "model.safetensors",
    "vocab.txt",
    "tokenizer_config.json",
)
POSITIONS = "roformer.encoder.embed_positions.weight"
_Row = tuple[str, tuple[int, ...], Callable[[], np.ndarray]]
_CLASSES = {"bert": "Bert", "wobert": "Bert", "electra": "Electra", "albert": "Albert", "nezha": "Nezha"}
_ACTIVATIONS = {"gelu": "gelu", "gelu_tanh": "gelu_new", "relu": "relu", "silu": "silu"}
_TOKENIZERS = ("BertTokenizer", "BertTokenizerFast", "RoFormerTokenizer", "RoFormerTokenizerFast")
_TOKENIZER_KEYS = (  # whatever else a stranger's file has, such as code to be fetched, is not passed on
    *("do_lower_case", "do_basic_tokenize", "strip_accents", "tokenize_chinese_chars", "never_split"),
    *("model_max_length", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"),
)


def write_hugging_face(
    folder: Path,
    model: Encoder | Backbone,
    vocabulary_file: Path | None = None,
    tokenizer: Mapping[str, Any] | None = None,
    drop_condition: bool = False,
) -> None:
    """Writes config.json, model.safetensors and, with a vocabulary, vocab.txt and tokenizer_config.json, or nothing.

    transformers opens the folder with the Auto classes: bert, wobert, electra, albert, roformer with any release, nezha
    up to 4.46. roformer_v2 has the form of JunnYu's package roformer; transformers itself knows no such model and takes
    it for RoFormer. albert_zh is not to be had there; its factors are multiplied out, V x H in place of V x E + E x H
    numbers, and a projection that changes nothing is added, which computes the same but for rounding. All else is read
    back bit for bit.

    Args: folder: new or empty, or such a folder. model: with weights; a Backbone is written without heads.
        vocabulary_file, tokenizer: those of the Encoder if not given. drop_condition: whether normalizations may lose
        what they had learned about a condition, which no published architecture has.
    Raises: UserError if the folder holds other files or cannot be written, if normalizations have a condition, or if
        transformers has no such architecture. ValueError if the model has no weights yet.
    """
    folder = Path(folder)
    others = sorted(file.name for file in folder.iterdir() if file.name not in FILES) if folder.is_dir() else []
    if others or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: holds {', '.join(others[:8]) or 'a file'}. Name a new folder.")
    layers = [model] if isinstance(model, Backbone) else model.model.layers
    weights = weights_of(layers)
    if isinstance(model, Encoder):
        vocabulary_file, tokenizer = vocabulary_file or model.vocabulary_file, tokenizer or model.tokenizer
    if not weights:
        raise ValueError("the model has no weights yet; call or build it first.")
    values = _values(weights, drop_condition)
    architecture, vocabulary_size = model.architecture, model.vocabulary_size
    if architecture.projection == "before" and architecture.embedding_dim:
        architecture = _multiplied_out(architecture, values)
    vocabulary = _vocabulary(vocabulary_file, vocabulary_size)
    mlm = any(layer.name == MLM_HEAD for layer in layers)  # RoFormerV2's head has no weights
    config = config_of(architecture, vocabulary_size, mlm)
    with new_folder(folder) as temporary:
        if vocabulary is not None and vocabulary_file is not None:
            write_bytes(temporary / VOCABULARY, vocabulary)
            words = has_word_vocabulary(vocabulary_file)
            write_json(temporary / TOKENIZER, _tokenizer(tokenizer or {}, architecture, words))
        write_json(temporary / CONFIG, config)
        _write_safetensors(temporary / WEIGHTS, _tensors(architecture, vocabulary_size, values))


def config_of(architecture: Architecture, vocabulary_size: int, mlm: bool) -> dict[str, Any]:
    """Returns the configuration as transformers, and for roformer_v2 JunnYu's package, writes it.

    Args: mlm: whether the weights have a masked language model head.
    Raises: UserError if no published kind has such an architecture.
    """
    this = architecture
    _require_published(this, mlm)
    name = _CLASSES.get(this.kind, "RoFormer")
    config = {
        "architectures": [f"{name}{'ForMaskedLM' if mlm else 'Model'}"],
        "model_type": {"wobert": "bert", "roformer_v2": "roformer"}.get(this.kind, this.kind),
        "vocab_size": vocabulary_size,
        "hidden_size": this.hidden_dim,
        "num_hidden_layers": this.num_layers,
        "num_attention_heads": this.num_heads,
        "intermediate_size": this.ffn_dim,
        "hidden_act": _ACTIVATIONS[this.activation],
        "max_position_embeddings": this.max_positions,
        "type_vocab_size": this.segment_count,
        "layer_norm_eps": this.epsilon,
        "initializer_range": this.initializer_range,
        "hidden_dropout_prob": 0.0 if this.kind == "albert" else 0.1,
        "attention_probs_dropout_prob": 0.0 if this.kind == "albert" else 0.1,
        "pad_token_id": 0,
        "tie_word_embeddings": True,
    }
    if this.kind in ("electra", "albert", "roformer", "roformer_v2"):
        config["embedding_size"] = this.embedding_dim or this.hidden_dim
    if this.kind == "albert":
        config |= {"num_hidden_groups": this.num_groups, "inner_group_num": 1}
    elif this.kind == "nezha":
        config |= {"max_relative_position": this.relative_range, "use_relative_position": True}
    elif this.position == "rotary":
        config |= {"rotary_value": False, "pooler_activation": "tanh"}
    if this.kind == "roformer_v2":
        config |= {"norm_type": "rms_norm", "use_bias": False}
    return config


def _require_published(this: Architecture, mlm: bool) -> None:
    kind = KINDS[this.kind]
    expected: dict[str, Any] = {
        "position": kind.get("position", "absolute"),
        "norm": kind.get("norm", "layer"),
        "bias": kind.get("bias", True),
    }
    if this.kind not in ("electra", "albert", "roformer"):
        expected["embedding_dim"] = None
    if this.kind != "albert":
        expected["num_groups"] = None
    if this.kind == "electra" and mlm:
        expected["activation"] = "gelu"  # which its head there always has
    for key, value in expected.items():
        if getattr(this, key) != value:
            raise UserError(
                f"{this.kind} with {key}={getattr(this, key)!r} cannot be written: published models of this kind have "
                f"{value!r}, and transformers builds no other."
            )
    if this.kind == "albert" and (this.num_groups is None or this.embedding_dim is None):
        raise UserError("albert without num_groups and embedding_dim cannot be written: name the kind bert.")
    if this.kind in ("electra", "roformer") and this.embedding_dim == this.hidden_dim:
        raise UserError(
            f"{this.kind} with embedding_dim={this.embedding_dim}, as wide as hidden_dim, cannot be written: "
            "transformers has no projection then. Leave out embedding_dim."
        )


def _values(weights: dict[str, Any], drop_condition: bool) -> dict[str, Any]:
    """Returns the weights that can be written. Raises: UserError if normalizations have others."""
    conditional = [path for path in weights if path.endswith(CONDITION)]
    if conditional and not drop_condition:
        raise UserError(
            f"{len(conditional)} weights by which normalizations follow a condition ({conditional[0]}, ...) have no "
            "place in a published architecture. Write a model without condition, or give them up with "
            "drop_condition=True: outputs are then those of a condition of zeros."
        )
    return {path: weight for path, weight in weights.items() if path not in conditional}


def _multiplied_out(this: Architecture, values: dict[str, Any]) -> Architecture:
    """Makes ALBERT's values of albert_zh's: table @ kernel as the table, and a projection that changes nothing."""
    table, kernel = (_array(values[f"embedding/{name}"]) for name in ("token_embedding", "projection/kernel"))
    values["embedding/token_embedding"] = table @ kernel
    values["embedding/projection/kernel"] = np.eye(this.hidden_dim, dtype="float32")
    values["embedding/projection/bias"] = np.zeros(this.hidden_dim, "float32")
    return this.model_copy(update={"embedding_dim": this.hidden_dim, "projection": "after"})


def _tensors(architecture: Architecture, vocabulary_size: int, values: dict[str, Any]) -> list[_Row]:
    """Returns name, shape and value of each tensor. Raises: UserError if a weight has no place in this kind."""
    naming = naming_for(architecture.kind)
    found = {entry.ours: entry for entry in entries(architecture, vocabulary_size, naming)}
    rest = sorted(set(values) - set(found))
    if rest:
        raise UserError(f"{', '.join(rest[:8])}: {architecture.kind} has no such weights in transformers.")
    rows: list[_Row] = [
        (name, entry.their_shape, partial(_value, values[path], entry, index))
        for path, entry in found.items()
        if path in values
        for index, name in enumerate(entry.theirs)
    ]
    if architecture.kind == "roformer":  # computed by transformers as well, which yet calls it missing
        shape = (architecture.max_positions, architecture.hidden_dim // architecture.num_heads)
        rows.append((POSITIONS, shape, partial(sinusoids, *shape)))
    return sorted(rows, key=lambda row: row[0])


def _value(weight: Any, entry: Entry, index: int) -> np.ndarray:
    value = _array(weight)
    width = value.shape[-1] // len(entry.theirs)
    value = value[..., index * width : (index + 1) * width]
    return value.T if entry.transpose else value


def _write_safetensors(path: Path, rows: list[_Row]) -> None:
    """Writes the file tensor by tensor, so that the model is not in memory twice. All are float32."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # without which transformers refuses the file
    end = 0
    for name, shape, _ in rows:
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the numbers begin at a multiple of 8
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape, read in rows:
            value = read()
            if value.shape != shape:
                raise ValueError(f"{name} has the shape {value.shape}, expected {shape}")
            file.write(np.ascontiguousarray(value, "<f4").data)
        file.flush()
        os.fsync(file.fileno())


def _array(weight: Any) -> np.ndarray:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(weight), "float32")


def _vocabulary(file: Path | None, vocabulary_size: int) -> bytes | None:
    """Returns the vocabulary's bytes, seen to be one token a row of the embedding. Raises: UserError."""
    if file is None:
        return None
    tokens = len(Vocabulary.load(file))
    if tokens != vocabulary_size:
        raise UserError(f"{file}: {tokens} tokens, but the embedding has {vocabulary_size} rows.")
    return read_bytes(file)


def _tokenizer(given: Mapping[str, Any], this: Architecture, words: bool) -> dict[str, Any]:
    """Returns tokenizer_config.json: what is known of the given one, and the class that cuts as the model expects."""
    kept = {key: given[key] for key in _TOKENIZER_KEYS if key in given}
    known = given.get("tokenizer_class")
    name = known if known in _TOKENIZERS else "RoFormerTokenizer" if words else "BertTokenizer"
    longest = {"model_max_length": this.max_positions} if this.position == "absolute" else {}
    return {"tokenizer_class": name, "do_lower_case": True, **longest, **kept}
