"""The command line over the committed checkpoints; parity itself is in tests/shared/pretrained/test_parity.py."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from competitions.sohu2021 import model as sohu
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.task import task
from pipelines import backbone
from shared.pretrained.load import load_encoder
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from shared.training.model_folder import save_model
from tests.conftest import REPOSITORY, to_numpy
from tests.shared.layers.layer_check import randomize
from tests.shared.pretrained import published

BERT = published.FIXTURES / "bert"


@pytest.fixture
def folder(tmp_path):
    """A copy of a checkpoint, to be changed."""
    return published.write_safetensors(tmp_path / "bert", "bert")


def change(folder, **arrays):
    """Replaces or adds tensors of a checkpoint."""
    file = folder / "model.safetensors"
    save_file({**load_file(file), **arrays}, file, metadata={"format": "pt"})


def called(capsys, *arguments):
    """Returns exit status, standard output and standard error."""
    status = backbone.main([str(argument) for argument in arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


def write_ids(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def expected_ids(path, name="bert", fields=("token_ids", "segment_ids", "padding_mask")):
    return write_ids(path, {field: published.expected(name)[field].tolist() for field in fields})


def stored(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def test_inspect_tells_what_is_in_the_files(capsys):
    status, out, _ = called(capsys, "inspect", BERT)
    assert status == 0
    assert "bert, 3 layers x 24, 48 tokens" in out
    assert "60 tensors matched" in out
    assert "masked language model head present, pooler present" in out
    assert "sha256" in out
    assert "4 heads, feed-forward 40 (gelu), absolute positions, 16 of them, layer norm (epsilon 1e-12)" in out


def test_inspect_gives_json(capsys):
    status, out, _ = called(capsys, "inspect", published.FIXTURES / "albert", "--json")
    document = json.loads(out)
    assert status == 0
    assert document["architecture"]["num_groups"] == 1
    assert document["vocabulary_tokens"] == 48
    assert document["audit"]["missing"] == document["audit"]["unexpected"] == []


def test_inspect_builds_no_network():
    code = f"""
import sys
from pipelines import backbone
assert backbone.main(["inspect", {str(BERT)!r}]) == 0
assert not {{"keras", "tensorflow", "jax", "torch"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY, stdout=subprocess.DEVNULL)


def test_a_head_of_another_task_is_reported_and_refused_unless_it_is_given_up(folder, capsys):
    change(folder, **{"classifier.weight": np.zeros((2, 24), "float32"), "classifier.bias": np.zeros(2, "float32")})
    status, out, err = called(capsys, "inspect", folder)
    assert status == 1
    assert "UNEXPECTED: 2: 'classifier.bias', 'classifier.weight'" in out
    assert "classifier.*" in err
    assert called(capsys, "verify", folder)[0] == 1
    assert called(capsys, "inspect", folder, "--ignore", "classifier.*")[0] == 0


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_another_architecture_than_was_named_is_an_error(capsys, command):
    status, _, err = called(capsys, command, BERT, "--kind", "nezha")
    assert status == 1
    assert "nezha" in err


def test_a_folder_that_is_none_and_a_vocabulary_of_another_size_are_named(folder, capsys):
    assert "no/such: no such file or folder" in called(capsys, "inspect", "no/such")[2]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in SPECIAL_TOKENS), encoding="utf-8")
    for command in ("inspect", "verify"):
        status, _, err = called(capsys, command, folder)
        assert status == 1
        assert "vocab.txt: 5 tokens, but the embedding has 48 rows" in err


@pytest.mark.parametrize("name", ["bert", "roformer_v2", "albert"])
def test_verify_tries_the_encoder(capsys, name):
    status, out, _ = called(capsys, "verify", published.FIXTURES / name)
    assert status == 0
    assert out.count(": yes, deviation") == 3
    assert "MLM head: unknown: the vocabulary knows" in out
    assert out.endswith(f"{name}: verified, but its MLM head could not be judged\n")


