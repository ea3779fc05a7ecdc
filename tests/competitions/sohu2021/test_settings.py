import pytest
from pydantic import ValidationError

from competitions.sohu2021.settings import Settings
from tests.competitions.sohu2021.tricks import SIZES, tricks

BACKBONE = {"architecture": SIZES, "dropout": 0.0}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {"last_layers": 3}}, "last_layers=3, but the backbone has 2 layers; take at most 2"),
        ({"model": {"dropout_samples": 4, "backbone": BACKBONE}}, "without dropout are all the same"),
        (
            {"model": {"condition": "cln"}, "train": {"auxiliary_weight": 0.1}},
            "asks for the subtask, which model.condition: cln",
        ),
        ({"train": {"loss": "focal", "label_smoothing": 0.1}}, "label_smoothing=0.1 has no meaning with loss: focal"),
        ({"train": {"loss": "soft_f1", "label_smoothing": 0.1}}, "no meaning with loss: soft_f1"),
        ({"train": {"loss": "ghm", "label_smoothing": 0.1, "metric_share": 0.5}}, "no meaning with loss: ghm"),
        ({"train": {"loss": "ghm", "accumulate": 2}}, "loss: ghm counts over all rows"),
        ({"train": {"loss": "soft_f1", "accumulate": 2}}, "set accumulate: 1"),
        (
            {"train": {"loss": "soft_f1"}, "hardware": {"strategy": "data_parallel"}},
            "hardware.strategy: data_parallel divides among devices",
        ),
    ],
)
def test_tricks_that_exclude_each_other_are_refused_at_once(sections, said):
    with pytest.raises(ValidationError, match=said):
        tricks(**sections)


@pytest.mark.parametrize(
    "sections",
    [
        {"train": {"loss": "soft_f1", "label_smoothing": 0.1, "metric_share": 0.5}},
        {"train": {"loss": "class_balanced", "label_smoothing": 0.1, "accumulate": 2}},
        {"train": {"loss": "policy_gradient", "accumulate": 2}, "hardware": {"strategy": "data_parallel"}},
        {"model": {"last_layers": 2, "dropout_samples": 4, "condition": "token"}, "train": {"auxiliary_weight": 1.0}},
    ],
)
def test_tricks_that_go_together_are_let_through(sections):
    tricks(**sections)


def test_settings_without_the_keys_of_any_trick_are_those_without_tricks():
    document = tricks().model_dump(mode="json")
    for section, old in {
        "data": ("on_bad_line", "extra_files", "max_length"),
        "model": ("backbone", "condition", "condition_dim", "pooling", "exact_match"),
        "predict": ("threshold_a", "threshold_b"),
    }.items():
        document[section] = {name: document[section][name] for name in old}
    for name in ("loss", "swap", "implied_labels", "auxiliary_weight", "focal_gamma", "metric_share"):
        del document["train"][name]
    assert Settings.model_validate(document) == tricks()
