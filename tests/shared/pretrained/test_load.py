import keras
import ml_dtypes
import numpy as np
import pytest

from shared.backbones.backbone import Backbone
from shared.errors import UserError
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of
from shared.pretrained.load import CONDITION, load_backbone, load_encoder, weights_of
from tests.conftest import to_numpy
from tests.shared.pretrained import altered, published


def built(name, condition=False, vocabulary_size=48, **options):
    """Returns a backbone with drawn weights and an architecture as the fixture's, and the checkpoint."""
    checkpoint = open_checkpoint(published.FIXTURES / name)
    layer = Backbone(architecture_of(checkpoint)[0], vocabulary_size, seed=1, name="backbone", **options)
    inputs = [keras.Input((None,), dtype=dtype) for dtype in ("int32", "int32", "bool")]
    vector = keras.Input((5,)) if condition else None
    output = layer(*inputs, condition=vector)
    return layer, checkpoint, keras.Model([*inputs, *([vector] if condition else [])], output)


def outputs(model, name, *more):
    expected = published.expected(name)
    inputs = [expected[key] for key in ("token_ids", "segment_ids", "padding_mask")]
    return to_numpy(model([*inputs, *more], training=False)), expected["hidden"]


@pytest.mark.parametrize("name", published.NAMES)
def test_a_backbone_in_a_model_of_ours_gives_the_hidden_states_of_the_checkpoint(name):
    layer, checkpoint, model = built(name)
    assert load_backbone(layer, checkpoint, layer.architecture).missing == ()
    got, expected = outputs(model, name)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["roformer", "roformer_v2", "albert_zh"])
def test_a_conditional_backbone_starts_as_the_checkpoint_whatever_the_condition(name, rng):
    layer, checkpoint, model = built(name, condition=True)
    assert any(weight.path.endswith(CONDITION) for weight in layer.weights)
    load_backbone(layer, checkpoint)
    got, expected = outputs(model, name, rng.normal(size=(3, 5)).astype("float32"))
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "albert", "electra_generator", "roformer_v2"])
def test_no_weight_keeps_what_it_had(name):
    """A second encoder, filled with other numbers before, becomes equal."""
    first = load_encoder(published.FIXTURES / name)
    layer, checkpoint, _ = built(name)
    for weight in layer.weights:
        weight.assign(np.full(weight.shape, 0.5))
    load_backbone(layer, checkpoint)
    expected = weights_of([first.model.get_layer("backbone")])
    for path, weight in weights_of([layer]).items():
        np.testing.assert_array_equal(to_numpy(weight), to_numpy(expected[path]), err_msg=path)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-5), ("float16", 0.02), (ml_dtypes.bfloat16, 0.2)], ids=str
)
def test_other_float_types_become_float32(tmp_path, dtype, tolerance):
    path = altered.folder(tmp_path / "x", "bert", lambda tensors: {k: v.astype(dtype) for k, v in tensors.items()})
    encoder = load_encoder(path)
    assert encoder.audit.dtypes == {np.dtype(dtype).name: 60}
    assert {weight.dtype for weight in encoder.model.weights} == {"float32"}
    expected = published.expected("bert")
    got = encoder.model({key: expected[key] for key in ("token_ids", "segment_ids", "padding_mask")})
    np.testing.assert_allclose(to_numpy(got["hidden"]), expected["hidden"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_that_float32_has_not_are_refused(tmp_path, value):
    name = "bert.encoder.layer.1.attention.self.key.weight"

    def change(tensors):
        tensors[name] = tensors[name].astype("float64")
        tensors[name][3, 3] = value

    path = altered.folder(tmp_path / "x", "bert", change)
    with pytest.raises(UserError, match=rf"model.safetensors: '{name}' holds NaN or infinity"):
        load_encoder(path)
    layer, _, _ = built("bert")
    with pytest.raises(UserError, match="holds NaN or infinity"):
        load_backbone(layer, open_checkpoint(path))
    layer, _, _ = built("bert")  # drawn as before: what `load_encoder` did to layers is over
    assert to_numpy(layer.embedding.token_table).std() > 0.01


def test_a_vocabulary_of_another_size_is_refused(tmp_path):
    path = altered.folder(tmp_path / "x", "bert")
    with (path / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("新\n")
    with pytest.raises(UserError, match=r"vocab.txt: 49 tokens, but the embedding has 48 rows"):
        load_encoder(path)


def test_a_vocabulary_with_the_line_ends_of_windows_has_the_same_tokens(tmp_path):
    path = altered.folder(tmp_path / "x", "bert")
    (path / "vocab.txt").write_bytes((path / "vocab.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert load_encoder(path).vocabulary_size == 48


def test_a_vocabulary_with_a_token_twice_is_refused(tmp_path):
    path = altered.folder(tmp_path / "x", "bert")
    text = (path / "vocab.txt").read_text(encoding="utf-8").replace("[unused1]", "的")
    (path / "vocab.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="'的' stands here and at line"):
        load_encoder(path)


def test_a_backbone_with_another_vocabulary_is_told_both_sizes():
    layer, checkpoint, _ = built("bert", vocabulary_size=50)
    with pytest.raises(UserError, match=r"word_embeddings.weight' is \[48, 24\], the model has \[50, 24\]"):
        load_backbone(layer, checkpoint)


def test_a_layer_without_weights_or_of_another_architecture_is_our_slip():
    layer, checkpoint, _ = built("bert")
    with pytest.raises(ValueError, match=r"backbone is .*, the checkpoint"):
        load_backbone(layer, checkpoint, layer.architecture.model_copy(update={"epsilon": 1e-5}))
    with pytest.raises(ValueError, match="no weights yet"):
        load_backbone(Backbone(layer.architecture, 48), checkpoint)


def test_a_head_of_another_task_is_refused_before_anything_is_built(tmp_path):
    extra = {"classifier.weight": np.zeros((2, 24), "float32")}
    path = altered.folder(tmp_path / "x", "bert", lambda tensors: tensors | extra)
    with pytest.raises(UserError, match="classifier"):
        load_encoder(path)
    assert load_encoder(path, ignore=["classifier.*"]).audit.ignored == ("classifier.weight",)


def test_an_encoder_brings_its_vocabulary_and_tokenizer_settings(tmp_path):
    path = altered.folder(tmp_path / "x", "bert")
    (path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    encoder = load_encoder(path, checksum=False)
    assert encoder.vocabulary_file == path / "vocab.txt"
    assert encoder.tokenizer == {"do_lower_case": False}
    assert encoder.audit.sha256 == {}


def test_heads_that_may_be_lost_are_not_built():
    encoder = load_encoder(published.FIXTURES / "bert", ignore=["cls.*"])
    assert set(encoder.model.output) == {"hidden", "pooled"}
