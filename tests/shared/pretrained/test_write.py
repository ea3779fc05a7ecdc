import json

import keras
import numpy as np
import pytest

from shared.backbones.architecture import KINDS, Architecture
from shared.backbones.backbone import Backbone
from shared.errors import UserError
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of
from shared.pretrained.encoder import Encoder, build_encoder
from shared.pretrained.load import load_backbone, load_encoder, weights_of
from shared.pretrained.safetensors_files import read_safetensors
from shared.pretrained.write import FILES, config_of, write_hugging_face
from tests.conftest import to_numpy
from tests.shared.pretrained import altered, published

SIZES = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "max_positions": 16}


def architecture(kind, **options):
    return Architecture.model_validate({"kind": kind, **SIZES, **KINDS[kind], **options})


def backbone(this, condition=False):
    layer = Backbone(this, 20, seed=1, name="backbone")
    ids = keras.Input((None,), dtype="int32")
    layer(ids, ids, condition=keras.Input((3,)) if condition else None)
    return layer


def outputs(encoder, name):
    expected = published.expected(name)
    inputs = {key: expected[key] for key in ("token_ids", "segment_ids", "padding_mask")}
    return {key: to_numpy(value) for key, value in encoder.model(inputs, training=False).items()}, expected


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "albert"])
def test_a_backbone_trained_here_comes_back_bit_for_bit(tmp_path, kind):
    layer = backbone(architecture(kind))
    write_hugging_face(tmp_path / "out", layer)
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES[:2])
    checkpoint = open_checkpoint(tmp_path / "out")
    this, size = architecture_of(checkpoint, kind)
    assert (this, size) == (layer.architecture, 20)
    other = backbone(this)
    load_backbone(other, checkpoint)
    for one, same in zip(layer.weights, other.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(same), err_msg=one.path)


@pytest.mark.parametrize("kind", ["electra", "roformer", "albert"])
def test_factored_embeddings_and_shared_layers_come_back(tmp_path, kind):
    layer = backbone(architecture(kind, embedding_dim=4))
    write_hugging_face(tmp_path / "out", layer)
    assert architecture_of(open_checkpoint(tmp_path / "out")) == (layer.architecture, 20)


def test_albert_zh_is_multiplied_out_and_computes_the_same(tmp_path):
    write_hugging_face(tmp_path / "out", load_encoder(published.FIXTURES / "albert_zh"))
    encoder = load_encoder(tmp_path / "out")
    assert (encoder.architecture.embedding_dim, encoder.architecture.projection) == (24, "after")
    got, expected = outputs(encoder, "albert_zh")
    for key, value in got.items():
        np.testing.assert_allclose(value, expected[key], rtol=0, atol=1e-5, err_msg=key)


def test_roformers_table_of_positions_is_what_transformers_saves(tmp_path):
    name = "roformer.encoder.embed_positions.weight"
    write_hugging_face(tmp_path / "out", load_encoder(published.FIXTURES / "roformer"))
    written = read_safetensors(tmp_path / "out" / "model.safetensors")[name].read()
    np.testing.assert_array_equal(written, published.tensors("roformer")[name])


def test_half_precision_is_written_as_float32_of_the_same_values(tmp_path):
    path = altered.folder(tmp_path / "x", "bert", lambda t: {key: value.astype("float16") for key, value in t.items()})
    write_hugging_face(tmp_path / "out", load_encoder(path))
    name = "bert.encoder.layer.0.attention.self.value.weight"
    tensor = read_safetensors(tmp_path / "out" / "model.safetensors")[name]
    assert tensor.dtype == "float32"
    np.testing.assert_array_equal(tensor.read(), published.tensors("bert")[name].astype("float16"))


def test_the_config_of_a_fixture_says_what_the_reference_said(tmp_path):
    for name in published.NAMES:
        if name == "albert_zh":
            continue
        original = published.config(name)
        this, size = architecture_of(open_checkpoint(published.FIXTURES / name))
        written = config_of(this, size, mlm=True)
        shared = set(written) & set(original) - {"architectures"}
        assert {key: written[key] for key in shared} == {key: original[key] for key in shared}, name
        assert len(shared) > 12


def test_classes_are_named_by_what_the_folder_holds(tmp_path):
    for name, expected in (
        ("bert", "BertForMaskedLM"),
        ("roformer_v2", "RoFormerForMaskedLM"),
        ("electra_discriminator", "ElectraModel"),
    ):
        write_hugging_face(tmp_path / name, load_encoder(published.FIXTURES / name))
        config = json.loads((tmp_path / name / "config.json").read_text(encoding="utf-8"))
        assert config["architectures"] == [expected]


