import itertools
import json
import math
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import safetensors.numpy

from competitions.sohu2021 import model as sohu
from competitions.sohu2021.settings import Settings
from competitions.sohu2021.task import task
from shared.errors import UserError
from shared.settings import Section, load_settings
from shared.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from shared.training.model_folder import load_model, save_model
from tests.conftest import REPOSITORY, to_numpy
from tests.shared.training.steps import take_steps

VOCABULARY = Vocabulary([*SPECIAL_TOKENS, *"天地玄黄宇宙洪荒"])
CLS, SEP = VOCABULARY.ids["[CLS]"], VOCABULARY.ids["[SEP]"]
# [CLS] source [SEP] target [SEP]; the second row has one token of padding.
TOKENS = np.array([[CLS, 5, 6, 7, SEP, 6, 7, SEP], [CLS, 8, SEP, 9, 10, 11, SEP, 0]], "int32")
SEGMENTS = np.array([[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1, 0]], "int32")


def settings(label_smoothing=0.0, seed=0, **model):
    backbone = {"kind": "roformer", "preset": "tiny", "max_positions": 16}
    return Settings.model_validate(
        {
            "data": {"max_length": 16},
            "text": {"vocabulary": None},
            "model": {"backbone": backbone, "condition": "cln", "condition_dim": 4} | model,
            "train": {
                "seed": seed,
                "epochs": 1,
                "batch_size": 2,
                "bucket_lengths": [8],
                "learning_rate": 0.01,
                "label_smoothing": label_smoothing,
            },
            "hardware": {},
            "evaluate": {},
            "predict": {},
        }
    )


def build(**options):
    return sohu.build(settings(**options), VOCABULARY, {})


def inputs(variants=(0, 5), tokens=TOKENS, segments=SEGMENTS):
    return {"token_ids": tokens, "segment_ids": segments, "variant": np.array(variants, "int32")}


def logits(network, *args, **kwargs):
    return to_numpy(network.predict_on_batch(inputs(*args, **kwargs))["logits"])


def randomize(network):
    """Moves every weight off its start: the kernels of the condition and the table of matches are zero there."""
    rng = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign_add(rng.normal(0.0, 0.2, size=weight.shape))


def same_row_twice(network, variants):
    """Logits of one pair as two variants."""
    return logits(network, variants, TOKENS[[0, 0]], SEGMENTS[[0, 0]])


@pytest.mark.parametrize(
    ("condition", "pooling", "exact_match"),
    list(itertools.product(("cln", "token", "none"), ("mean", "cls"), (True, False))),
)
def test_every_choice_declares_two_float32_logits(condition, pooling, exact_match):
    network = build(condition=condition, pooling=pooling, exact_match=exact_match)
    assert list(network.output) == ["logits"]
    assert network.output["logits"].shape == (None, 2)
    assert network.output["logits"].dtype == "float32"
    assert {name: tensor.dtype for name, tensor in network.input.items()} == dict.fromkeys(inputs(), "int32")
    names = [weight.path for weight in network.trainable_weights]
    assert any("exact_match" in name for name in names) == exact_match
    assert sum("gamma_kernel" in name for name in names) == (5 if condition == "cln" else 0)
    assert any("variant_embedding" in name for name in names) == (condition != "none")
    assert network.get_layer("backbone").vocabulary_size == len(VOCABULARY)


@pytest.mark.parametrize("condition", ["cln", "token", "none"])
def test_gives_two_finite_float32_logits_a_row(condition):
    got = logits(build(condition=condition))
    assert got.shape == (2, 2)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()


def test_the_logits_are_float32_under_mixed_precision_and_close_to_float32():
    want = logits(build())
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        got = logits(build())
    finally:
        keras.config.set_dtype_policy(policy)
    assert got.dtype == np.float32
    assert not np.array_equal(got, want)
    np.testing.assert_allclose(got, want, atol=0.02)  # 128 rounded features of about 1 times weights of 0.02


def test_without_condition_the_variant_changes_nothing():
    network = build(condition="none")
    randomize(network)
    np.testing.assert_array_equal(logits(network, (0, 1)), logits(network, (4, 3)))


def test_with_cln_the_variant_changes_the_logits_after_one_step_and_not_before():
    network = build(condition="cln")
    before = same_row_twice(network, (0, 5))
    np.testing.assert_allclose(before[0], before[1], atol=1e-6)
    take_steps(network, sohu.loss(settings()), [(inputs(), {"label": np.array([0, 1], "int32")})])
    after = same_row_twice(network, (0, 5))
    assert np.abs(after[0] - after[1]).max() > 1e-3


def test_with_a_token_the_variant_changes_the_logits_at_once():
    got = same_row_twice(build(condition="token"), (0, 5))
    assert np.abs(got[0] - got[1]).max() > 1e-5


