import keras
import numpy as np
import pytest

from shared.backbones.architecture import KINDS, Architecture
from shared.backbones.backbone import Backbone
from shared.pretrained.encoder import build_encoder
from shared.pretrained.self_check import self_check
from tests.conftest import to_numpy

SIZES = {"num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 12, "initializer_range": 0.5}


def architecture(kind="bert", **fields):
    return Architecture.model_validate({"kind": kind, **SIZES, **KINDS[kind], **fields})


@pytest.mark.parametrize("kind", ["bert", "nezha", "roformer_v2"])
def test_our_own_encoders_pass(kind):
    model = build_encoder(architecture(kind), 40, pooler=True, mlm=True, seed=1)
    checks = self_check(model)
    assert [check.ok for check in checks] == [True, True, True]
    assert all(": yes, deviation" in check.render() for check in checks)


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis -1")  # of rows with one token
@pytest.mark.parametrize("positions", [1, 2, 5])
def test_few_positions_are_enough(positions):
    assert all(check.ok for check in self_check(build_encoder(architecture(max_positions=positions), 40, seed=1)))


def test_an_encoder_that_sees_padding_fails():
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("token_ids", "segment_ids")}
    hidden = Backbone(architecture(), 40, seed=1, name="backbone")(**inputs)
    mask = keras.Input((None,), dtype="bool", name="padding_mask")
    model = keras.Model(inputs | {"padding_mask": mask}, {"hidden": hidden})
    finite, alone, padded = self_check(model)
    assert finite.ok
    assert not alone.ok
    assert not padded.ok
    assert padded.render().startswith("- a row has the same outputs with more padding: NO, deviation")


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, 1e38])
def test_outputs_that_are_not_finite_fail(value):
    model = build_encoder(architecture("roformer_v2"), 40, seed=1)
    weight = model.get_layer("backbone").blocks[0].expand.kernel
    weight.assign(np.full_like(to_numpy(weight), value))
    assert not any(check.ok for check in self_check(model)[:1])