@pytest.mark.parametrize(("name", "expected"), [("bert", "BertTokenizer"), ("wobert", "RoFormerTokenizer")])
def test_vocabulary_and_tokenizer_go_along(tmp_path, name, expected):
    write_hugging_face(tmp_path / "out", load_encoder(published.FIXTURES / name))
    assert (tmp_path / "out/vocab.txt").read_bytes() == (published.FIXTURES / name / "vocab.txt").read_bytes()
    tokenizer = json.loads((tmp_path / "out/tokenizer_config.json").read_text(encoding="utf-8"))
    assert tokenizer == {"tokenizer_class": expected, "do_lower_case": True, "model_max_length": 16}


def test_code_of_a_strangers_tokenizer_is_not_passed_on(tmp_path):
    path = altered.folder(tmp_path / "x", "bert")
    given = {"do_lower_case": False, "auto_map": {"AutoTokenizer": "evil.py"}, "tokenizer_class": "Evil"}
    (path / "tokenizer_config.json").write_text(json.dumps(given), encoding="utf-8")
    write_hugging_face(tmp_path / "out", load_encoder(path))
    tokenizer = json.loads((tmp_path / "out/tokenizer_config.json").read_text(encoding="utf-8"))
    assert tokenizer == {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 16}


def test_what_normalizations_learned_of_a_condition_is_only_dropped_when_told(tmp_path):
    layer = backbone(architecture("roformer"), condition=True)
    with pytest.raises(UserError, match=r"10 weights by which normalizations follow a condition.*drop_condition=True"):
        write_hugging_face(tmp_path / "out", layer)
    assert not (tmp_path / "out").exists()
    write_hugging_face(tmp_path / "out", layer, drop_condition=True)
    plain = backbone(layer.architecture)
    load_backbone(plain, open_checkpoint(tmp_path / "out"))
    for path, weight in weights_of([plain]).items():
        np.testing.assert_array_equal(to_numpy(weight), to_numpy(weights_of([layer])[path]), err_msg=path)


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("bert", {"position": "rotary"}, "bert with position='rotary' cannot be written.*have 'absolute'"),
        ("roformer", {"norm": "rms"}, "norm='rms'"),
        ("roformer_v2", {"bias": True}, "bias=True"),
        ("nezha", {"embedding_dim": 4}, "embedding_dim=4"),
        ("electra", {"num_groups": 1}, "num_groups=1"),
        ("electra", {"embedding_dim": 8}, "embedding_dim=8, as wide as hidden_dim"),
        ("albert", {"num_groups": None}, "name the kind bert"),
    ],
)
def test_an_architecture_that_transformers_has_not_is_refused(kind, options, told):
    with pytest.raises(UserError, match=told):
        config_of(architecture(kind, **options), 20, mlm=False)


def test_a_generator_with_another_activation_is_refused_for_its_head_there_has_gelu():
    this = architecture("electra", activation="relu")
    config_of(this, 20, mlm=False)
    with pytest.raises(UserError, match="activation='relu'"):
        config_of(this, 20, mlm=True)


def test_a_pooler_that_a_kind_has_not_is_refused_and_nothing_is_left(tmp_path):
    this = architecture("electra")
    encoder = Encoder(build_encoder(this, 20, pooler=True), this, 20)
    with pytest.raises(UserError, match="pooler/bias, pooler/kernel: electra has no such weights"):
        write_hugging_face(tmp_path / "out", encoder)
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_of_another_size_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"vocab.txt: 48 tokens, but the embedding has 20 rows"):
        write_hugging_face(tmp_path / "out", backbone(architecture("bert")), published.FIXTURES / "bert/vocab.txt")


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"holds thesis\.txt\. Name a new folder"):
        write_hugging_face(tmp_path, backbone(architecture("bert")))
    with pytest.raises(UserError, match="holds a file"):
        write_hugging_face(tmp_path / "thesis.txt", backbone(architecture("bert")))
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_folder_written_before_is_replaced_even_with_its_own_vocabulary(tmp_path):
    encoder = load_encoder(published.FIXTURES / "bert")
    write_hugging_face(tmp_path / "out", encoder)
    write_hugging_face(tmp_path / "out", load_encoder(tmp_path / "out"))
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(FILES)


def test_numbers_begin_where_readers_can_map_them(tmp_path):
    write_hugging_face(tmp_path / "out", backbone(architecture("bert")))
    start = (tmp_path / "out/model.safetensors").read_bytes()
    assert int.from_bytes(start[:8], "little") % 8 == 0
    header = json.loads(start[8 : 8 + int.from_bytes(start[:8], "little")])
    assert header["__metadata__"] == {"format": "pt"}
