import functools
import math

import keras
import numpy as np
import pytest

from competitions.lic2020_ee import model
from competitions.lic2020_ee.feed import feed
from competitions.lic2020_ee.task import task
from shared.training.batch import Batch
from shared.training.model_folder import load_model, save_model
from shared.training.settings import TrainSettings
from tests.competitions.lic2020_ee.sentences import (
    EXAMPLES,
    SCHEMES,
    SPAN_SCHEMES,
    TWICE,
    labels,
    settings,
    split_of,
    vocabulary,
)
from tests.conftest import to_numpy
from tests.shared.training.steps import engine_of, take_steps

KNOWN = vocabulary(*(example.text for example in EXAMPLES))
HEADS = [("bio", "crf"), ("bio", "softmax"), ("bio_per_type", "crf"), ("bio_per_type", "softmax"), ("pointer", "crf")]
ALL_HEADS = [*HEADS, *((scheme, "crf") for scheme in SPAN_SCHEMES)]
ROWS = np.arange(len(EXAMPLES))


@functools.cache
def build(scheme, seed=0, **options):
    """A network that is only read: each is made once."""
    chosen = settings(model={"backbone": {"kind": "roformer", "preset": "tiny", "dropout": 0.0}, **options})
    chosen = chosen.model_copy(update={"train": chosen.train.model_copy(update={"seed": seed})})
    return model.build(chosen, KNOWN, labels(scheme))


def batch(scheme, width=16):
    return feed(split_of(*EXAMPLES), settings(), labels(scheme)).batch(ROWS, width, np.random.default_rng(0))


def predicted(network, inputs):
    return {name: to_numpy(value) for name, value in network.predict_on_batch(inputs).items()}


def loss(targets, outputs, weights, train=(), **options) -> float:
    tensors = [{k: keras.ops.convert_to_tensor(v) for k, v in one.items()} for one in (targets, outputs)]
    scheme = "pointer" if "start_logits" in outputs else "bio"
    head = "softmax" if scheme == "bio" and "transitions" not in outputs else "crf"
    backbone = {"kind": "roformer", "preset": "tiny"}
    data, model_options = {"max_length": 64, "scheme": scheme}, {"backbone": backbone, "head": head, **options}
    chosen = settings(data=data, model=model_options, train=settings().train.model_dump() | dict(train))
    return float(to_numpy(model.loss(chosen)(*tensors, keras.ops.convert_to_tensor(np.array(weights, "float32")))))


@pytest.mark.parametrize(("scheme", "head"), ALL_HEADS)
def test_the_outputs_have_the_shapes_of_the_scheme(scheme, head):
    outputs = predicted(build(scheme, head=head), batch(scheme, 12)[0])
    shapes = {
        "bio": {"logits": (4, 12, 17), "transitions": (17, 17)},
        "bio_per_type": {"logits": (4, 3, 12, 7), "transitions": (3, 7, 7)},
        "pointer": {"start_logits": (4, 12, 8), "end_logits": (4, 12, 8)},
        "global_pointer": {"span_logits": (4, 8, 12, 12)},
        "gplinker": {
            "span_logits": (4, 11, 12, 12),
            "start_link_logits": (4, 1, 12, 12),
            "end_link_logits": (4, 1, 12, 12),
        },
    }[scheme]
    if head == "softmax":
        del shapes["transitions"]
    assert {name: value.shape for name, value in outputs.items()} == shapes
    assert {str(value.dtype) for value in outputs.values()} == {"float32"}


def test_labels_that_a_type_lacks_are_out_of_the_question():
    for head in ("crf", "softmax"):
        logits = predicted(build("bio_per_type", head=head), batch("bio_per_type", 12)[0])["logits"]
        assert (logits[:, 2, :, 5:] == -1e9).all()  # a wedding has two roles, five labels
        assert (np.abs(logits[:, :2]) < 100).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_padding_changes_nothing(scheme):
    network = build(scheme)
    narrow, wide = predicted(network, batch(scheme, 13)[0]), predicted(network, batch(scheme, 20)[0])
    axis = 2 if scheme == "bio_per_type" else 1
    for name in set(narrow) - {"transitions"}:
        np.testing.assert_allclose(np.take(wide[name], range(13), axis)[0], narrow[name][0], atol=1e-4)


