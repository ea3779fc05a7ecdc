import numpy as np
import pytest
from keras import ops

from competitions.sohu2021 import model as sohu
from competitions.sohu2021.feed import feed
from competitions.sohu2021.objective import loss
from competitions.sohu2021.settings import COUPLED
from shared.training.batch import Batch
from tests.competitions.sohu2021.tricks import ROWS, VOCABULARY, split, tricks
from tests.conftest import to_numpy
from tests.shared.losses.reference import softmax
from tests.shared.training.steps import engine_of

LOGITS = np.array([[0.0, 1.0], [2.0, 0.0], [0.5, -1.0], [0.0, 0.5]])
TARGETS = {
    "label": np.array([1, 0, 1, 0], np.int32),
    "variant": np.array([0, 1, 2, 5], np.int32),
    "class_weight": np.array([1.5, 0.5, 1.5, 0.5], np.float32),
}
P = softmax(LOGITS)
CROSS_ENTROPY = -np.log(P[np.arange(4), TARGETS["label"]])


def value(outputs=None, weight=(1, 1, 1, 1), **train):
    outputs = {"logits": LOGITS} if outputs is None else outputs
    outputs = {name: ops.convert_to_tensor(np.float32(x)) for name, x in outputs.items()}
    targets = {name: ops.convert_to_tensor(x) for name, x in TARGETS.items()}
    return float(to_numpy(loss(tricks(train=train))(targets, outputs, ops.convert_to_tensor(np.float32(weight)))))


def soft_f1(rows):
    p, y = P[rows, 1], TARGETS["label"][rows]
    return 1 - 2 * (p * y).sum() / (p.sum() + y.sum())


EXPECTED_F1 = -(P[:, 1] * (2 * TARGETS["label"] - 0.6))  # reward 2 y - 0.6 of answer 1
WANT = {
    "cross_entropy": CROSS_ENTROPY.mean(),
    "focal": ((1 - np.exp(-CROSS_ENTROPY)) ** 2 * CROSS_ENTROPY).mean(),
    "class_balanced": (TARGETS["class_weight"] * CROSS_ENTROPY).mean(),
    "soft_f1": (soft_f1([0, 2]) + soft_f1([1, 3])) / 2,  # class A, class B
    "policy_gradient": EXPECTED_F1.mean(),
}


@pytest.mark.parametrize("name", WANT)
def test_each_loss_is_the_one_of_its_name(name):
    assert value(loss=name, policy_f1=0.6) == pytest.approx(WANT[name], rel=1e-5)


def test_the_expected_measure_may_be_accuracy():
    got = value(loss="policy_gradient", policy_reward="accuracy")
    assert got == pytest.approx(-np.exp(-CROSS_ENTROPY).mean(), rel=1e-5)


def test_the_measure_and_cross_entropy_are_mixed_by_their_share():
    got = value(loss="soft_f1", metric_share=0.25)
    assert got == pytest.approx(0.25 * WANT["soft_f1"] + 0.75 * WANT["cross_entropy"], rel=1e-5)


def test_soft_f1_weighs_the_classes_by_their_rows():
    got = value(loss="soft_f1", weight=(1, 1, 1, 0))
    assert got == pytest.approx((2 * soft_f1([0, 2]) + soft_f1([1])) / 3, rel=1e-5)


def test_the_auxiliary_loss_is_added_with_its_weight():
    subtask = np.eye(6)[[0, 1, 2, 3]] * 3
    got = value({"logits": LOGITS, "variant_logits": subtask}, auxiliary_weight=0.1)
    auxiliary = -np.log(softmax(subtask)[np.arange(4), TARGETS["variant"]]).mean()
    assert got == pytest.approx(WANT["cross_entropy"] + 0.1 * auxiliary, rel=1e-5)


def test_of_several_dropout_masks_the_losses_are_averaged():
    other = LOGITS[::-1].copy()
    got = value({"logits": LOGITS, "samples": np.stack([LOGITS, other], axis=1)})
    assert got == pytest.approx((value() + value({"logits": other})) / 2, rel=1e-5)


def test_the_divergence_is_that_of_the_labels_and_of_all_dropout_masks():
    other = LOGITS[::-1].copy()
    apart = ((P - P[::-1]) * (np.log(P) - np.log(P[::-1]))).sum(axis=1) / 2
    weight = np.float32([1, 1, 1, 0])
    both = {"samples": np.stack([LOGITS, LOGITS], axis=1)}, {"samples": np.stack([other, LOGITS], axis=1)}
    for (one, two), share in ((({"logits": LOGITS}, {"logits": other}), 1.0), (both, 0.5)):
        outputs = ({name: ops.convert_to_tensor(np.float32(x)) for name, x in part.items()} for part in (one, two))
        got = loss(tricks()).divergence(TARGETS, *outputs, ops.convert_to_tensor(weight))
        assert float(to_numpy(got["rows"])) == pytest.approx(share * apart[:3].sum(), rel=1e-4)


# Every trick that a step knows of, some together, in the real engine.
TRICKS = {
    "focal, head": {
        "model": {"pooling": "attention", "last_layers": 2, "dropout_samples": 2, "condition": "token"},
        "train": {"loss": "focal", "auxiliary_weight": 1.0, "swap": "half"},
    },
    "class_balanced": {"train": {"loss": "class_balanced", "implied_labels": True, "label_smoothing": 0.1}},
    "policy_gradient, r_drop": {
        "model": {"dropout_samples": 2},
        "train": {"loss": "policy_gradient", "metric_share": 0.5, "tricks": {"r_drop": 4.0}},
    },
    "ghm": {"train": {"loss": "ghm"}},
    "soft_f1": {"train": {"loss": "soft_f1"}},
}


def engine(changes, micro_batches=1):
    settings = tricks(**changes)
    made = engine_of(sohu.build(settings, VOCABULARY, {}), loss(settings), settings.train, 10)
    made.micro_batches = micro_batches
    inputs, targets = feed(split(*ROWS), settings, {}).batch(np.arange(4), 16, np.random.default_rng(0))
    batch = Batch(inputs, targets, np.ones(4, np.float32))
    return made, batch


def run(made, batch):
    return [float(to_numpy(made.run([batch])["loss"])[0]) for _ in range(2)]


def weights(made):
    return [array for group in made.state().values() for array in group]


@pytest.mark.parametrize("name", TRICKS)
def test_all_weights_learn_and_a_restored_state_goes_on_alike(name):
    """And the step does not depend on how the batch is divided, but for the losses that couple its rows."""
    made, batch = engine(TRICKS[name])
    start = {weight.path: to_numpy(weight) for weight in made.network.trainable_variables}
    first, middle = run(made, batch), made.state()
    assert np.isfinite(first).all()
    after = {weight.path: to_numpy(weight) for weight in made.network.trainable_variables}
    assert [path for path in start if np.array_equal(start[path], after[path])] == []
    if TRICKS[name]["train"]["loss"] not in COUPLED:
        parts, _ = engine(TRICKS[name], micro_batches=2)
        assert run(parts, batch) == pytest.approx(first, rel=1e-4, abs=1e-5)
        # Adam divides by the gradient's size: where that is rounding alone, a step is of up to the rate, 0.01.
        difference = [np.abs(to_numpy(w) - after[w.path]).mean() for w in parts.network.trainable_variables]
        assert max(difference) < 1e-3
    second, end = run(made, batch), weights(made)
    made.restore(middle)
    assert run(made, batch) == second
    for got, want in zip(weights(made), end, strict=True):
        np.testing.assert_array_equal(got, want)
