import json
import shutil

import ml_dtypes
import numpy as np
import pytest

from shared.arrays import Ragged
from shared.backbones.architecture import KINDS, Architecture
from shared.errors import UserError
from shared.pretrained.encoder import Encoder, build_encoder
from shared.pretrained.load import load_encoder
from shared.pretrained.resize import open_source, require_new, resized_encoder, resized_rows, write_resized
from shared.text.vocabulary import Vocabulary
from shared.text.vocabulary_tools import Change
from tests.conftest import to_numpy
from tests.shared.pretrained import published

SIZES = {"num_layers": 1, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "max_positions": 16}
VARIANTS = {
    **{kind: Architecture(kind=kind, **SIZES, **KINDS[kind]) for kind in ("bert", "nezha", "roformer", "roformer_v2")},
    "albert": Architecture(kind="albert", **SIZES, **{**KINDS["albert"], "embedding_dim": 4}),
    "albert_zh": Architecture(
        kind="albert", **SIZES, **{**KINDS["albert"], "embedding_dim": 4, "projection": "before"}
    ),
    "electra": Architecture(kind="electra", **SIZES, embedding_dim=4),
}


def sources(*rows):
    return Ragged.of(rows, np.int64)


def change_to(*rows):
    return Change([f"t{i}" for i in range(len(rows))], sources(*rows), {})


def run(model, token_ids):
    inputs = {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": np.arange(token_ids.shape[1]) < np.array([[token_ids.shape[1]], [3]]),
    }
    return {name: to_numpy(value) for name, value in model(inputs, training=False).items()}


def randomize(model, rng):
    """Gives every weight values of its own; biases begin with 0."""
    for weight in model.weights:
        weight.assign(rng.normal(size=weight.shape) * 0.3)
    return model


def test_a_row_of_one_source_is_a_copy_and_one_of_several_their_mean(rng):
    table = rng.normal(size=(5, 3)).astype("float32")
    rows = resized_rows(table, sources([4], [0], [1, 2, 2], [4]))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows[[0, 1, 3]], table[[4, 0, 4]])
    np.testing.assert_allclose(rows[2], (table[1] + 2 * table[2]) / 3, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "float64", ml_dtypes.bfloat16])
def test_biases_of_any_float_type_keep_it(dtype):
    bias = np.array([1.0, 2.0, 4.0]).astype(dtype)
    rows = resized_rows(bias, sources([2], [0, 1]))
    assert rows.dtype == bias.dtype
    assert rows.tolist() == [4.0, 1.5]


def test_rows_are_not_a_view_of_the_table(rng):
    table = rng.normal(size=(2, 3))
    resized_rows(table, sources([0], [1]))[:] = 0
    assert table.all()


@pytest.mark.parametrize("rows", [([0], []), ([0], [3]), ([-1],)])
def test_rows_without_a_source_are_refused(rows):
    with pytest.raises(ValueError, match=r"row 1 names no row|but the table has 3 rows"):
        resized_rows(np.zeros((3, 2)), sources(*rows))


@pytest.mark.parametrize("name", VARIANTS)
def test_hidden_states_of_kept_tokens_are_bit_identical(name, rng):
    full = Encoder(randomize(build_encoder(VARIANTS[name], 12, pooler=True, mlm=True), rng), VARIANTS[name], 12)
    kept = np.array([0, 1, 2, 5, 7, 11])
    small = resized_encoder(full, change_to(*kept[:, None]))
    assert small.vocabulary_size == 6
    new_ids = np.array([[2, 3, 4, 5, 1], [2, 5, 5, 0, 0]], np.int32)
    one, other = run(full.model, kept[new_ids].astype(np.int32)), run(small.model, new_ids)
    np.testing.assert_array_equal(other["hidden"], one["hidden"])
    np.testing.assert_array_equal(other["pooled"], one["pooled"])
    # Not bit for bit: the product with a table of another size is blocked in another way.
    np.testing.assert_allclose(other["mlm_logits"], one["mlm_logits"][:, :, kept], atol=1e-5)