@pytest.mark.parametrize("condition", ["cln", "token"])
def test_all_six_variants_are_told_apart(condition):
    network = build(condition=condition)
    randomize(network)
    six = inputs(range(6), np.repeat(TOKENS[:1], 6, axis=0), np.repeat(SEGMENTS[:1], 6, axis=0))
    got = to_numpy(network.predict_on_batch(six)["logits"])
    assert len(np.unique(got.round(4), axis=0)) == 6


@pytest.mark.parametrize(
    ("condition", "pooling", "kind"), [("cln", "mean", "roformer"), ("token", "mean", "bert"), ("none", "cls", "bert")]
)
def test_padding_does_not_change_the_logits(condition, pooling, kind):
    backbone = {"kind": kind, "preset": "tiny", "max_positions": 32}
    network = build(condition=condition, pooling=pooling, backbone=backbone)
    randomize(network)
    wider = [np.pad(array, ((0, 0), (0, 4))) for array in (TOKENS, SEGMENTS)]
    np.testing.assert_allclose(logits(network, (0, 5), *wider), logits(network), atol=1e-4)


def test_mean_pooling_reads_all_tokens_and_cls_pooling_the_first():
    hidden = {}
    for pooling in ("mean", "cls"):
        network = build(condition="none", pooling=pooling)
        dense, features = network.get_layer("classifier"), network.get_layer("backbone").output
        hidden = to_numpy(keras.Model(network.input, features).predict_on_batch(inputs()))
        mask = (TOKENS != 0)[..., None]
        pooled = (hidden * mask).sum(1) / mask.sum(1) if pooling == "mean" else hidden[:, 0]
        want = pooled @ to_numpy(dense.kernel) + to_numpy(dense.bias)
        np.testing.assert_allclose(logits(network), want, atol=1e-5)


def test_exact_match_changes_nothing_at_the_start():
    np.testing.assert_allclose(logits(build(exact_match=True)), logits(build(exact_match=False)), atol=1e-6)


