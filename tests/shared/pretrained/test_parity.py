"""Every published architecture in every published format gives the numbers of its reference implementation.

tests/data/backbones/make_fixtures.py tells which release made which numbers. They were computed in float32, as here, so
that two right implementations differ by rounding, 1e-6 at values of about 3; the smallest of the mistakes that were
tried (another epsilon) moves them by 4e-5.
"""

import shutil
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from shared.pretrained.load import load_encoder
from shared.pretrained.safetensors_files import read_safetensors
from shared.pretrained.write import write_hugging_face
from tests.conftest import to_numpy
from tests.shared.pretrained import published
from tests.shared.pretrained.torch_writer import write_stream, write_zip

TOLERANCE = 1e-5
UNTOLD = {"roformer"}  # its bert_config.json and variables could be NEZHA's


def write_torch(folder: Path, name: str) -> Path:
    published.start_folder(folder, name)
    write_zip(folder / "pytorch_model.bin", OrderedDict(published.torch_tensors(name)))
    return folder


def write_old_torch(folder: Path, name: str) -> Path:
    published.start_folder(folder, name)
    write_stream(folder / "pytorch_model.bin", OrderedDict(published.torch_tensors(name, old_names=True)))
    return folder


WRITERS = {
    "safetensors": published.write_safetensors,
    "sharded": published.write_sharded,
    "torch": write_torch,
    "torch_legacy": write_old_torch,
    "tensorflow": published.write_tensorflow,
}
CASES = [(name, form) for name in published.NAMES for form in WRITERS if name != "albert_zh" or form == "tensorflow"]


def load(folder: Path, name: str, form: str):
    kind = name if form == "tensorflow" and name in UNTOLD else None
    return load_encoder(folder, kind=kind)


def run(encoder, expected, prefix=""):
    """Returns the outputs for the inputs that are stored with those of the reference."""
    inputs = {key: expected[prefix + key] for key in ("token_ids", "segment_ids", "padding_mask")}
    return {key: to_numpy(value) for key, value in encoder.model(inputs, training=False).items()}


@pytest.mark.parametrize(("name", "form"), CASES, ids=map("-".join, CASES))
def test_hidden_states_pooled_output_and_logits_equal_the_reference(tmp_path, name, form):
    encoder = load(WRITERS[form](tmp_path / name, name), name, form)
    expected = published.expected(name)
    got = run(encoder, expected)
    assert set(got) == {"hidden", "pooled", "mlm_logits"} & set(expected)
    for key, value in got.items():
        np.testing.assert_allclose(value, expected[key], rtol=0, atol=TOLERANCE, err_msg=key)


@pytest.mark.parametrize("name", ["nezha", "roformer", "roformer_v2"])
def test_lengths_beyond_training_equal_the_reference(name):
    expected = published.expected(name)
    assert expected["long_token_ids"].shape[1] > 4 * published.config(name)["max_position_embeddings"]
    got = run(load_encoder(published.FIXTURES / name), expected, "long_")
    np.testing.assert_allclose(got["hidden"], expected["long_hidden"], rtol=0, atol=TOLERANCE)


def test_lengths_beyond_a_table_of_positions_are_refused():
    encoder = load_encoder(published.FIXTURES / "bert")
    inputs = published.expected("nezha")
    with pytest.raises(ValueError, match="max_positions"):
        run(encoder, inputs, "long_")


@pytest.mark.parametrize("file", ["torch_zip.bin", "torch_legacy.bin"])
def test_files_that_torch_wrote_equal_the_reference(tmp_path, file):
    folder = published.start_folder(tmp_path / "generator", "electra_generator")
    shutil.copy(published.FIXTURES / "electra_generator" / file, folder / "pytorch_model.bin")
    expected = published.expected("electra_generator")
    got = run(load_encoder(folder), expected)
    np.testing.assert_allclose(got["mlm_logits"], expected["mlm_logits"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("name", [name for name in published.NAMES if name != "albert_zh"])
def test_what_is_read_and_written_comes_back_bit_for_bit(tmp_path, name):
    encoder = load_encoder(published.FIXTURES / name)
    write_hugging_face(tmp_path / "out", encoder)
    before, after = published.tensors(name), read_safetensors(tmp_path / "out" / "model.safetensors")
    heads = ("cls.seq_relationship.", "sop_classifier.", "discriminator_predictions.")
    assert set(after) == {key for key in before if not key.startswith(heads)}
    for key, tensor in after.items():
        assert tensor.read().tobytes() == before[key].tobytes(), key
    again = load_encoder(tmp_path / "out")
    for one, other in zip(encoder.model.weights, again.model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other), err_msg=one.path)


def test_what_transformers_lacks_is_written_as_what_computes_the_same(tmp_path):
    folder = published.write_tensorflow(tmp_path / "in", "albert_zh", slots=("lamb_m", "lamb_v"))
    write_hugging_face(tmp_path / "out", load_encoder(folder))
    expected = published.expected("albert_zh")
    got = run(load_encoder(tmp_path / "out"), expected)
    for key, value in got.items():
        np.testing.assert_allclose(value, expected[key], rtol=0, atol=TOLERANCE, err_msg=key)
