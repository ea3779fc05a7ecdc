import pytest

from tests.competitions.lic2020_re.sentences import settings

BERT = {"kind": "bert", "preset": "tiny", "max_positions": 32}


def test_bert_needs_a_position_for_each_token():
    assert settings(model={"backbone": BERT}, data={"max_length": 32}).data.max_length == 32
    with pytest.raises(ValueError, match=r"max_length=33 needs 33 positions, the backbone has 32"):
        settings(model={"backbone": BERT}, data={"max_length": 33})


def test_rotary_positions_have_no_limit():
    backbone = BERT | {"kind": "roformer"}
    assert settings(model={"backbone": backbone}, data={"max_length": 4096}).data.max_length == 4096


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {"last_layers": 3}}, "last_layers=3, but the backbone has 2 layers"),
        (
            {"train": {"loss": "multilabel_softmax"}},
            "set model.subject_power: 1 and model.object_power: 1, got 2 and 4",
        ),
        (
            {
                "model": {"subject_power": 1, "object_power": 1},
                "train": {"loss": "multilabel_softmax", "loss_reduction": "sentence"},
            },
            "set train.loss_reduction: original",
        ),
        ({"model": {"head": "gplinker"}, "train": {"loss": "focal"}}, "train.loss: focal is for model.head: pointer"),
        ({"model": {"head": "gplinker"}, "train": {"subjects_per_step": "one"}}, "set it to all, or"),
        ({"model": {"head": "gplinker"}, "train": {"subject_sampling": "paired"}}, "set it to separate"),
        ({"model": {"head": "gplinker"}, "train": {"loss_reduction": "sentence"}}, "set it to original"),
        (
            {"model": {"backbone": {"dropout": 0.0}}, "train": {"tricks": {"r_drop": 4.0}}},
            "r_drop=4 compares two passes with different dropout, but there is none",
        ),
    ],
)
def test_tricks_that_exclude_each_other_are_refused_at_once(sections, said):
    usual = settings()
    changed = {name: getattr(usual, name).model_dump() | section for name, section in sections.items()}
    if "backbone" in sections.get("model", {}):
        changed["model"]["backbone"] = usual.model.backbone.model_dump() | sections["model"]["backbone"]
    with pytest.raises(ValueError, match=said):
        settings(**changed)
