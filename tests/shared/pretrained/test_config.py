import json

import pytest

from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of, has_word_vocabulary
from tests.shared.pretrained import altered, published

BERT = {"num_layers": 3, "hidden_dim": 24, "num_heads": 4, "ffn_dim": 40, "max_positions": 16}
ALBERT = {"embedding_dim": 16, "num_groups": 1, "activation": "gelu_tanh"}
EXPECTED = {
    "bert": {"kind": "bert"},
    "wobert": {"kind": "wobert", "num_layers": 2},
    "electra_discriminator": {"kind": "electra", "embedding_dim": 16},
    "electra_generator": {"kind": "electra", "embedding_dim": 16, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12},
    "albert": {"kind": "albert", "num_layers": 4, **ALBERT},
    "albert_groups": {"kind": "albert", "num_layers": 4, **ALBERT, "num_groups": 2},
    "albert_zh": {"kind": "albert", **ALBERT, "activation": "gelu", "projection": "before"},
    "nezha": {"kind": "nezha", "position": "relative"},
    "roformer": {"kind": "roformer", "position": "rotary"},
    "roformer_v2": {"kind": "roformer_v2", "position": "rotary", "norm": "rms", "bias": False, "activation": "relu"},
}


def read(path, kind=None):
    return architecture_of(open_checkpoint(path), kind)


def refused(path, match, kind=None):
    with pytest.raises(UserError, match=match):
        read(path, kind)


@pytest.mark.parametrize("name", published.NAMES)
def test_hugging_face_configs_are_read(name):
    assert read(published.FIXTURES / name) == (Architecture.model_validate(BERT | EXPECTED[name]), 48)


@pytest.mark.parametrize("name", published.NAMES)
def test_tensorflow_configs_are_read_with_the_kind_where_nothing_tells(tmp_path, name):
    path = published.write_tensorflow(tmp_path / name, name)
    kind = "roformer" if name == "roformer" else None
    assert read(path, kind) == (Architecture.model_validate(BERT | EXPECTED[name]), 48)


def test_nezha_and_roformer_are_not_guessed(tmp_path):
    path = published.write_tensorflow(tmp_path / "x", "roformer")
    refused(path, "NEZHA or RoFormer.*Name the kind: nezha or roformer")
    assert read(path, "nezha")[0].position == "relative"


def test_one_folder_of_electra_has_two_networks_told_apart_by_the_config(tmp_path):
    path = published.write_tensorflow(tmp_path / "x", "electra_discriminator")
    other = path / "base_generator_config.json"
    other.write_text(json.dumps(published.config("electra_generator")), encoding="utf-8")
    assert read(path)[0].hidden_dim == 24
    assert read(other)[0].hidden_dim == 8
    for name, new in (("base_discriminator_config.json", "discriminator.json"), (other.name, "generator.json")):
        (path / name).rename(path / new)
    assert read(path)[0].hidden_dim == 24
    assert read(path / "generator.json")[0].hidden_dim == 8
    for name in ("discriminator.json", "generator.json"):
        (path / name).rename(path / "config.json")
        assert read(path)[0].hidden_dim == (8 if "generator" in name else 24)
        (path / "config.json").unlink()


def test_bert_with_a_vocabulary_of_words_is_wobert_and_may_be_called_either():
    assert read(published.FIXTURES / "wobert")[0].kind == "wobert"
    assert read(published.FIXTURES / "wobert", "bert")[0].kind == "bert"
    assert has_word_vocabulary(published.FIXTURES / "wobert" / "vocab.txt")
    assert not has_word_vocabulary(published.FIXTURES / "bert" / "vocab.txt")


@pytest.mark.parametrize(
    ("name", "kind", "told"),
    [
        ("bert", "albert", "is not albert, but bert or wobert"),
        ("roformer", "roformer_v2", "is not roformer_v2, but roformer"),
        ("albert_zh", "bert", "is not bert, but albert"),
        ("bert", "brt", "kind 'brt' is not known. Did you mean 'bert'?"),
    ],
)
def test_a_wrong_kind_is_told_what_it_is(name, kind, told):
    refused(published.FIXTURES / name, told, kind)


@pytest.mark.parametrize("model_type", ["megatron-bert", "roberta", "gpt2", 3])
def test_models_that_are_not_built_are_refused_by_name(tmp_path, model_type):
    path = altered.folder(tmp_path / "x", "bert", model_type=model_type)
    refused(path, f"config.json: model_type is '?{model_type}'?, which is not built")


