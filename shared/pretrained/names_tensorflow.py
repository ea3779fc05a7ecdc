"""Names of the variables in TensorFlow checkpoints.

All releases follow Google's BERT but for these: ALBERT of Google names groups of layers; brightmart's albert_zh shares
one layer and factors the token table; ELECTRA keeps two networks in one checkpoint, of which the generator borrows the
other's tables unless it has some of its own. NEZHA, WoBERT, RoFormer and RoFormerV2 use BERT's names as far as they
have such tensors.
"""

import re
from collections.abc import Collection

from shared.errors import UserError
from shared.pretrained.naming import BlockNames, Naming

GENERATOR, DISCRIMINATOR = "generator/", "electra/"
_TABLE = re.compile(r"(.*?)embeddings/word_embeddings")
_BERT = BlockNames(
    layer="encoder/layer_{}/",
    query="attention/self/query",
    key="attention/self/key",
    value="attention/self/value",
    attention_output="attention/output/dense",
    attention_norm="attention/output/LayerNorm",
    ffn_expand="intermediate/dense",
    ffn_reduce="output/dense",
    ffn_norm="output/LayerNorm",
)
_ALBERT = BlockNames(
    layer="encoder/transformer/group_{}/inner_group_0/",
    query="attention_1/self/query",
    key="attention_1/self/key",
    value="attention_1/self/value",
    attention_output="attention_1/output/dense",
    attention_norm="LayerNorm",
    ffn_expand="ffn_1/intermediate/dense",
    ffn_reduce="ffn_1/intermediate/output/dense",
    ffn_norm="LayerNorm_1",
)
_SHARED = BlockNames(**{**vars(_BERT), "layer": "encoder/layer_shared/"})


def find_naming(names: Collection[str], where: str, generator: bool = False) -> Naming | None:
    """Returns how the variables are named; None if there is no encoder among them.

    Args: names: of all variables. where: named in error messages. generator: which of ELECTRA's networks is meant.
    Raises: UserError if there are several encoders, or the one that is meant is missing.
    """
    prefixes = sorted({match[1] for name in names if (match := _TABLE.fullmatch(name))})
    if not prefixes:
        return None
    electra = {GENERATOR, DISCRIMINATOR} & set(prefixes)
    if electra:
        prefix = GENERATOR if generator else DISCRIMINATOR
        if not any(name.startswith(f"{prefix}encoder/") for name in names):
            other = "discriminator" if generator else "generator"
            raise UserError(
                f"{where}: no '{prefix}encoder/': the checkpoint has no such network. Name the {other}'s config."
            )
        tables = prefix if prefix in prefixes else DISCRIMINATOR
        return _naming(_BERT, prefix, tables, "generator_predictions/" if generator else "")
    if len(prefixes) > 1:
        found = ", ".join(f"'{prefix}'" for prefix in prefixes[:8])
        raise UserError(f"{where}: has {len(prefixes)} encoders, with names after {found}. Expected one.")
    (prefix,) = prefixes
    if any(name.startswith(f"{prefix}encoder/transformer/group_") for name in names):
        block = _ALBERT
    elif any(name.startswith(f"{prefix}encoder/layer_shared/") for name in names):
        block = _SHARED
    else:
        block = _BERT
    return _naming(block, prefix, prefix, "cls/predictions/")


def _naming(block: BlockNames, prefix: str, tables: str, head: str) -> Naming:
    """prefix: of the encoder. tables: of the embeddings. head: of the masked language model; empty: it has none."""
    electra = prefix in (GENERATOR, DISCRIMINATOR)
    transform = head if electra or not head else f"{head}transform/"
    project = f"{prefix}embeddings_project" if electra else f"{prefix}encoder/embedding_hidden_mapping_in"
    return Naming(
        format="tensorflow",
        embeddings=f"{tables}embeddings/",
        block=BlockNames(**{**vars(block), "layer": prefix + block.layer}),
        projection=project,
        pooler="" if electra else f"{prefix}pooler/dense",
        head_dense=head and f"{transform}dense",
        head_norm=head and f"{transform}LayerNorm",
        head_bias=head and f"{head}output_bias",
        table="",
        kernel="/kernel",
        bias="/bias",
        gamma="/gamma",
        beta="/beta",
    )
