import pytest
from pydantic import ValidationError

from shared.optim.settings import OptimizerSettings
from tests.shared.training import toy


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"wrap": ("lazy", "lookahead", "lazy")}, "lazy twice"),
        ({"wrap": ("weight_decay",)}, "adamw decays by itself"),
        ({"wrap": ("swa", "lazy")}, "Put it last"),
        ({"kind": "adafactor", "wrap": ("layer_adaptation",)}, "adafactor scales"),
        ({"wrap": ("piecewise", "layer_adaptation")}, "Put piecewise behind layer_adaptation"),
        ({"wrap": ("lookahead", "lazy", "layer_adaptation")}, "Put lookahead behind"),
        ({"wrap": ("lookahead", "piecewise")}, "Put piecewise before lookahead"),
        ({"wrap": ("lookahead", "weight_decay", "lazy"), "kind": "adam"}, "Put lazy before lookahead"),
        ({"wrap": ("rates",)}, "rates in wrap and rate_factors go together"),
        ({"rate_factors": (("bias", 2.0),)}, "rates in wrap and rate_factors go together"),
        ({"piecewise_points": ((5, 1.0), (5, 0.1))}, "must rise"),
        ({"wrap": ("lookahed",)}, "'lookahead'"),
        ({"kind": "adamax"}, "'adamw'"),
    ],
)
def test_wrappers_that_do_not_fit_are_refused(changes, words):
    with pytest.raises(ValidationError, match=words):
        OptimizerSettings(**changes)


@pytest.mark.parametrize(
    ("optimizer", "changes", "words"),
    [
        ({"wrap": ("swa",)}, {"ema_momentum": 0.9}, "Set ema_momentum: 0"),
        ({"kind": "adam", "wrap": ("weight_decay",)}, {"weight_decay": 0.0}, "weight_decay is 0"),
    ],
)
def test_what_excludes_other_params_of_training_is_refused(optimizer, changes, words):
    with pytest.raises(ValidationError, match=words):
        toy.train_settings(optimizer=optimizer, **changes)


def test_what_changes_nothing_is_the_default():
    settings = toy.train_settings()
    assert (settings.optimizer.kind, settings.optimizer.wrap, settings.accumulate) == ("adamw", (), 1)


def test_lamb_and_orders_that_keep_each_effect_are_accepted():
    wrap = ("weight_decay", "lazy", "layer_adaptation", "piecewise", "layer_decay", "lookahead", "swa")
    assert OptimizerSettings(kind="adam", wrap=wrap).wrap == wrap
