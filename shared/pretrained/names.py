"""Which published tensors make which weight of ours."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.pretrained import names_hugging_face, names_tensorflow
from shared.pretrained.checkpoint import Checkpoint
from shared.pretrained.naming import Naming
from shared.pretrained.tensors import brief

Part = Literal["backbone", "pooler", "mlm"]
PARTS: tuple[Part, ...] = ("backbone", "pooler", "mlm")
_OBJECT_BASED = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True)
class Entry:
    """One weight of ours.

    ours: its path; of the backbone's relative to that layer, of the heads from their name on. shape: of the weight.
    theirs: tensors that make it, joined along the last axis, each transposed before where `transpose`.
    """

    ours: str
    shape: tuple[int, ...]
    theirs: tuple[str, ...]
    transpose: bool = False

    @property
    def their_shape(self) -> tuple[int, ...]:
        """Shape of each of the published tensors."""
        *first, last = self.shape
        shape = (*first, last // len(self.theirs))
        return shape[::-1] if self.transpose else shape


def find_naming(checkpoint: Checkpoint) -> Naming:
    """Returns how a checkpoint names its tensors.

    Raises: UserError if there is no encoder in it, or several.
    """
    where, names = str(checkpoint.path), checkpoint.tensors
    if checkpoint.format == "tensorflow":
        naming = names_tensorflow.find_naming(names, where, _is_generator(checkpoint))
    else:
        naming = names_hugging_face.find_naming(names, where)
    # A TensorFlow checkpoint whose tensors somebody has put into another format, names and all.
    naming = naming or names_tensorflow.find_naming(names, where, _is_generator(checkpoint))
    if naming is None:
        found = brief(", ".join(sorted(names)))
        if any(name.endswith(_OBJECT_BASED) for name in names):
            advice = "It was saved by tf.train.Checkpoint, whose names no release shares; look for one in another form."
        else:
            advice = "Expected BERT, ELECTRA, ALBERT, NEZHA, RoFormer or a relative, with the names of its release."
        raise UserError(f"{where}: no table of token embeddings among its {len(names)} tensors: {found}. {advice}")
    return naming


def entries(
    architecture: Architecture, vocabulary_size: int, naming: Naming, parts: Collection[Part] = PARTS
) -> list[Entry]:
    """Returns the weights of the parts with the tensors that make them; parts that the release has not are left out."""
    found: list[Entry] = []
    if "backbone" in parts:
        found += _embedding(architecture, vocabulary_size, naming)
        for index in range(architecture.num_groups or architecture.num_layers):
            found += _block(architecture, naming, index)
    hidden_dim = architecture.hidden_dim
    if "pooler" in parts and naming.pooler:
        found += _dense("pooler", (hidden_dim, hidden_dim), naming.pooler, naming)
    if "mlm" in parts and naming.head_dense and architecture.norm == "layer":
        width = architecture.hidden_dim
        if architecture.projection == "after":
            width = architecture.embedding_dim or width
        found += _dense("mlm_head/dense", (hidden_dim, width), naming.head_dense, naming)
        found += _norm("mlm_head/norm", width, naming.head_norm, naming)
        found.append(Entry("mlm_head/bias", (vocabulary_size,), (naming.head_bias,)))
    return found


def _embedding(this: Architecture, vocabulary_size: int, naming: Naming) -> list[Entry]:
    token_dim = this.embedding_dim or this.hidden_dim
    before = this.embedding_dim is not None and this.projection == "before"
    width = this.hidden_dim if before else token_dim
    found = [
        Entry("embedding/token_embedding", (vocabulary_size, token_dim), (naming.tokens,)),
        Entry("embedding/segment_embedding", (this.segment_count, width), (naming.segments,)),
    ]
    if this.position == "absolute":
        found.append(Entry("embedding/position_embedding", (this.max_positions, width), (naming.positions,)))
    if this.norm == "layer":
        found += _norm("embedding/norm", width, f"{naming.embeddings}LayerNorm", naming)
    if before:
        shape = (token_dim, this.hidden_dim)
        found.append(Entry("embedding/projection/kernel", shape, (naming.projection_before,)))
    elif this.embedding_dim is not None:
        found += _dense("embedding/projection", (token_dim, this.hidden_dim), naming.projection, naming)
    return found


def _block(this: Architecture, naming: Naming, index: int) -> list[Entry]:
    names, ours, hidden_dim = naming.block, f"block_{index}", this.hidden_dim
    start = names.layer.format(index)
    joined = [start + part for part in (names.query, names.key, names.value)]
    joined_shape = (hidden_dim, 3 * hidden_dim)
    kernels = tuple(name + naming.kernel for name in joined)
    found = [Entry(f"{ours}/attention/qkv_kernel", joined_shape, kernels, naming.transpose)]
    output = start + names.attention_output
    kernel = Entry(
        f"{ours}/attention/output_kernel", (hidden_dim, hidden_dim), (output + naming.kernel,), naming.transpose
    )
    found.append(kernel)
    if this.bias:
        biases = tuple(name + naming.bias for name in joined)
        found.append(Entry(f"{ours}/attention/qkv_bias", joined_shape[1:], biases))
        found.append(Entry(f"{ours}/attention/output_bias", (hidden_dim,), (output + naming.bias,)))
    shape = (hidden_dim, this.ffn_dim)
    found += _dense(f"{ours}/ffn_expand", shape, start + names.ffn_expand, naming, this.bias)
    found += _dense(f"{ours}/ffn_reduce", shape[::-1], start + names.ffn_reduce, naming, this.bias)
    if this.norm == "layer":
        found += _norm(f"{ours}/attention_norm", hidden_dim, start + names.attention_norm, naming)
        found += _norm(f"{ours}/ffn_norm", hidden_dim, start + names.ffn_norm, naming)
    return found


def _dense(ours: str, shape: tuple[int, int], theirs: str, naming: Naming, bias: bool = True) -> list[Entry]:
    found = [Entry(f"{ours}/kernel", shape, (theirs + naming.kernel,), naming.transpose)]
    return [*found, Entry(f"{ours}/bias", shape[1:], (theirs + naming.bias,))] if bias else found


def _norm(ours: str, width: int, theirs: str, naming: Naming) -> list[Entry]:
    return [
        Entry(f"{ours}/gamma", (width,), (theirs + naming.gamma,)),
        Entry(f"{ours}/beta", (width,), (theirs + naming.beta,)),
    ]


def _is_generator(checkpoint: Checkpoint) -> bool:
    """Whether the configuration is that of ELECTRA's generator: by its name, or by the width that only this one has."""
    name = checkpoint.config_file.name.lower()
    if "generator" in name or "discriminator" in name:
        return "discriminator" not in name
    widths = {
        prefix: _width(checkpoint, f"{prefix}encoder/layer_0/attention/self/query/kernel")
        for prefix in (names_tensorflow.GENERATOR, names_tensorflow.DISCRIMINATOR)
    }
    hidden: Any = checkpoint.config.get("hidden_size")
    return widths[names_tensorflow.GENERATOR] == hidden and widths[names_tensorflow.DISCRIMINATOR] != hidden


def _width(checkpoint: Checkpoint, name: str) -> int | None:
    tensor = checkpoint.tensors.get(name)
    return tensor.shape[-1] if tensor and tensor.shape else None