def test_equal_seeds_give_equal_networks_and_other_seeds_others():
    inputs = batch("pointer")[0]
    first, second, third = (predicted(build.__wrapped__("pointer", seed), inputs)["start_logits"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_the_softmax_loss_by_hand():
    """Two rows of two tokens; the second row's last is padding. Label probabilities 3/4, 1/2 and 1/4."""
    logits = np.log([[[3, 1], [1, 1]], [[3, 1], [5, 1]]]).astype("float32")
    targets = {"labels": np.array([[0, 1], [1, 0]]), "token_mask": np.array([[1, 1], [1, 0]])}
    terms = [math.log(4 / 3), math.log(2), math.log(4)]
    assert loss(targets, {"logits": logits}, [1, 1]) == pytest.approx(sum(terms) / 3, rel=1e-5)
    assert loss(targets, {"logits": logits}, [0, 1]) == pytest.approx(terms[2], rel=1e-5)
    by_type = {"labels": np.stack([targets["labels"]] * 2, axis=1), "token_mask": targets["token_mask"]}
    got = loss(by_type, {"logits": np.stack([logits] * 2, axis=1)}, [1, 1])
    assert got == pytest.approx(2 * sum(terms) / 3, rel=1e-5)  # a sum over types


def test_the_crf_loss_by_hand():
    """Row 1, two tokens: paths 00, 01, 10, 11 score 2, 1 + log 3, 1, 0. Row 2, one token: labels score 0 and log 3."""
    logits = np.array([[[1, 0], [1, 0]], [[0, math.log(3)], [7, -7]]], "float32")
    transitions = np.array([[0, math.log(3)], [0, 0]], "float32")
    targets = {"labels": np.array([[0, 1], [1, 0]]), "token_mask": np.array([[1, 1], [1, 0]])}
    first = math.log(math.exp(2) + 3 * math.e + math.e + 1) - (1 + math.log(3))
    second = math.log(4 / 3)
    outputs = {"logits": logits, "transitions": transitions}
    assert loss(targets, outputs, [1, 1]) == pytest.approx((first + second) / 2, rel=1e-5)
    assert loss(targets, outputs, [1, 0]) == pytest.approx(first, rel=1e-5)
    by_type = {"labels": np.stack([targets["labels"]] * 2, axis=1), "token_mask": targets["token_mask"]}
    twice = {"logits": np.stack([logits] * 2, axis=1), "transitions": np.stack([transitions] * 2)}
    assert loss(by_type, twice, [1, 1]) == pytest.approx(first + second, rel=1e-5)  # summed over two types


def test_the_loss_of_marks_by_hand():
    """One role. Start probabilities 3/4, 1/2, end probabilities 1/2, 1/4; the argument is token 0."""
    outputs = {"start_logits": np.log([[[3], [1]]]), "end_logits": np.log([[[1], [1 / 3]]])}
    outputs = {name: value.astype("float32") for name, value in outputs.items()}
    targets = {"starts": np.array([[[1], [0]]]), "ends": np.array([[[1], [0]]]), "token_mask": np.array([[1, 1]])}
    first, second = math.log(4 / 3) + math.log(2), math.log(2) + math.log(4 / 3)
    assert loss(targets, outputs, [1]) == pytest.approx((first + second) / 4, rel=1e-5)
    targets["token_mask"] = np.array([[1, 0]])
    assert loss(targets, outputs, [1]) == pytest.approx(first / 2, rel=1e-5)
    # p = (9/16, 1/4): the start is there with log 16/9, the end with log 4.
    assert loss(targets, outputs, [1], power=2) == pytest.approx(first, rel=1e-5)


def test_the_multilabel_softmax_loss_of_marks_by_hand():
    # One role, two tokens and one of padding; the start at token 0 is right, ends there are none.
    targets = {"token_mask": np.array([[1, 1, 0]]), "starts": np.zeros((1, 3, 1)), "ends": np.zeros((1, 3, 1))}
    targets["starts"][0, 0, 0] = 1
    outputs = {name: np.zeros((1, 3, 1), "float32") for name in ("start_logits", "end_logits")}
    outputs["start_logits"][0, 0, 0], outputs["end_logits"][0, 2, 0] = 1.0, 50.0
    want = (math.log(1 + math.exp(-1)) + math.log(2) + math.log(3)) / 2
    assert loss(targets, outputs, [1], {"loss": "multilabel_softmax"}) == pytest.approx(want, rel=1e-5)


def test_focal_and_smoothed_losses_of_tokens_by_hand():
    targets = {"token_mask": np.array([[1, 0]]), "labels": np.array([[1, 0]], "int32")}
    logits = np.full((1, 2, 4), -1e9, "float32")
    logits[:, :, :3] = [2.0, 1.0, 0.0]  # the fourth label is hidden
    p = np.exp([2.0, 1.0, 0.0]) / np.exp([2.0, 1.0, 0.0]).sum()
    got = loss(targets, {"logits": logits}, [1], {"loss": "focal", "focal_gamma": 2.0})
    assert got == pytest.approx(-((1 - p[1]) ** 2) * math.log(p[1]), rel=1e-5)
    got = loss(targets, {"logits": logits}, [1], {"label_smoothing": 0.3})
    assert got == pytest.approx(-(0.7 * math.log(p[1]) + 0.1 * np.log(p).sum()), rel=1e-5)


@pytest.mark.parametrize(("scheme", "head"), HEADS)
def test_a_batch_of_weight_zero_has_loss_zero(scheme, head):
    inputs, targets = batch(scheme, 12)
    outputs = predicted(build(scheme, head=head), inputs)
    assert loss(targets, outputs, [0] * 4, head=head) == 0.0
    assert loss(targets, outputs, [1] * 4, head=head) > 0.0


@pytest.mark.parametrize(
    ("scheme", "head", "train"),
    [
        ("bio_per_type", "crf", {}),
        ("bio_per_type", "softmax", {"loss": "focal", "focal_gamma": 1.0}),
        ("pointer", "crf", {}),
        ("pointer", "crf", {"loss": "multilabel_softmax"}),
        *((scheme, "crf", {}) for scheme in SPAN_SCHEMES),
    ],
)
def test_it_learns_a_few_sentences_by_heart(scheme, head, train):
    backbone = {"kind": "roformer", "preset": "tiny", "dropout": 0.0}
    data, train = {"max_length": 64, "scheme": scheme}, settings().train.model_dump() | train
    chosen = settings(data=data, model={"backbone": backbone, "head": head}, train=train)
    network = model.build(chosen, KNOWN, labels(scheme))
    take_steps(network, model.loss(chosen), [batch(scheme)] * 60, 3e-3)
    split = split_of(*EXAMPLES)
    outputs = task.infer(network, split, chosen, labels(scheme))
    assert task.score(outputs, split, chosen, labels(scheme))["f1"] > 0.95


@pytest.mark.parametrize("scheme", ["bio_per_type", "pointer", *SPAN_SCHEMES])
def test_a_loaded_model_gives_equal_outputs_byte_for_byte(scheme, tmp_path):
    network, inputs = build.__wrapped__(scheme), batch(scheme)[0]
    for weight in network.trainable_weights:
        weight.assign(np.random.default_rng(1).normal(scale=0.1, size=weight.shape))
    save_model(tmp_path / "model", network, task, settings(), KNOWN, labels(scheme), {})
    loaded = load_model(tmp_path / "model", task)
    want, got = predicted(network, inputs), predicted(loaded.network, inputs)
    assert loaded.labels == labels(scheme)
    assert {name: value.tobytes() for name, value in got.items()} == {n: value.tobytes() for n, value in want.items()}
    split, chosen = split_of(*EXAMPLES), settings(predict={"threshold": 0.3})
    answers = [task.infer(one, split, chosen, labels(scheme)) for one in (network, loaded.network)]
    assert answers[0] == answers[1]


def loss_of(scheme, head):
    chosen = {"backbone": {"kind": "roformer", "preset": "tiny"}, "head": head}
    return model.loss(settings(data={"max_length": 64, "scheme": scheme}, model=chosen))


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
def test_the_factors_make_the_scores_of_spans(scheme):
    network, inputs = build(scheme), batch(scheme)[0]
    whole, parts = predicted(network, inputs), predicted(network.factors, inputs)
    width, heads = whole["span_logits"].shape[2], whole["span_logits"].shape[1]
    products, start, end = np.split(parts["span_factors"], [width, width + heads], axis=1)
    made = products[:, None] + start[..., None] + end[:, :, None]
    shown = whole["span_logits"] > -1e8
    assert shown.any()
    np.testing.assert_allclose(made[shown], whole["span_logits"][shown], atol=1e-5)
    for name in set(whole) - {"span_logits"}:
        np.testing.assert_array_equal(whole[name], parts[name])


def test_the_span_loss_is_that_of_dense_labels():
    """Softmax cross-entropy for any number of right classes, in float64."""
    inputs, targets = batch("gplinker", 12)
    outputs = predicted(build("gplinker"), inputs)
    want = 0.0
    for name in ("span", "start_link", "end_link"):
        logits = outputs[f"{name}_logits"].astype(np.float64).reshape(*outputs[f"{name}_logits"].shape[:2], -1)
        gold = np.zeros(logits.shape, bool)
        row, head, place = np.nonzero(targets[f"{name}_is_positive"])
        gold[row, head, targets[f"{name}_positives"][row, head, place]] = True
        negatives = np.log1p(np.where(gold, 0.0, np.exp(logits)).sum(axis=-1))
        want += (negatives + np.log1p(np.where(gold, np.exp(-logits * gold), 0.0).sum(axis=-1))).sum() / len(gold)
    tensors = [{k: keras.ops.convert_to_tensor(v) for k, v in one.items()} for one in (targets, outputs)]
    got = float(to_numpy(loss_of("gplinker", "crf")(*tensors, keras.ops.ones(4))))
    assert got == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize(("scheme", "head"), ALL_HEADS)
def test_rows_add_up_and_those_of_weight_zero_count_nothing(scheme, head):
    inputs, targets = batch(scheme, 12)
    chosen = loss_of(scheme, head)
    outputs = predicted(build(scheme, head=head), inputs)

    def terms(rows, weight):
        parts = [
            {k: keras.ops.convert_to_tensor(v if k == "transitions" else v[rows]) for k, v in one.items()}
            for one in (targets, outputs)
        ]
        weight = keras.ops.convert_to_tensor(np.array(weight, "float32"))
        return {name: float(to_numpy(value)) for name, value in chosen.sums(*parts, weight).items()}

    whole, weighed = terms([0, 1, 2, 3], [1] * 4), terms([0, 1, 2, 3], [1, 1, 0, 0])
    first, second = terms([0, 1], [1, 1]), terms([2, 3], [1, 1])
    for name, value in whole.items():
        assert first[name] + second[name] == pytest.approx(value, rel=1e-5)
        assert weighed[name] == pytest.approx(first[name], rel=1e-5)


@pytest.mark.parametrize(("scheme", "head"), ALL_HEADS)
def test_the_divergence_is_zero_for_equal_outputs_and_finite_and_symmetrical_for_others(scheme, head):
    inputs, targets = batch(scheme, 12)
    chosen, weight = loss_of(scheme, head), keras.ops.ones(4)
    targets = {k: keras.ops.convert_to_tensor(v) for k, v in targets.items()}
    rng = np.random.default_rng(0)
    one = predicted(build(scheme, head=head), inputs)
    other = {name: value + rng.normal(size=value.shape).astype("float32") for name, value in one.items()}
    one, other = ({k: keras.ops.convert_to_tensor(v) for k, v in outputs.items()} for outputs in (one, other))

    def apart(left, right, weight=weight):
        found = chosen.divergence(targets, left, right, weight)
        assert set(found) == set(chosen.weights(targets, weight))
        return {name: float(to_numpy(value)) for name, value in found.items()}

    assert set(apart(one, one).values()) == {0.0}
    assert set(apart(one, other, 0.0 * weight).values()) == {0.0}
    assert apart(one, other) == pytest.approx(apart(other, one), rel=1e-4)
    assert all(0.0 < value < 1e6 for value in apart(one, other).values())


def test_two_steps_of_the_engine_survive_a_restart_and_do_not_depend_on_micro_batches():
    scheme = "gplinker"  # which has all that global_pointer has
    rows = (*EXAMPLES[:3], TWICE)
    source = feed(split_of(*rows), settings(), labels(scheme))
    known = vocabulary(*(one.text for one in rows))
    inputs, targets = source.batch(ROWS, 16, np.random.default_rng(0))
    one_batch = Batch(inputs, targets, np.ones(4, np.float32))
    plain = {"warmup_share": 0.0, "final_rate": 1.0, "learning_rate": 1e-3}
    train = TrainSettings(seed=0, epochs=1, batch_size=4, bucket_lengths=(16,), **plain)

    def engine():
        backbone = {"kind": "roformer", "preset": "tiny", "dropout": 0.0}
        network = model.build(settings(model={"backbone": backbone}), known, labels(scheme))
        return engine_of(network, loss_of(scheme, "crf"), train, 10)

    def step(one):
        return float(np.asarray(one.run([one_batch])["loss"])[0])

    whole, other = engine(), engine()
    start = whole.state()
    first = step(whole)
    other.restore(whole.state())
    second = step(whole)
    assert second < first
    assert step(other) == second
    other.restore(start)
    other.micro_batches = 2
    assert (step(other), step(other)) == pytest.approx((first, second), rel=1e-4)
