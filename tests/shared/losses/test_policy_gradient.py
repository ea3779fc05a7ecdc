import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.losses.policy_gradient import accuracy_rewards, f1_rewards, policy_gradient
from tests.conftest import to_numpy
from tests.shared.losses.reference import LABELS, LOGITS, gradient, softmax, tensors

NUMBER = st.floats(-3, 3, width=32)
THREE = st.lists(NUMBER, min_size=3, max_size=3)


def test_the_loss_is_the_expected_reward_negated(rng):
    rewards = rng.normal(size=LOGITS.shape)
    got = to_numpy(policy_gradient(*tensors(LOGITS, rewards)))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, -(softmax(LOGITS) * rewards).sum(axis=1), rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=25)
@given(THREE, THREE, NUMBER)
def test_on_three_classes_the_gradient_is_the_sum_over_answers_whatever_the_baseline(logits, rewards, baseline):
    """E[(r - b) grad log p], one answer after the other: grad log p(y) by the logits is e_y - p."""
    p = softmax(np.array(logits))
    want = -sum(p[y] * (rewards[y] - baseline) * (np.eye(3)[y] - p) for y in range(3))
    got = gradient(lambda x: policy_gradient(x, tensors(np.array([rewards]))[0]), np.array([logits]))[0]
    np.testing.assert_allclose(got, want, atol=2e-6)


def test_drawn_answers_give_the_same_gradient_on_average(rng):
    logits, rewards = np.array([0.5, -0.3, 0.1]), np.array([0.0, 1.0, 0.4])
    p = softmax(logits)
    drawn = rng.choice(3, size=200_000, p=p)
    want = -((rewards[drawn] - p @ rewards)[:, None] * (np.eye(3)[drawn] - p)).mean(axis=0)
    got = gradient(lambda x: policy_gradient(x, tensors(rewards[None])[0]), logits[None])[0]
    np.testing.assert_allclose(got, want, atol=3e-3)  # 200,000 draws: standard deviation below 0.001


def test_the_accuracy_is_expected_where_the_right_answer_earns_1():
    rewards = accuracy_rewards(tensors(LABELS)[0], 3)
    got = to_numpy(policy_gradient(tensors(LOGITS)[0], rewards))
    np.testing.assert_allclose(got, -softmax(LOGITS)[np.arange(5), LABELS], rtol=1e-5, atol=1e-12)


def test_f1_is_the_parameter_at_which_the_best_answers_earn_nothing(rng):
    """Dinkelbach: the sum of rewards, less f1 times the gold ones, is 0 for the best answers if f1 is their F1."""
    p, y = rng.random(200), rng.integers(0, 2, 200)
    scores = {t: 2 * (y * (p >= t)).sum() / ((p >= t).sum() + y.sum()) for t in np.unique(p)}
    best = max(scores.values())
    rewards = to_numpy(f1_rewards(tensors(y)[0], best))
    sums = [rewards[np.arange(200), (p >= t).astype(int)].sum() - best * y.sum() for t in scores]
    assert max(sums) == pytest.approx(0.0, abs=1e-3)


def test_answer_1_pays_from_half_the_f1_on():
    rewards = to_numpy(f1_rewards(tensors(np.array([0, 1]))[0], 0.6))
    for p, pays in ((0.29, False), (0.31, True)):
        assert ((1 - p) * rewards[0, 1] + p * rewards[1, 1] > 0) == pays
    np.testing.assert_array_equal(rewards[:, 0], 0.0)