@pytest.mark.parametrize(
    ("name", "key", "value", "tensor"),
    [
        ("bert", "vocab_size", 49, "word_embeddings"),
        ("bert", "hidden_size", 32, "query"),
        ("bert", "intermediate_size", 41, "intermediate"),
        ("bert", "type_vocab_size", 3, "token_type"),
        ("bert", "max_position_embeddings", 512, "position_embeddings"),
        ("albert", "embedding_size", 128, "word_embeddings"),
        ("electra_discriminator", "embedding_size", 24, "word_embeddings"),
        ("nezha", "intermediate_size", 41, "intermediate"),
    ],
)
def test_a_size_that_contradicts_the_tensors_is_told_with_both_values(tmp_path, name, key, value, tensor):
    path = altered.folder(tmp_path / "x", name, **{key: value})
    refused(path, rf"config.json: {key} is {value}, but \S*{tensor}\S* has the shape \[")


def test_the_embedding_size_that_some_nezha_configs_state_has_no_meaning(tmp_path):
    path = altered.folder(tmp_path / "x", "nezha", embedding_size=128)
    assert read(path)[0].embedding_dim is None


@pytest.mark.parametrize(
    ("name", "key", "value", "actual"),
    [("bert", "num_hidden_layers", 12, 3), ("bert", "num_hidden_layers", 2, 3), ("albert", "num_hidden_groups", 2, 1)],
)
def test_a_number_of_layers_that_contradicts_the_tensors_is_told_with_both(tmp_path, name, key, value, actual):
    path = altered.folder(tmp_path / "x", name, **{key: value})
    refused(path, f"{key} is {value}, but the tensors have {actual}")


@pytest.mark.parametrize(
    ("model_type", "name"), [("albert", "bert"), ("bert", "nezha"), ("nezha", "electra_generator")]
)
def test_a_kind_that_contradicts_the_tensors_is_told_with_both(tmp_path, model_type, name):
    path = altered.folder(tmp_path / "x", name, model_type=model_type)
    refused(path, f"says {model_type}.*but the tensors are those of {name.split('_')[0]}")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("roformer", "rotary_value", True),
        ("bert", "is_decoder", True),
        ("bert", "add_cross_attention", True),
        ("bert", "position_embedding_type", "relative_key_query"),
        ("albert_zh", "ln_type", "preln"),
        ("albert", "inner_group_num", 2),
        ("bert", "quantization_config", {"bits": 8}),
        ("bert", "pruned_heads", {"0": [1]}),
        ("roformer_v2", "use_bias", True),
        ("roformer", "norm_type", "batch_norm"),
        ("nezha", "use_relative_position", False),
        ("bert", "hidden_act", "mish"),
        ("bert", "hidden_act", ["gelu"]),
    ],
)
def test_an_option_that_is_not_built_is_refused_by_name(tmp_path, name, key, value):
    refused(altered.folder(tmp_path / "x", name, **{key: value}), key)


@pytest.mark.parametrize("value", [0, -1, 24.0, "24", None, True, []])
def test_a_size_that_is_no_positive_integer_is_refused(tmp_path, value):
    refused(
        altered.folder(tmp_path / "x", "bert", num_attention_heads=value),
        "no 'num_attention_heads'|num_attention_heads is",
    )


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("num_attention_heads", 5, "num_heads=5 does not divide"),
        ("layer_norm_eps", 0, "epsilon: "),
        ("layer_norm_eps", "x", "epsilon: "),
    ],
)
def test_values_that_no_encoder_has_are_told_in_one_line(tmp_path, key, value, told):
    refused(altered.folder(tmp_path / "x", "bert", **{key: value}), f"config.json: {told}")


def test_keys_that_are_missing_have_the_value_of_the_tensors_or_the_default_of_the_release(tmp_path):
    gone = dict.fromkeys(
        ("type_vocab_size", "max_position_embeddings", "layer_norm_eps", "hidden_act", "vocab_size", "model_type"), ...
    )
    assert read(altered.folder(tmp_path / "x", "bert", **gone)) == read(published.FIXTURES / "bert")
    assert read(altered.folder(tmp_path / "y", "albert", hidden_act=...))[0].activation == "gelu_tanh"


@pytest.mark.parametrize(
    ("name", "activation"),
    [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("gelu_pytorch_tanh", "gelu_tanh"), ("swish", "silu")],
)
def test_activations_have_many_names(tmp_path, name, activation):
    assert read(altered.folder(tmp_path / "x", "bert", hidden_act=name))[0].activation == activation


def test_epsilon_is_read(tmp_path):
    assert read(altered.folder(tmp_path / "x", "bert", layer_norm_eps=1e-5))[0].epsilon == 1e-5


def test_electra_saved_without_its_family_is_told_by_its_config(tmp_path):
    def bare(tensors):
        return {key.removeprefix("electra."): value for key, value in tensors.items() if key.startswith("electra.")}

    path = altered.folder(tmp_path / "x", "electra_discriminator", bare)
    assert read(path) == read(published.FIXTURES / "electra_discriminator")
