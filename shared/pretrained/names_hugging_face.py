"""Names of the tensors in Hugging Face folders.

Seen in what transformers 4.45 and 5.23 and JunnYu's roformer 0.4.3 save, and in the published folders of HFL, Google,
NEZHA, JunnYu: with a prefix of the family (`bert.`), where only the encoder was saved without one, and in the oldest
files with LayerNorm.gamma and beta for weight and bias (`Naming.others`).
"""

import re
from collections.abc import Collection

from shared.backbones.architecture import Kind
from shared.errors import UserError
from shared.pretrained.naming import BlockNames, Naming

FAMILIES = ("bert", "nezha", "roformer", "electra", "albert")
_TABLE = re.compile(r"(.*?)embeddings\.(?:word|token_type)_embeddings\.weight")
_BERT = BlockNames(
    layer="encoder.layer.{}.",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    attention_output="attention.output.dense",
    attention_norm="attention.output.LayerNorm",
    ffn_expand="intermediate.dense",
    ffn_reduce="output.dense",
    ffn_norm="output.LayerNorm",
)
_ALBERT = BlockNames(
    layer="encoder.albert_layer_groups.{}.albert_layers.0.",
    query="attention.query",
    key="attention.key",
    value="attention.value",
    attention_output="attention.dense",
    attention_norm="attention.LayerNorm",
    ffn_expand="ffn",
    ffn_reduce="ffn_output",
    ffn_norm="full_layer_layer_norm",
)


def naming_for(kind: Kind) -> Naming:
    """Returns the names under which transformers looks for an encoder of this kind."""
    family = {"wobert": "bert", "roformer_v2": "roformer"}.get(kind, kind)
    return _naming(family, f"{family}.", "")


def find_naming(names: Collection[str], where: str) -> Naming | None:
    """Returns how the tensors are named; None if there is no encoder among them.

    Args: names: of all tensors. where: named in error messages.
    Raises: UserError if there are several encoders.
    """
    prefixes = sorted({match[1] for name in names if (match := _TABLE.fullmatch(name))})
    if not prefixes:
        return None
    if len(prefixes) > 1:
        found = ", ".join(f"'{prefix}'" for prefix in prefixes[:8])
        raise UserError(f"{where}: has {len(prefixes)} encoders, with names after {found}. Expected one.")
    (prefix,) = prefixes
    *outer, last = prefix.rstrip(".").split(".")
    root = "".join(f"{part}." for part in outer) if last in FAMILIES else ""
    if any(".albert_layer_groups." in f".{name}" for name in names):
        family = "albert"
    elif any(name.startswith((f"{root}generator_", f"{root}discriminator_")) for name in names):
        family = "electra"
    else:
        family = last if last in FAMILIES else "bert"
    return _naming(family, prefix, root, f"{prefix}embeddings_project.weight" in names)


def _naming(family: str, prefix: str, root: str, project: bool = False) -> Naming:
    """prefix: of the encoder. root: of the heads. project: whether the file names ELECTRA's projection."""
    albert = family == "albert" and not project
    block = _ALBERT if family == "albert" else _BERT
    transform = {"albert": "predictions.", "electra": "generator_predictions."}.get(
        family, "cls.predictions.transform."
    )
    output = {"albert": "predictions.", "electra": "generator_lm_head."}.get(family, "cls.predictions.")
    decoder = "" if family == "electra" else "decoder."
    return Naming(
        format="hugging_face",
        embeddings=f"{prefix}embeddings.",
        block=BlockNames(**{**vars(block), "layer": prefix + block.layer}),
        projection=f"{prefix}encoder.embedding_hidden_mapping_in" if albert else f"{prefix}embeddings_project",
        pooler="" if family == "electra" else f"{prefix}pooler" if albert else f"{prefix}pooler.dense",
        head_dense=f"{root}{transform}dense",
        head_norm=f"{root}{transform}LayerNorm",
        head_bias=f"{root}{output}bias",
        table=".weight",
        kernel=".weight",
        bias=".bias",
        gamma=".weight",
        beta=".bias",
        tied_table=f"{root}{output}{decoder}weight",
        tied_bias=f"{root}{output}decoder.bias" if decoder else "",
    )