def test_added_words_are_the_mean_of_their_characters_in_embedding_and_output_bias(rng):
    architecture = VARIANTS["bert"]
    old = Encoder(randomize(build_encoder(architecture, 6, mlm=True), rng), architecture, 6)
    new = resized_encoder(old, change_to(*[[i] for i in range(6)], [2, 5]))
    before, after = ({weight.path: to_numpy(weight) for weight in each.model.weights} for each in (old, new))
    for path, values in before.items():
        if values.shape == after[path].shape:
            np.testing.assert_array_equal(after[path], values)
            continue
        np.testing.assert_array_equal(after[path][:6], values)
        np.testing.assert_allclose(after[path][6], (values[2] + values[5]) / 2, rtol=1e-6, atol=1e-7)
    assert {path for path in before if before[path].shape != after[path].shape} == {
        "backbone/embedding/token_embedding",
        "mlm_head/bias",
    }


def test_an_encoder_without_heads_stays_without_them():
    architecture = VARIANTS["roformer_v2"]
    small = resized_encoder(Encoder(build_encoder(architecture, 6), architecture, 6), change_to([0], [4]))
    assert list(small.model.output) == ["hidden"]


@pytest.mark.parametrize("name", ["wobert", "electra_generator", "albert", "albert_zh", "roformer_v2"])
def test_a_written_folder_gives_the_hidden_states_of_the_full_checkpoint(tmp_path, name):
    folder = published.FIXTURES / name
    if name == "albert_zh":
        folder = published.write_tensorflow(tmp_path / name, name)
    source = open_source(folder)
    kept = [0, 1, 2, 3, 4, 6, 9, 10, 38]
    tokens = [source.vocabulary.tokens[i] for i in kept]
    report = write_resized(tmp_path / "out", source, Change(tokens, sources(*[[i] for i in kept]), {"x": 1}), {"y": 2})
    full, small = load_encoder(folder), load_encoder(tmp_path / "out")
    assert Vocabulary.load(tmp_path / "out" / "vocab.txt").tokens == tokens
    new_ids = np.array([[2, 5, 6, 7, 3], [2, 8, 3, 0, 0]], np.int32)
    got, expected = run(small.model, new_ids), run(full.model, np.array(kept)[new_ids].astype(np.int32))
    if name == "albert_zh":  # Hugging Face has no such architecture: its factors are multiplied out
        np.testing.assert_allclose(got["hidden"], expected["hidden"], atol=1e-5)
    else:
        assert small.architecture == full.architecture
        np.testing.assert_array_equal(got["hidden"], expected["hidden"])
    assert report == json.loads((tmp_path / "out" / "vocabulary_report.json").read_text(encoding="utf-8"))
    assert report["tokens"] == {"before": 48, "after": 9}
    assert report["parameters"] == {"before": full.model.count_params(), "after": small.model.count_params()}
    assert (report["x"], report["y"], report["checkpoint"]["kind"]) == (1, 2, full.architecture.kind)


def test_a_vocabulary_of_another_size_than_the_embedding_or_none_is_refused(tmp_path):
    folder = tmp_path / "bert"
    shutil.copytree(published.FIXTURES / "bert", folder)
    with open(folder / "vocab.txt", "a", encoding="utf-8") as file:
        file.write("猫\n")
    with pytest.raises(UserError, match=r"vocab\.txt: 49 tokens, but the embedding in .* has 48 rows"):
        open_source(folder)
    (folder / "vocab.txt").unlink()
    with pytest.raises(UserError, match=r"no vocab\.txt"):
        open_source(folder)


def test_what_exists_is_not_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    require_new(tmp_path / "empty")
    require_new(tmp_path / "new" / "folder")
    (tmp_path / "file").touch()
    for taken in (tmp_path, tmp_path / "file"):
        with pytest.raises(UserError, match="exists already"):
            require_new(taken)
