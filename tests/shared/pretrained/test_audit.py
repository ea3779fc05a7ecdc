import dataclasses
import hashlib
import json

import ml_dtypes
import numpy as np
import pytest

from shared.errors import UserError
from shared.pretrained.audit import audit, render
from shared.pretrained.checkpoint import open_checkpoint
from shared.pretrained.config import architecture_of
from tests.shared.pretrained import altered, published

TABLE = "bert.embeddings.word_embeddings.weight"
DECODER = "cls.predictions.decoder.weight"


def look(path, kind=None, **options):
    checkpoint = open_checkpoint(path)
    architecture, size = architecture_of(checkpoint, kind)
    return audit(checkpoint, architecture, size, **options)


def with_tensors(path, name="bert", drop=(), **added):
    """Writes a fixture with tensors added (__ in a name is a dot) and dropped."""

    def change(tensors):
        kept = {key: value for key, value in tensors.items() if key not in drop}
        return kept | {key.replace("__", "."): value for key, value in added.items()}

    return altered.folder(path, name, change)


@pytest.mark.parametrize("name", published.NAMES)
def test_each_fixture_has_no_problems(name):
    found = look(published.FIXTURES / name)
    assert found.require() is found
    assert set(found.matched) | set(found.harmless) == set(published.tensors(name))
    assert found.dtypes == {"float32": len(found.matched)}
    assert found.parameters == sum(published.tensors(name)[key].size for key in found.matched)


@pytest.mark.parametrize(
    ("name", "mlm_head", "pooler"),
    [
        ("bert", "present", "present"),
        ("wobert", "present", "absent"),
        ("electra_discriminator", "absent", "absent"),
        ("electra_generator", "present", "absent"),
        ("albert_zh", "present", "present"),
        ("roformer_v2", "present", "absent"),
    ],
)
def test_heads_are_told(name, mlm_head, pooler):
    found = look(published.FIXTURES / name)
    assert (found.mlm_head, found.pooler) == (mlm_head, pooler)


def test_a_model_without_heads_leaves_theirs_out():
    found = look(published.FIXTURES / "bert", parts={"backbone"}).require()
    assert (found.mlm_head, found.pooler) == ("present", "present")
    assert not any(name.startswith("cls.") for name in found.matched)
    assert found.harmless["cls.predictions.bias"] == "of a head that this model has not"


@pytest.mark.parametrize("name", ["bert", "albert_groups", "albert_zh", "electra_discriminator", "electra_generator"])
def test_optimizer_variables_are_harmless(tmp_path, name):
    found = look(published.write_tensorflow(tmp_path / "x", name, slots=("adam_m", "adam_v", "lamb_m"))).require()
    assert {why for key, why in found.harmless.items() if "adam" in key or "lamb" in key} <= {
        "a variable of the optimizer",
        "of the checkpoint's other network",
    }
    assert found.harmless["global_step"] == "a counter of the training"


def test_a_slot_of_no_variable_is_not_harmless(tmp_path):
    assert look(with_tensors(tmp_path / "x", **{"crf/adam_m": np.zeros(2, "float32")})).unexpected == ("crf/adam_m",)


def test_the_other_network_of_electra_is_harmless(tmp_path):
    found = look(published.write_tensorflow(tmp_path / "x", "electra_discriminator", slots=())).require()
    others = {key for key, why in found.harmless.items() if "other network" in why}
    assert {key.split("/")[0] for key in others} == {"generator", "generator_predictions"}


def test_buffers_of_several_releases_are_harmless(tmp_path):
    places = np.arange(16)[None]
    bert = with_tensors(tmp_path / "bert", bert__embeddings__position_ids=places)
    table = {"nezha.encoder.layer.0.attention.self.relative_positions_encoding.positions_encoding": np.zeros((2, 2, 2))}
    nezha = with_tensors(tmp_path / "nezha", "nezha", **table)
    assert not look(bert).problems
    assert not look(nezha).problems


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16])
def test_sinusoids_are_harmless_in_any_precision_but_a_trained_table_is_not(tmp_path, dtype):
    name = "roformer.encoder.embed_positions.weight"
    table = published.tensors("roformer")[name]
    assert not look(with_tensors(tmp_path / "x", "roformer", **{name: table.astype(dtype)})).problems
    trained = table + np.float32(0.1) * np.eye(*table.shape, dtype="float32")
    assert look(with_tensors(tmp_path / "y", "roformer", **{name: trained.astype(dtype)})).unexpected == (name,)


def test_copies_of_the_embedding_are_compared(tmp_path, rng):
    table = published.tensors("bert")[TABLE]
    found = look(with_tensors(tmp_path / "x", **{DECODER: table, "cls.predictions.decoder.bias": np.zeros(48)}))
    assert found.harmless[DECODER] == "a copy"
    assert found.unexpected == ("cls.predictions.decoder.bias",)  # the bias is another
    path = with_tensors(tmp_path / "y", **{DECODER: rng.normal(size=table.shape).astype("float32")})
    assert look(path).unexpected == (DECODER,)
    assert not look(path, parts={"backbone"}).problems


