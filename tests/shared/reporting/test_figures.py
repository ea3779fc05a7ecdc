import xml.etree.ElementTree as ElementTree

import pytest

from shared.reporting.figures import FIGURES, confusion, learning_curve, precision_recall

HISTORY = [
    {"epoch": "1", "loss": "0.7", "learning_rate": "1e-3", "f1": "0.2", "f1_a": "0.1"},
    {"epoch": "2", "loss": "0.5", "learning_rate": "0.0", "f1": "0.4", "f1_a": "0.3"},
]
POINTS = {
    kind: [{"threshold": "0.5", "recall": recall, "precision": "0.5", "f1": "0.5"} for recall in ("0.0", "1.0")]
    for kind in "ab"
}
COUNTS = {
    "a": [{"gold": "0", "predicted": "0"}, {"gold": "1", "predicted": "0"}],
    "b": [{"gold": "1", "predicted": "1"}],
}
DRAWN = {"history": {"history": HISTORY}, "pr_curve": POINTS, "confusion": COUNTS}


def texts(svg: str) -> list[str]:
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", FIGURES)
def test_equal_numbers_give_equal_svg(name):
    _, plot = FIGURES[name]
    first = plot(DRAWN[name])
    assert first.startswith("<svg")
    assert plot(DRAWN[name]) == first


def test_the_learning_curve_names_every_figure_but_the_rate():
    labels = texts(learning_curve({"history": HISTORY}))
    assert {"training loss", "f1", "f1_a"} <= set(labels)
    assert "learning_rate" not in labels


def test_a_single_epoch_is_drawn():
    assert "training loss" in texts(learning_curve({"history": HISTORY[:1]}))


def test_the_curves_of_all_classes_are_named():
    assert {"class a", "class b", "F1 0.8"} <= set(texts(precision_recall(POINTS)))


def test_the_confusion_counts_each_pair_by_class():
    labels = texts(confusion(COUNTS))
    assert {"class a", "class b", "gold", "predicted"} <= set(labels)
    one_class = texts(confusion({"a": [{"gold": "1", "predicted": "0"}] * 37}))
    assert one_class.count("37") == 1
    assert "class b" not in one_class


def test_rare_labels_of_a_confusion_are_put_together():
    rows = [{"gold": f"l{i:02}", "predicted": f"l{i:02}"} for i in range(20) for _ in range(20 - i)]
    svg = confusion({"x": rows})
    assert ">l11<" in svg
    assert ">l12<" not in svg
    assert ">other<" in svg
    assert ">36<" in svg  # 8 + 7 + ... + 1 rows of the eight rare ones


def test_chinese_labels_are_drawn_without_a_warning(recwarn):
    assert "主演" in confusion({"x": [{"gold": "主演", "predicted": "导演"}]})
    assert [str(warning.message) for warning in recwarn] == []
