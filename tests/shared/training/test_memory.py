from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from shared.backbones.architecture import KINDS
from shared.backbones.backbone import Backbone
from shared.training.memory import GIB, Estimate, estimate, line, warning
from tests.shared.training import toy

TINY = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 16}


def settings(recompute=False, **train):
    return SimpleNamespace(train=toy.train_settings(**train), hardware=SimpleNamespace(recompute=recompute))


def tagger(kind="roformer", attention_dropout=0.0, **changes) -> keras.Model:
    """An encoder with a head that asks each token about each of some things, and one that has 3 numbers a row."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    things = keras.Input((None, 2), dtype="int32", name="things")
    architecture = {"kind": kind, **TINY, **KINDS[kind], **changes}
    backbone = Backbone(architecture, 50, attention_dropout=attention_dropout, name="backbone")
    hidden = backbone(token_ids, ops.zeros_like(token_ids), padding_mask=ops.not_equal(token_ids, 0))
    asked = ops.cast(ops.sum(things, axis=-1), hidden.dtype)[:, :, None, None] * hidden[:, None]
    outputs = {
        "by_thing": keras.layers.Dense(5, dtype="float32")(asked),
        "row": keras.layers.Dense(3, dtype="float32")(hidden[:, 0]),
    }
    return keras.Model({"token_ids": token_ids, "things": things}, outputs)


def test_a_second_pass_is_kept_beside_the_first():
    network, inputs = tagger(), {"things": np.zeros((4, 2, 2)), "token_ids": np.zeros((4, 64))}
    plain = estimate(network, settings(), 64, 4, inputs)
    twice = estimate(network, settings(tricks={"r_drop": 4.0}), 64, 4, inputs)
    assert (twice.activations, twice.outputs) == (2 * plain.activations, 2 * plain.outputs)
    moved = estimate(network, settings(tricks={"adversary": "fgm"}), 64, 4, inputs)
    assert (moved.activations, moved.gradients) == (plain.activations, plain.gradients * 4 // 3)


def test_weights_gradients_and_optimizer_follow_the_number_of_weights():
    network = toy.network()
    size = 4 * network.count_params()
    found = estimate(network, settings(), 8, 4)
    assert found.weights == pytest.approx(size, abs=16)  # more with the state of a random generator
    assert (found.gradients, found.optimizer) == (3 * size, 2 * size)
    averaged = estimate(network, settings(ema_momentum=0.9), 8, 4)
    assert averaged.optimizer == 3 * size
    wrapped = estimate(network, settings(optimizer={"kind": "lion", "wrap": ("lookahead",)}), 8, 4)
    assert wrapped.optimizer == 2 * size  # one moment, and the slow weights
    assert estimate(network, settings(), 8, 4, micro_batches=2).gradients == 4 * size


def test_a_network_without_a_backbone_has_outputs_alone():
    found = estimate(toy.network(), settings(), 8, 4)
    assert found.activations == 0
    assert found.outputs == 4 * 2 * 4 * 8  # rows x logits, float32, kept several times


def test_activations_grow_with_rows_and_faster_with_the_width():
    network = tagger()
    base, rows, width = (
        estimate(network, settings(), width, rows).activations for width, rows in ((64, 4), (64, 8), (128, 4))
    )
    assert rows == 2 * base
    assert 2 * base < width < 4 * base


def test_each_layer_counts_with_or_without_weights_of_its_own():
    two, four, six = (estimate(tagger(num_layers=layers), settings(), 64, 4) for layers in (2, 4, 6))
    assert six.activations - four.activations == four.activations - two.activations > 0
    shared = estimate(tagger(num_layers=4, num_groups=1), settings(), 64, 4)
    assert shared.activations == four.activations
    assert shared.weights < two.weights


def test_recompute_keeps_one_block_and_what_enters_the_others():
    four, six = (estimate(tagger(num_layers=layers), settings(recompute=True), 64, 4) for layers in (4, 6))
    assert six.activations - four.activations == 2 * (4 * 64 * 8) * 4  # tokens x hidden_dim, float32
    assert four.activations < 0.6 * estimate(tagger(num_layers=4), settings(), 64, 4).activations


def test_micro_batches_divide_the_rows():
    network = tagger()
    whole, parts = (estimate(network, settings(), 64, 16, micro_batches=n) for n in (1, 4))
    assert parts.activations == whole.activations // 4
    assert parts.outputs == whole.outputs // 4


def test_relative_positions_and_attention_dropout_take_more():
    plain = estimate(tagger(), settings(), 64, 4).activations
    assert estimate(tagger("nezha"), settings(), 64, 4).activations == plain + 2 * 64 * 64 * 4 * 4
    assert estimate(tagger(attention_dropout=0.1), settings(), 64, 4).activations == plain + 2 * 4 * 64 * 64 * 2 * 4


def test_half_precision_takes_less():
    full = estimate(tagger(), settings(), 8, 4)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = estimate(tagger(), settings(), 8, 4)
    finally:
        keras.config.set_dtype_policy(policy)
    assert half.activations < full.activations
    assert half.weights == full.weights


def test_what_a_row_is_asked_about_counts_as_often_as_it_is_asked():
    network = tagger()
    once, thrice = (
        estimate(network, settings(), 64, 4, {"token_ids": np.zeros((4, 64)), "things": np.zeros((4, count, 2))})
        for count in (1, 3)
    )
    assert once == estimate(network, settings(), 64, 4)
    assert thrice.outputs - once.outputs == 2 * 4 * 64 * 5 * 4 * 8
    assert thrice.activations > once.activations


def some(**changes) -> Estimate:
    sizes = {"weights": 400, "gradients": 400, "optimizer": 1200, "activations": 1400, "outputs": 100} | changes
    return Estimate(**{name: size * GIB // 1000 for name, size in sizes.items()})


def test_the_peak_has_gradients_or_activations():
    assert some().total == pytest.approx(3.1 * GIB, rel=1e-6)
    assert some(activations=0).total == pytest.approx(2.0 * GIB, rel=1e-6)


def test_the_line_has_the_sum_and_its_parts():
    want = "memory: about 3.1 GiB (weights 0.4, optimizer 1.2, gradients 0.4, activations 1.5)"
    assert line(some(), None) == want
    assert line(some(), 23 * GIB) == want + ", 23 GiB there"
    assert "activations 0.021" in line(some(activations=20, outputs=1), None)


def test_what_does_not_fit_is_warned_about_with_the_cures_that_are_left():
    assert warning(some(), None, settings(), 512, 32) is None
    assert warning(some(), 4 * GIB, settings(), 512, 32) is None
    text = warning(some(), 3 * GIB, settings(), 512, 32)
    assert text.startswith("the largest batch, 32 rows x 512 tokens, may need 3.1 GiB, but 3.0 GiB are there")
    assert "set hardware.recompute: true; lower train.batch_size; shorten the longest texts (data.max_length" in text
    assert "recompute" not in warning(some(), 3 * GIB, settings(recompute=True), 512, 32)
    assert "lower train.batch_tokens" in warning(some(), 3 * GIB, settings(batch_tokens=4096), 512, 32)


def test_weights_that_do_not_fit_call_for_a_smaller_model():
    text = warning(some(), GIB, settings(ema_momentum=0.9), 512, 32)
    assert "take a smaller model.backbone; set train.ema_momentum: 0." in text
    assert "batch_size" not in text