def test_a_copy_stands_for_an_embedding_that_was_saved_only_once(tmp_path):
    path = with_tensors(tmp_path / "x", drop={TABLE}, **{DECODER: published.tensors("bert")[TABLE]})
    assert DECODER in look(path).require().matched


def test_missing_tensors_are_an_error_that_names_them(tmp_path):
    name = "bert.encoder.layer.1.output.dense.bias"
    found = look(with_tensors(tmp_path / "x", drop={name}))
    assert found.missing == (name,)
    with pytest.raises(UserError, match=rf"/x: missing tensors: 1 \('{name}'\)\. Download it again"):
        found.require()


@pytest.mark.parametrize("part", ["bert.pooler.dense.bias", "cls.predictions.transform.dense.weight"])
def test_half_a_head_is_an_error(tmp_path, part):
    assert look(with_tensors(tmp_path / "x", drop={part})).missing == (part,)


def test_a_shape_that_differs_is_told_with_both(tmp_path):
    name = "bert.encoder.layer.1.output.dense.weight"
    found = look(with_tensors(tmp_path / "x", **{name: np.zeros((24, 41), "float32")}))
    assert found.mismatched == ((name, (24, 41), (24, 40)),)
    with pytest.raises(
        UserError, match=r"tensors of another shape: 1 \('bert.*' is \[24, 41\], the model has \[24, 40\]\)"
    ):
        found.require()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("classifier.weight", "classifier.*"), ("qa_outputs.bias", "qa_outputs.*"), ("transitions", "transitions")],
)
def test_the_head_of_another_task_is_an_error_unless_it_may_be_lost(tmp_path, name, pattern):
    path = with_tensors(tmp_path / "x", **{name: np.zeros(3, "float32")})
    with pytest.raises(UserError, match=f"no part of the model takes: 1 .'{name}'.*another task") as caught:
        look(path).require()
    assert str(caught.value).endswith(f"if they may be lost: '{pattern}'.")
    found = look(path, ignore=["other.*", pattern]).require()
    assert found.ignored == (name,)


def test_a_pattern_drops_a_head_but_nothing_of_the_backbone(tmp_path):
    found = look(published.FIXTURES / "bert", ignore=["*"]).require()
    assert (found.mlm_head, found.pooler, found.missing) == ("absent", "absent", ())
    assert TABLE in found.matched
    assert "bert.pooler.dense.weight" in found.ignored


def test_quantized_tensors_are_an_error(tmp_path):
    name = "bert.encoder.layer.1.output.dense.weight"
    found = look(with_tensors(tmp_path / "x", **{name: np.zeros((24, 40), "int8")}))
    with pytest.raises(UserError, match=r"dtypes that are no floats: 1 .int8 in 1 tensors: quantized"):
        found.require()


def test_a_linear_pooler_is_not_taken_for_one_with_tanh(tmp_path):
    parts = {"roformer.pooler.dense.weight": np.eye(24, dtype="float32"), "roformer.pooler.dense.bias": np.zeros(24)}
    path = with_tensors(tmp_path / "x", "roformer", **parts)
    assert look(path).pooler == "present"
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"pooler_activation": "linear"}))
    found = look(path).require()
    assert found.pooler == "absent"
    assert "without tanh" in found.harmless["roformer.pooler.dense.bias"]


def test_checksums_are_those_of_the_files():
    found, folder = look(published.FIXTURES / "bert"), published.FIXTURES / "bert"
    assert set(found.sha256) == {"model.safetensors", "config.json", "vocab.txt"}
    for name, digest in found.sha256.items():
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert look(folder, checksum=False).sha256 == {}


def test_a_rendered_audit_tells_what_matters_and_a_few_names_of_many(tmp_path):
    text = render(look(published.FIXTURES / "bert"))
    for part in ("60 tensors matched", "16,368 parameters", "head present", "next sentences", "float32 x 60", "sha256"):
        assert part in text
    found = look(published.FIXTURES / "bert")
    found = dataclasses.replace(found, unexpected=tuple(f"x{i}" for i in range(20)), mismatched=(("a", (1,), (2,)),))
    assert "UNEXPECTED: 20: 'x0', " in render(found)
    assert ", and 12 more" in render(found)
    assert "'a' [1], model [2]" in render(found)


def test_the_summary_is_json(tmp_path):
    path = with_tensors(tmp_path / "x", drop={"bert.pooler.dense.bias"}, extra=np.zeros(2, "float32"))
    summary = json.loads(json.dumps(look(path).summary()))
    assert summary["missing"] == ["bert.pooler.dense.bias"]
    assert summary["unexpected"] == ["extra"]
    assert summary["kind"] == "bert"
    assert summary["sha256"]
