import keras
import numpy as np
import pytest

from shared.backbones.architecture import KINDS, Architecture
from shared.pretrained.encoder import apply_mlm_head, build_encoder
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import randomize

VOCABULARY = 11
SIZES = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "max_positions": 16}
INPUTS = {
    "token_ids": np.array([[2, 9, 4, 3, 4], [2, 5, 3, 0, 0]], "int32"),
    "segment_ids": np.array([[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]], "int32"),
    "padding_mask": np.array([[True] * 5, [True] * 3 + [False] * 2]),
}
FACTORISED = {"kind": "albert", "embedding_dim": 4}


def architecture(kind="bert", **fields):
    return Architecture.model_validate({"kind": kind, **SIZES, **KINDS[kind], **fields})


def outputs(model):
    return {name: to_numpy(value) for name, value in model(INPUTS, training=False).items()}


def head_weights(model):
    return {w.path: tuple(w.shape) for w in model.weights if w.path.startswith(("pooler/", "mlm_head/"))}


def test_outputs_are_those_that_were_asked_for():
    assert set(outputs(build_encoder(architecture(), VOCABULARY))) == {"hidden"}
    assert set(outputs(build_encoder(architecture(), VOCABULARY, pooler=True))) == {"hidden", "pooled"}
    got = outputs(build_encoder(architecture(), VOCABULARY, pooler=True, mlm=True))
    shapes = {"hidden": (2, 5, 8), "pooled": (2, 8), "mlm_logits": (2, 5, VOCABULARY)}
    assert {name: value.shape for name, value in got.items()} == shapes


def test_heads_have_the_weights_of_the_published_ones():
    model = build_encoder(architecture(), VOCABULARY, pooler=True, mlm=True)
    assert head_weights(model) == {
        "pooler/kernel": (8, 8),
        "pooler/bias": (8,),
        "mlm_head/dense/kernel": (8, 8),
        "mlm_head/dense/bias": (8,),
        "mlm_head/norm/gamma": (8,),
        "mlm_head/norm/beta": (8,),
        "mlm_head/bias": (VOCABULARY,),
    }


@pytest.mark.parametrize(("projection", "width"), [("after", 4), ("before", 8)])
def test_the_head_of_factorised_embeddings_has_their_width_or_that_of_their_projection(projection, width):
    model = build_encoder(architecture(**FACTORISED, projection=projection), VOCABULARY, mlm=True)
    assert head_weights(model)["mlm_head/dense/kernel"] == (8, width)


def test_the_head_of_roformer_v2_is_the_table_alone():
    model = build_encoder(architecture("roformer_v2"), VOCABULARY, mlm=True)
    randomize(model)
    got = outputs(model)
    table = to_numpy(model.get_layer("backbone").embedding.token_table)
    assert head_weights(model) == {}
    np.testing.assert_allclose(got["mlm_logits"], got["hidden"] @ table.T, atol=1e-4)


def test_the_pooled_output_is_made_of_the_first_token():
    model = build_encoder(architecture(), VOCABULARY, pooler=True)
    randomize(model)
    got, pooler = outputs(model), model.get_layer("pooler")
    want = np.tanh(got["hidden"][:, 0] @ to_numpy(pooler.kernel) + to_numpy(pooler.bias))
    np.testing.assert_allclose(got["pooled"], want, atol=1e-5)


@pytest.mark.parametrize("fields", [{}, FACTORISED, FACTORISED | {"projection": "before"}], ids=["bert", "a", "b"])
def test_logits_at_some_places_alone_are_those_of_the_whole(fields):
    model = build_encoder(architecture(**fields), VOCABULARY, mlm=True)
    randomize(model)
    got = outputs(model)
    some = apply_mlm_head(model.get_layer("mlm_head"), model.get_layer("backbone"), got["hidden"][:, 1:3])
    np.testing.assert_allclose(to_numpy(some), got["mlm_logits"][:, 1:3], atol=1e-4)


def test_the_token_table_is_one_for_reading_and_for_writing():
    model = build_encoder(architecture(), VOCABULARY, mlm=True, seed=1)
    table = model.get_layer("backbone").embedding.token_table
    before, start = outputs(model), to_numpy(table)
    unread = 7  # no row of INPUTS has it
    table.assign(np.where(np.arange(VOCABULARY)[:, None] == unread, 2 * start, start))
    moved = np.abs(outputs(model)["mlm_logits"] - before["mlm_logits"]).max(axis=(0, 1)) > 1e-6
    np.testing.assert_array_equal(np.flatnonzero(moved), [unread])

    table.assign(start)
    trained = keras.Model(model.input, {"mlm_logits": model.output["mlm_logits"]})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trained.compile(keras.optimizers.SGD(1.0), loss={"mlm_logits": loss})
    trained.fit(INPUTS, {"mlm_logits": INPUTS["token_ids"]}, epochs=1, verbose=0)
    assert (np.abs(to_numpy(table) - start).max(axis=1) > 0).all()  # rows that were not read have a gradient as well


def test_equal_seeds_give_equal_networks_and_no_two_heads_start_alike():
    first, second = (build_encoder(architecture(), VOCABULARY, True, True, seed=3) for _ in range(2))
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(one), to_numpy(other))
    pooler, head = first.get_layer("pooler").kernel, first.get_layer("mlm_head").dense.kernel
    assert not np.array_equal(to_numpy(pooler), to_numpy(head))


def test_hierarchical_positions_reach_beyond_the_table():
    model = build_encoder(architecture(), VOCABULARY, hierarchical_alpha=0.4)
    ids = np.ones((1, 20), "int32")
    got = model({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids > 0}, training=False)
    assert got["hidden"].shape == (1, 20, 8)