def test_exact_match_tells_a_match_apart_when_token_vectors_do_not():
    """With one vector for all tokens of the vocabulary, only the feature can see that the texts share a word."""
    for exact_match in (True, False):
        network = build(condition="none", exact_match=exact_match)
        randomize(network)
        table = network.get_layer("backbone").embedding.token_table
        table.assign(np.tile(to_numpy(table)[:1], (table.shape[0], 1)))
        shared, foreign = TOKENS[:1], np.array([[CLS, 5, 6, 7, SEP, 9, 10, SEP]], "int32")
        got = logits(network, (0, 0), np.concatenate([shared, foreign]), SEGMENTS[[0, 0]])
        assert (np.abs(got[0] - got[1]).max() > 1e-3) == exact_match


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    first, second, third = (build(condition="token", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(logits(first), logits(second))
    assert not np.array_equal(logits(first), logits(third))


def test_the_variant_embedding_follows_the_seed_too():
    first, second = (build(condition="cln", seed=1).get_layer("variant_embedding") for _ in range(2))
    np.testing.assert_array_equal(to_numpy(first.embeddings), to_numpy(second.embeddings))


def loss(label_smoothing, labels, scores, weights):
    function = sohu.loss(settings(label_smoothing=label_smoothing))
    tensor = keras.ops.convert_to_tensor
    value = function(
        {"label": tensor(np.array(labels, "int32"))},
        {"logits": tensor(np.array(scores, "float32"))},
        tensor(np.array(weights, "float32")),
    )
    return float(to_numpy(value))


def test_the_loss_worked_out_by_hand():
    # Row 1: p = (1/4, 3/4), label 1: log(4/3). Row 2: p = (1/2, 1/2): log 2.
    got = loss(0.0, [1, 0], [[0, math.log(3)], [7, 7]], [1, 1])
    assert got == pytest.approx((math.log(4 / 3) + math.log(2)) / 2, rel=1e-6)


def test_label_smoothing_worked_out_by_hand():
    # Smoothing 0.2 turns the target (0, 1) into (0.1, 0.9): 0.1 log 4 + 0.9 log(4/3).
    got = loss(0.2, [1], [[0, math.log(3)]], [1])
    assert got == pytest.approx(0.1 * math.log(4) + 0.9 * math.log(4 / 3), rel=1e-6)


def test_rows_of_weight_zero_do_not_count():
    got = loss(0.0, [1, 0, 1], [[0, math.log(3)], [-5, 5], [9, -9]], [1, 0, 0])
    assert got == pytest.approx(math.log(4 / 3), rel=1e-6)


def test_a_batch_of_weight_zero_has_loss_zero():
    assert loss(0.0, [1, 0], [[0, 1], [5, -5]], [0, 0]) == 0.0


def test_the_loss_of_a_sure_mistake_is_finite():
    assert loss(0.0, [0], [[-1000, 1000]], [1]) == pytest.approx(2000.0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model folder and the logits of the network that was saved."""
    folder = tmp_path_factory.mktemp("models") / "sohu2021"
    chosen = settings()
    network = sohu.build(chosen, VOCABULARY, {})
    randomize(network)
    save_model(folder, network, task, chosen, VOCABULARY, {"labels": ["0", "1"]}, {"note": "测试"})
    return folder, logits(network)


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy of the model folder, to be spoilt."""
    return Path(shutil.copytree(saved[0], tmp_path / "elsewhere"))


def test_a_loaded_model_gives_equal_logits_byte_for_byte(saved, folder):
    loaded = load_model(folder, task)
    assert logits(loaded.network).tobytes() == saved[1].tobytes()


def test_a_loaded_model_brings_settings_vocabulary_labels_and_provenance(folder):
    loaded = load_model(folder, task)
    assert loaded.settings == settings()
    assert loaded.vocabulary.tokens == VOCABULARY.tokens
    assert loaded.labels == {"labels": ["0", "1"]}
    assert loaded.provenance == {"note": "测试"}


def test_saving_twice_gives_equal_bytes(saved, tmp_path):
    loaded = load_model(saved[0], task)
    save_model(tmp_path / "again", loaded.network, task, loaded.settings, VOCABULARY, loaded.labels, loaded.provenance)
    files = sorted(path.name for path in saved[0].iterdir())
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == files
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (saved[0] / name).read_bytes(), name


def refused(folder) -> str:
    with pytest.raises(UserError) as error:
        load_model(folder, task)
    return str(error.value)


def change_settings(folder, **changes):
    path = folder / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")


def change_weights(folder, change):
    arrays = safetensors.numpy.load_file(folder / "weights.safetensors")
    change(arrays)
    safetensors.numpy.save_file(arrays, folder / "weights.safetensors")


def test_no_folder_is_an_error_that_names_the_stage_to_run(tmp_path):
    assert "dvc repro train@sohu2021" in refused(tmp_path / "nothing")


def test_a_model_of_another_competition_is_an_error(folder):
    change_settings(folder, competition="lic2020")
    message = refused(folder)
    assert "a model of 'lic2020', but 'sohu2021' was asked for" in message
    assert str(folder / "settings.json") in message


def test_settings_of_an_older_version_are_an_error(folder):
    change_settings(folder, version=0)
    assert "settings of version 0, this kit reads version 1" in refused(folder)


def test_settings_with_an_unknown_key_are_an_error(folder):
    document = json.loads((folder / "settings.json").read_text("utf-8"))["settings"]
    document["model"]["poolling"] = document["model"].pop("pooling")
    change_settings(folder, settings=document)
    message = refused(folder)
    assert "poolling" in message
    assert "Did you mean 'pooling'" in message


def test_a_file_that_holds_no_settings_is_an_error(folder):
    (folder / "settings.json").write_text("[]", "utf-8")
    assert "not the settings of a trained model" in refused(folder)


def test_cut_off_settings_are_an_error(folder):
    path = folder / "settings.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert f"{path}:" in refused(folder)


@pytest.mark.parametrize(
    "name", ["weights.safetensors", "settings.json", "vocab.txt", "labels.json", "provenance.json"]
)
def test_a_missing_file_is_an_error(folder, name):
    (folder / name).unlink()
    assert f"{folder / name}: no such file" in refused(folder)


def test_a_missing_weight_is_an_error(folder):
    change_weights(folder, lambda arrays: arrays.pop("classifier/bias"))
    assert "missing: classifier/bias" in refused(folder)


def test_an_unexpected_weight_is_an_error(folder):
    change_weights(folder, lambda arrays: arrays.update(more=np.zeros(2, "float32")))
    assert "unexpected: more" in refused(folder)


def test_a_weight_of_wrong_shape_is_an_error(folder):
    change_weights(folder, lambda arrays: arrays.update({"classifier/bias": np.zeros(3, "float32")}))
    assert "classifier/bias: shape (3,) in the file, (2,) in the model" in refused(folder)


def test_another_vocabulary_than_the_weights_is_an_error(folder):
    with (folder / "vocab.txt").open("a", encoding="utf-8") as file:
        file.write("日\n")
    message = refused(folder)
    assert "token_embedding: shape (13, 128) in the file, (14, 128) in the model" in message


@pytest.mark.parametrize("size", [0, 4, 1000, -1])
def test_cut_off_weights_are_an_error(folder, size):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    assert "weights.safetensors: damaged" in refused(folder)


def test_weights_that_do_not_fit_leave_no_partly_filled_network(folder):
    change_weights(folder, lambda arrays: arrays.update({"classifier/bias": np.zeros(3, "float32")}))
    from shared.training.weights import load_weights

    network = build()
    before = logits(network)
    with pytest.raises(UserError):
        load_weights(network, folder / "weights.safetensors")
    np.testing.assert_array_equal(logits(network), before)


def test_the_defaults_of_all_settings_are_those_of_params_yaml():
    """A line left out of params.yaml must not quietly mean another model."""

    def differences(section, place=()):
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            if isinstance(value, Section):
                yield from differences(value, (*place, name))
            elif not field.is_required() and field.default != value:
                yield ".".join((*place, name)), field.default, value

    assert list(differences(load_settings("sohu2021", Settings, REPOSITORY / "params.yaml"))) == []
