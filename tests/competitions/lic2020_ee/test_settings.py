import pytest

from tests.competitions.lic2020_ee.sentences import settings


def changed(sections):
    usual = settings()
    return {name: getattr(usual, name).model_dump() | section for name, section in sections.items()}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"model": {"last_layers": 3}}, "last_layers=3, but the backbone has 2 layers"),
        ({"data": {"scheme": "gplinker"}, "model": {"head": "softmax"}}, "and data.scheme is gplinker; set model.head"),
        ({"data": {"scheme": "bio"}, "model": {"power": 4}}, "model.power=4 is for data.scheme: pointer, which is bio"),
        ({"data": {"scheme": "bio"}, "train": {"loss": "focal"}}, "focal judges tokens one by one; data.scheme: bio"),
        ({"data": {"scheme": "global_pointer"}, "train": {"loss": "focal"}}, "data.scheme: global_pointer"),
        (
            {"data": {"scheme": "pointer"}, "model": {"power": 2}, "train": {"loss": "multilabel_softmax"}},
            "needs data.scheme: pointer and model.power: 1, got pointer and 2",
        ),
        ({"data": {"scheme": "gplinker"}, "train": {"loss": "multilabel_softmax"}}, "got gplinker and 1"),
        ({"data": {"scheme": "bio"}, "train": {"label_smoothing": 0.1}}, "label_smoothing=0.1 needs a bio scheme"),
        (
            {
                "data": {"scheme": "bio"},
                "model": {"head": "softmax"},
                "train": {"loss": "focal", "label_smoothing": 0.1},
            },
            "label_smoothing=0.1 needs",
        ),
    ],
)
def test_tricks_that_exclude_each_other_are_refused_at_once(sections, said):
    with pytest.raises(ValueError, match=said):
        settings(**changed(sections))


@pytest.mark.parametrize(
    "sections",
    [
        {"data": {"scheme": "pointer"}, "model": {"power": 2}, "train": {"loss": "focal"}},
        {"data": {"scheme": "pointer"}, "train": {"loss": "multilabel_softmax"}},
        {"data": {"scheme": "bio"}, "model": {"head": "softmax", "last_layers": 2}, "train": {"loss": "focal"}},
        {"data": {"scheme": "bio_per_type"}, "model": {"head": "softmax"}, "train": {"label_smoothing": 0.1}},
    ],
)
def test_tricks_that_go_together_are_let_through(sections):
    assert settings(**changed(sections))
