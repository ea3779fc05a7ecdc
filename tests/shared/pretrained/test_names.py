import numpy as np
import pytest

from shared.errors import UserError
from shared.pretrained import names_hugging_face, names_tensorflow
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of
from shared.pretrained.names import Entry, entries, find_naming
from tests.shared.pretrained import altered, published


def theirs(name):
    """Returns the names and shapes that the entries of a fixture ask for."""
    checkpoint = open_checkpoint(published.FIXTURES / name)
    architecture, size = architecture_of(checkpoint)
    found = entries(architecture, size, find_naming(checkpoint))
    return {tensor: entry.their_shape for entry in found for tensor in entry.theirs}


@pytest.mark.parametrize("name", published.NAMES)
def test_every_published_tensor_of_the_encoder_and_its_head_is_named_with_its_shape(name):
    wanted, stored = theirs(name), published.tensors(name)
    heads = ("seq_relationship", "sop_classifier", "discriminator_predictions", "embed_positions")
    expected = {key: value.shape for key, value in stored.items() if not any(head in key for head in heads)}
    absent = {"wobert": "pooler", "roformer": "pooler", "roformer_v2": "pooler"}.get(name, "nothing")
    absent = "generator_" if name == "electra_discriminator" else absent
    assert {key: shape for key, shape in wanted.items() if absent not in key} == expected


@pytest.mark.parametrize("name", [name for name in published.NAMES if name != "albert_zh"])
def test_tensorflow_names_name_the_same_weights(name):
    checkpoint = open_checkpoint(published.FIXTURES / name)
    architecture, size = architecture_of(checkpoint)
    stored = published.tensorflow_tensors(name)
    naming = (
        names_tensorflow.find_naming(stored | {"electra/embeddings/word_embeddings": 0}, "here", True)
        if (name == "electra_generator")
        else names_tensorflow.find_naming(stored, "here")
    )
    heads = ("seq_relationship", "discriminator_predictions")
    expected = {key: value.shape for key, value in stored.items() if not any(head in key for head in heads)}
    found = entries(architecture, size, naming, {"backbone", "pooler", "mlm"})
    got = {tensor: entry.their_shape for entry in found for tensor in entry.theirs}
    assert {key: shape for key, shape in got.items() if key in stored} == expected


def test_a_joined_matrix_asks_for_equal_parts_in_their_orientation():
    entry = Entry("block_0/attention/qkv_kernel", (4, 12), ("q", "k", "v"), transpose=True)
    assert entry.their_shape == (4, 4)
    assert Entry("ffn_expand/kernel", (4, 16), ("e",), transpose=True).their_shape == (16, 4)
    assert Entry("ffn_expand/kernel", (4, 16), ("e",)).their_shape == (4, 16)


@pytest.mark.parametrize(
    ("prefix", "pooler", "head"),
    [
        ("bert.", "bert.pooler.dense", "cls.predictions.bias"),
        ("", "pooler.dense", "cls.predictions.bias"),
        ("module.bert.", "module.bert.pooler.dense", "module.cls.predictions.bias"),
    ],
)
def test_prefixes_are_found_by_looking(prefix, pooler, head):
    tensors = [f"{prefix}embeddings.word_embeddings.weight", f"{prefix}embeddings.token_type_embeddings.weight"]
    naming = names_hugging_face.find_naming(tensors, "here")
    assert (naming.pooler, naming.head_bias) == (pooler, head)
    assert naming.block_kernel("query", 3) == f"{prefix}encoder.layer.3.attention.self.query.weight"


def test_two_encoders_in_one_file_are_refused():
    tensors = [f"{side}.bert.embeddings.word_embeddings.weight" for side in ("query", "passage")]
    with pytest.raises(UserError, match=r"here: has 2 encoders.*'passage\.bert\.', 'query\.bert\.'"):
        names_hugging_face.find_naming(tensors, "here")


def test_the_generator_borrows_tables_unless_it_has_its_own():
    names = ["electra/embeddings/word_embeddings", "electra/encoder/layer_0/x", "generator/encoder/layer_0/x"]
    borrowed = names_tensorflow.find_naming(names, "here", generator=True)
    own = names_tensorflow.find_naming([*names, "generator/embeddings/word_embeddings"], "here", generator=True)
    assert borrowed.tokens == "electra/embeddings/word_embeddings"
    assert own.tokens == "generator/embeddings/word_embeddings"
    assert own.block_kernel("query", 0) == borrowed.block_kernel("query", 0)


def test_a_network_that_the_checkpoint_lacks_is_told():
    names = ["electra/embeddings/word_embeddings", "electra/encoder/layer_0/x"]
    with pytest.raises(UserError, match="no 'generator/encoder/'"):
        names_tensorflow.find_naming(names, "here", generator=True)


def test_tensors_without_an_encoder_are_told(tmp_path):
    path = altered.folder(tmp_path / "x", "bert", lambda tensors: {"fc.weight": np.zeros((2, 2), "float32")})
    with pytest.raises(UserError, match=r"no table of token embeddings among its 1 tensors: 'fc\.weight'"):
        find_naming(open_checkpoint(path))


def test_an_object_based_checkpoint_is_told(tmp_path):
    name = "model/layer_with_weights-0/embeddings/.ATTRIBUTES/VARIABLE_VALUE"
    path = altered.folder(tmp_path / "x", "bert", lambda tensors: {name: np.zeros((2, 2), "float32")})
    with pytest.raises(UserError, match=r"tf\.train\.Checkpoint"):
        find_naming(open_checkpoint(path))