def test_verify_says_whether_there_is_a_head_and_can_demand_a_trained_one(capsys):
    discriminator = published.FIXTURES / "electra_discriminator"
    status, out, _ = called(capsys, "verify", discriminator)
    assert (status, "MLM head: absent" in out) == (0, True)
    assert out.endswith("verified, but not for stages that need an MLM head\n")
    status, out, err = called(capsys, "verify", discriminator, "--require-mlm-head")
    assert (status, "verified" in out) == (1, False)
    assert f"{discriminator}: no MLM head" in err


def test_verify_without_a_vocabulary_cannot_judge_the_head(folder, capsys):
    (folder / "vocab.txt").unlink()
    assert "MLM head: unknown: without a vocab.txt" in called(capsys, "verify", folder)[1]
    assert called(capsys, "verify", folder, "--require-mlm-head")[0] == 1


@pytest.mark.filterwarnings("ignore:invalid value|overflow:RuntimeWarning")
def test_verify_refuses_weights_whose_outputs_are_not_finite(folder, capsys):
    change(folder, **{"bert.encoder.layer.0.intermediate.dense.weight": np.full((40, 24), 3e38, "float32")})
    status, out, err = called(capsys, "verify", folder)
    assert status == 1
    assert "outputs are finite: NO" in out
    assert "not usable. This does not hold: outputs are finite" in err


def test_convert_writes_a_folder_that_has_the_same_weights(tmp_path, capsys):
    source = published.write_tensorflow(tmp_path / "tensorflow", "bert")
    status, out, _ = called(capsys, "convert", source, tmp_path / "out")
    assert status == 0
    assert "config.json, model.safetensors, tokenizer_config.json, vocab.txt" in out
    got, want = (load_encoder(folder).model for folder in (tmp_path / "out", BERT))
    for one, other in zip(got.weights, want.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other), err_msg=one.path)


def test_convert_leaves_what_is_there_alone(folder, capsys):
    before = (folder / "model.safetensors").read_bytes()
    status, _, err = called(capsys, "convert", BERT, folder)
    assert (status, "exists already" in err) == (1, True)
    assert (folder / "model.safetensors").read_bytes() == before


def trained_folder(path, condition):
    """Saves a model of sohu2021 whose weights are drawn; returns its backbone."""
    sizes = {"kind": "roformer", "num_layers": 1, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "position": "rotary"}
    settings = Settings.model_validate(
        {
            "data": {"max_length": 16},
            "text": {"vocabulary": None, "lowercase": False},
            "model": {"backbone": {"architecture": sizes}, "condition": condition, "condition_dim": 4},
            "train": {"seed": 0, "epochs": 1, "batch_size": 2, "bucket_lengths": [8], "learning_rate": 0.01},
            "hardware": {},
            "evaluate": {},
            "predict": {},
        }
    )
    vocabulary = Vocabulary([*SPECIAL_TOKENS, *"天地玄黄宇宙洪荒"])
    network = sohu.build(settings, vocabulary, {})
    randomize(network)
    save_model(path, network, task, settings, vocabulary, {}, {})
    return network.get_layer("backbone")


@pytest.mark.parametrize("condition", ["cln", "none"])
def test_the_backbone_of_a_trained_model_becomes_a_folder(tmp_path, capsys, condition):
    source = trained_folder(tmp_path / "model", condition)
    if condition == "cln":
        status, _, err = called(capsys, "convert", tmp_path / "model", tmp_path / "out")
        assert status == 1
        assert "follow a condition" in err
        assert "--drop-condition" in err
        assert not (tmp_path / "out").exists()
    flags = ["--drop-condition"] if condition == "cln" else []
    assert called(capsys, "convert", tmp_path / "model", tmp_path / "out", *flags)[0] == 0
    got = load_encoder(tmp_path / "out")
    assert got.architecture == source.architecture
    assert got.tokenizer["do_lower_case"] is False
    assert Vocabulary.load(tmp_path / "out" / "vocab.txt").tokens[-1] == "荒"
    values = {weight.path.partition("backbone/")[2]: to_numpy(weight) for weight in source.weights}
    for weight in got.model.weights:
        np.testing.assert_array_equal(to_numpy(weight), values[weight.path.partition("backbone/")[2]])


