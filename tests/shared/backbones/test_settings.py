import pytest

from shared.backbones.architecture import KINDS, Architecture
from shared.backbones.settings import BackboneSettings, build_backbone

SIZES = {"kind": "bert", "num_layers": 2, "hidden_dim": 8, "num_heads": 2, "ffn_dim": 16}


def test_auto_is_roformer_from_scratch():
    assert BackboneSettings().sizes == BackboneSettings(kind="roformer").sizes
    assert BackboneSettings().sizes.position == "rotary"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_architecture_from_scratch(kind):
    sizes = BackboneSettings(kind=kind, preset="small").sizes
    assert (sizes.kind, sizes.num_layers, sizes.hidden_dim) == (kind, 4, 312)


def test_kinds_that_compute_the_same_differ_in_their_name_alone():
    bert, wobert = (BackboneSettings(kind=kind).sizes for kind in ("bert", "wobert"))
    assert bert.model_copy(update={"kind": "wobert"}) == wobert


def test_sizes_of_your_own_replace_kind_and_preset():
    own = Architecture(**SIZES)
    settings = BackboneSettings(kind="albert", preset="base", architecture=own)
    assert settings.sizes == own
    assert build_backbone(settings, 11, 0).architecture == own


def test_before_a_checkpoint_is_read_nothing_can_be_built():
    settings = BackboneSettings(pretrained="somewhere")
    assert settings.sizes is None
    assert settings.max_length is None
    with pytest.raises(ValueError, match="architecture of somewhere is not known yet"):
        build_backbone(settings, 11, 0)


@pytest.mark.parametrize(
    ("settings", "length"),
    [
        ({"kind": "bert", "max_positions": 16}, 16),
        ({"kind": "bert", "max_positions": 16, "hierarchical_alpha": 0.4}, 256),
        ({"kind": "roformer", "max_positions": 16}, None),
        ({"kind": "nezha", "max_positions": 16}, None),
        ({"pretrained": "there", "architecture": Architecture(**SIZES, max_positions=9)}, 9),
    ],
)
def test_the_longest_sequence_follows_from_the_positions(settings, length):
    backbone = BackboneSettings(**settings)
    assert backbone.max_length == length
    if length:
        backbone.require_length(length, "x")
        with pytest.raises(ValueError, match=f"x needs {length + 1} positions, the backbone has {length}"):
            backbone.require_length(length + 1, "x")


def test_an_alpha_that_cannot_tell_places_apart_is_refused():
    with pytest.raises(ValueError, match=r"hierarchical_alpha=0\.5 gives place"):
        BackboneSettings(kind="bert", hierarchical_alpha=0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_heads": 3}, "num_heads=3 does not divide hidden_dim=8"),
        ({"num_heads": 8, "position": "rotary"}, "even head size, got 1"),
        ({"num_groups": 3}, "num_groups=3 does not divide num_layers=2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Architecture(**SIZES | change)
