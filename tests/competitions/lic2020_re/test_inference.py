from types import SimpleNamespace

import numpy as np
import pytest

from competitions.lic2020_re.data import Example, official
from competitions.lic2020_re.feed import object_labels, subject_labels
from competitions.lic2020_re.inference import infer
from competitions.lic2020_re.spans import spans_of
from competitions.lic2020_re.task import task
from shared.arrays import Split
from shared.training.hardware import Hardware
from tests.competitions.lic2020_re.layout import SCHEMA
from tests.competitions.lic2020_re.sentences import EXAMPLES, LABELS, NUMBER, prepared, settings, split_of, triple
from tests.shared.training.steps import take_steps

SURE = 8.0  # sigmoid(8)^4 is .9987, sigmoid(-8)^2 is 1e-7


class Oracle:
    """A network that answers with the gold labels; its `hidden_sum` is the number of the row it was asked for."""

    def __init__(self, split: Split):
        self.split, self.shapes = split, set()
        self.parts = SimpleNamespace(
            encoder=SimpleNamespace(predictor=self.encode),
            objects=SimpleNamespace(predictor=self.objects),
        )

    def encode(self, inputs):
        tokens = inputs["token_ids"]
        known = self.split.ragged("token_ids")
        rows = np.array([next(i for i, row in enumerate(known) if np.array_equal(row, one[one > 0])) for one in tokens])
        labels = subject_labels(*spans_of(self.split, rows), len(rows), tokens.shape[1])
        hidden = np.broadcast_to(rows[:, None, None], (*tokens.shape, 4)).astype("float32")
        return {"subject_logits": logits(labels), "hidden_sum": hidden}

    def objects(self, inputs):
        hidden, subjects = inputs["hidden_sum"], inputs["subjects"]
        self.shapes.add((hidden.shape, subjects.shape, subjects.dtype))
        spans, row = spans_of(self.split, hidden[:, 0, 0].astype(int))
        labels = object_labels(spans, row, (subjects + np.array([0, 1]))[:, None], hidden.shape[1], len(NUMBER))[:, 0]
        return {"object_logits": logits(labels)}


def logits(labels: np.ndarray) -> np.ndarray:
    return np.where(labels, SURE, -SURE).astype("float32")


def gold(examples=EXAMPLES):
    return [[official(one, SCHEMA) for one in example.triples] for example in examples]


def unordered(triples):
    return [sorted(row, key=str) for row in triples]


@pytest.mark.parametrize("batch_size", [1, 2, 64])
def test_with_perfect_probabilities_the_gold_triples_come_back_row_by_row(batch_size):
    examples = [EXAMPLES[number] for number in (2, 1, 0, 1, 2)]
    split = split_of(*examples)
    got = infer(Oracle(split), split, settings(hardware={"predict_batch_size": batch_size}), LABELS)
    assert unordered(got["triples"]) == unordered(gold(examples))
    assert [len(row) for row in got["confidence"]] == [0, 3, 3, 3, 0]
    assert all(0.99 < sure <= 1.0 for row in got["confidence"] for sure in row)


@pytest.mark.parametrize(("jit", "size", "width"), [(True, 4, 40), (False, 3, 32)])
def test_pairs_are_filled_up_to_one_size_a_width_where_shapes_are_compiled(monkeypatch, jit, size, width):
    machine = Hardware("cpu", "float32", jit, "tensorflow")
    for module in ("competitions.lic2020_re.inference", "shared.training.prediction_batches"):
        monkeypatch.setattr(f"{module}.configured", lambda: machine)
    split = split_of(*EXAMPLES)
    oracle = Oracle(split)
    infer(oracle, split, settings(hardware={"predict_batch_size": 4}), LABELS)
    assert oracle.shapes == {((size, width, 4), (size, 2), np.dtype("int32"))}


@pytest.mark.parametrize("threshold", ["subject_threshold", "object_threshold"])
def test_nothing_is_above_a_threshold_of_nearly_one(threshold):
    split = split_of(*EXAMPLES)
    got = infer(Oracle(split), split, settings(predict={threshold: 0.9999}), LABELS)
    assert got == {"triples": [[], [], []], "confidence": [[], [], []]}


def test_the_rule_of_the_settings_is_used():
    split = split_of(EXAMPLES[0])
    got = infer(Oracle(split), split, settings(predict={"combine": "original"}), LABELS)
    assert [one["object"] for one in got["triples"][0]] == [{"@value": "江雪"}, {"@value": "苏禾"}]


def test_values_are_slices_of_the_untouched_text():
    example = Example("《ＡＢ龘》由É雪执导", (triple("ＡＢ龘", "导演", "É雪"),))
    split = split_of(example)
    got = infer(Oracle(split), split, settings(), LABELS)
    assert got["triples"] == gold([example])


def test_no_rows_give_no_answers():
    split = split_of()
    assert infer(Oracle(split), split, settings(), LABELS) == {"triples": [], "confidence": []}


@pytest.mark.parametrize("loss", ["cross_entropy", "multilabel_softmax"])
def test_a_trained_network_finds_the_triples_it_was_shown(loss):
    model = {} if loss == "cross_entropy" else {"subject_power": 1, "object_power": 1}
    chosen = settings(
        model=model, train={"loss": loss, "learning_rate": 3e-3, "warmup_share": 0.0, "ema_momentum": 0.0}
    )
    made = prepared(EXAMPLES)
    split = made.splits["train"]
    network = task.build(chosen, made.vocabulary, made.labels)
    batches, rng = task.feed(split, chosen, made.labels), np.random.default_rng(0)
    take_steps(network, task.loss(chosen), (batches.batch(np.arange(3), 40, rng) for _ in range(60)), 3e-3)
    got = task.infer(network, split, chosen, made.labels)
    assert unordered(got["triples"]) == unordered(gold())
    assert task.score(got, split, chosen, made.labels)["f1"] == 1.0
    # Another batch size pads otherwise and asks for the pairs in other batches.
    other = task.infer(network, split, settings(model=model, hardware={"predict_batch_size": 2}), made.labels)
    assert other["triples"] == got["triples"]
    np.testing.assert_allclose(np.concatenate(other["confidence"]), np.concatenate(got["confidence"]), atol=1e-4)