def test_a_trained_model_can_be_verified_but_has_to_be_converted_to_be_inspected(tmp_path, capsys):
    trained_folder(tmp_path / "model", "none")
    status, out, _ = called(capsys, "verify", tmp_path / "model")
    assert (status, "MLM head: absent" in out) == (0, True)
    status, _, err = called(capsys, "inspect", tmp_path / "model")
    assert (status, "Convert it first" in err) == (1, True)


@pytest.mark.parametrize("name", ["bert", "electra_generator", "nezha"])
def test_encode_gives_the_outputs_of_the_reference(tmp_path, capsys, name):
    ids, out = expected_ids(tmp_path / "ids.json", name), tmp_path / "made" / "out.npz"
    status, told, _ = called(capsys, "encode", published.FIXTURES / name, "--ids", ids, "--out", out)
    assert status == 0
    got, want = stored(out), published.expected(name)
    assert set(got) == {"hidden", "pooled", "mlm_logits"} & set(want)
    for key, value in got.items():
        assert value.dtype == np.float32
        assert f"{key} {value.shape}" in told
        np.testing.assert_allclose(value, want[key], rtol=0, atol=1e-5, err_msg=key)


def test_encode_pads_ragged_rows_and_leaves_out_what_is_not_asked_for(tmp_path, capsys):
    rows = [[2, 9, 8, 3], [2, 3], *[[2, 7, 3]] * 8]  # more than one batch
    ids = write_ids(tmp_path / "ids.json", {"token_ids": rows, "segment_ids": [[0] * len(row) for row in rows]})
    out = tmp_path / "out.npz"
    assert called(capsys, "encode", BERT, "--ids", ids, "--out", out, "--outputs", "hidden", "pooled")[0] == 0
    got = stored(out)
    assert {name: value.shape for name, value in got.items()} == {"hidden": (10, 4, 24), "pooled": (10, 24)}
    np.testing.assert_allclose(got["hidden"][2], got["hidden"][9], atol=1e-5)
    ids = write_ids(ids, {"token_ids": [[2, 3]]})
    assert called(capsys, "encode", BERT, "--ids", ids, "--out", out)[0] == 0
    np.testing.assert_allclose(stored(out)["hidden"][0], got["hidden"][1, :2], atol=1e-5)


def test_encode_names_the_row_that_is_wrong_and_writes_nothing(tmp_path, capsys):
    ids = write_ids(tmp_path / "ids.json", {"token_ids": [[2, 3], [2, 48]]})
    status, _, err = called(capsys, "encode", BERT, "--ids", ids, "--out", tmp_path / "out.npz")
    assert status == 1
    assert err.startswith(f"{ids}: token_ids[1][1] is 48. Expected an integer from 0 to 47")
    ids = write_ids(ids, {"token_ids": [[2] * 17]})
    assert (
        "token_ids[0] has 17 tokens, the encoder 16 positions"
        in called(capsys, "encode", BERT, "--ids", ids, "--out", tmp_path / "out.npz")[2]
    )
    assert list(tmp_path.iterdir()) == [ids]


def test_encode_says_if_the_checkpoint_has_no_such_output(tmp_path, capsys):
    ids = write_ids(tmp_path / "ids.json", {"token_ids": [[2, 3]]})
    discriminator = published.FIXTURES / "electra_discriminator"
    arguments = ("encode", discriminator, "--ids", ids, "--out", tmp_path / "out.npz", "--outputs", "mlm_logits")
    status, _, err = called(capsys, *arguments)
    assert (status, "has no mlm_logits; it has hidden" in err) == (1, True)


def test_a_file_in_the_folder_may_be_named(tmp_path, capsys):
    folder = published.write_tensorflow(tmp_path / "tensorflow", "bert")
    shutil.copy(BERT / "model.safetensors", folder / "model.safetensors")
    assert "tensorflow: " in called(capsys, "inspect", folder / "model.ckpt-900000")[1]
    assert "safetensors: " in called(capsys, "inspect", folder)[1]


@pytest.mark.parametrize("command", [(), ("inspect",), ("verify",), ("convert",), ("encode",)])
def test_help_has_examples(capsys, command):
    with pytest.raises(SystemExit) as end:
        backbone.main([*command, "--help"])
    assert end.value.code == 0
    assert "python -m pipelines.backbone encode" in capsys.readouterr().out
