import json
import math

import numpy as np
import pytest

from shared.errors import UserError
from shared.training.guards import Guards, TrainingStopped
from tests.shared.training import toy

NAN, INF = math.nan, math.inf
ZERO, GOOD = {"f1": 0.0, "predicted": 0}, {"f1": 0.8, "predicted": 50}


class Train(type(toy.train_settings())):
    stop_on_collapse: bool = True


def guards(total_steps=1000, **changes) -> Guards:
    settings = {**toy.train_settings().model_dump(), "learning_rate": 1e-3, "warmup_share": 0.1, **changes}
    return Guards(Train(**settings), "f1", total_steps)


def feed(watch, losses, norms, first=1):
    """Gives steps to the guard; one number stands for as many steps as the other has."""
    losses, norms = np.broadcast_arrays(losses, norms)
    for step, (loss, norm) in enumerate(zip(losses.tolist(), norms.tolist(), strict=True), first):
        watch.step(step, loss, norm)


def epochs(watch, rows, steps=100):
    """Gives epochs of (loss, figures), each of so many steps; returns the warnings."""
    said = []
    for epoch, (loss, figures) in enumerate(rows, 1):
        feed(watch, [loss] * steps, 1.0, first=(epoch - 1) * steps + 1)
        said.append(watch.epoch(epoch, loss, figures))
    return said


def noisy(rng, levels, spread=0.3):
    levels = np.asarray(levels)
    return levels * np.exp(spread * rng.standard_normal(len(levels)))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_loss_that_is_not_finite_stops_with_place_numbers_and_cure(value):
    watch = guards()
    feed(watch, [0.5] * 9, 2.0)
    with pytest.raises(TrainingStopped) as stop:
        watch.step(10, value, 3.0, rows=320)
    assert isinstance(stop.value, UserError)
    text = str(stop.value)
    assert text.startswith(f"epoch 1, step 10, 320 rows into it: the loss is {value}, the gradient norm 3.")
    assert "Last 9 steps before: mean loss 0.5, largest norm 2 (the usual one is 2)." in text
    assert "lower train.learning_rate (0.001), for instance to 0.0003; try hardware.precision: float32." in text
    assert "best epoch" not in text


def test_a_norm_that_is_not_finite_stops_though_the_loss_is():
    watch = guards()
    watch.step(1, 0.5, 1.0)
    with pytest.raises(TrainingStopped, match=r"epoch 1, step 2: the gradient norm is nan, the loss 0.4\."):
        watch.step(2, 0.4, NAN)


def test_at_the_first_step_the_data_and_the_weights_come_first():
    with pytest.raises(TrainingStopped, match=r"It is the first step\. What helps: check the labels .*pretrained"):
        guards().step(1, NAN, NAN)


def test_the_cures_are_those_that_the_settings_leave():
    with pytest.raises(TrainingStopped, match=r"train.clip_norm: 1.0 \(off now\); set train.warmup_share: 0.1 \(no"):
        guards(clip_norm=0.0, warmup_share=0.0).step(2, NAN, 1.0)
    with pytest.raises(TrainingStopped) as stop:
        guards().step(2, NAN, 1.0)
    assert "clip_norm" not in str(stop.value)


def test_not_finite_stops_whatever_stop_on_collapse_says():
    watch = guards(stop_on_collapse=False)
    with pytest.raises(TrainingStopped):
        watch.step(1, NAN, 1.0)
    with pytest.raises(TrainingStopped, match=r"epoch 1: the mean loss is nan"):
        watch.epoch(1, NAN, GOOD)


def test_the_best_epoch_so_far_is_named():
    watch = guards()
    epochs(watch, [(0.5, {"f1": 0.7}), (0.4, {"f1": 0.81}), (0.3, {"f1": 0.81})])
    with pytest.raises(TrainingStopped, match=r"epoch 4, .* The best epoch so far: 2 with f1 0.8100\."):
        watch.step(301, NAN, 1.0)


def test_a_norm_that_explodes_with_the_loss_stops(rng):
    watch = guards()
    feed(watch, noisy(rng, np.linspace(0.7, 0.3, 300)), noisy(rng, [1.0] * 300))
    with pytest.raises(TrainingStopped, match=r"epoch 1, step 320: the gradient explodes: its norm, [\d.]+ as a rule"):
        feed(watch, np.geomspace(0.6, 60, 50), np.geomspace(30, 1e6, 50), first=301)


@pytest.mark.parametrize(
    ("losses", "norms"),
    [
        (np.linspace(0.3, 0.25, 100), [40.0] * 100),  # norms grow, the loss falls
        ([0.9] * 100, [1.0] * 100),  # the loss rises, norms stay
        ([3.0] * 15 + [0.3] * 85, [40.0] * 15 + [1.0] * 85),  # a spike that recovers
        (([3.0] + [0.3] * 4) * 20, ([40.0] + [1.0] * 4) * 20),  # bad batches now and then
    ],
    ids=["norm alone", "loss alone", "spike", "outliers"],
)
def test_what_is_no_explosion_does_not_stop(rng, losses, norms):
    watch = guards()
    feed(watch, noisy(rng, np.linspace(0.7, 0.3, 300)), noisy(rng, [1.0] * 300))
    feed(watch, losses, norms, first=301)


def test_a_small_loss_that_jumps_but_keeps_what_was_learned_does_not_stop(rng):
    """Adam's late instabilities: from 0.001 to 0.1 for a while, where the run began at 0.7."""
    watch = guards()
    feed(watch, np.geomspace(0.7, 0.001, 300), np.geomspace(1.0, 0.01, 300))
    feed(watch, [0.1] * 40 + [0.001] * 40, [5.0] * 40 + [0.01] * 40, first=301)


def test_the_warm_up_and_the_first_steps_are_not_judged():
    feed(guards(), [0.5] * 20 + [5.0] * 80, [1.0] * 20 + [100.0] * 80)
    feed(guards(warmup_share=0.0), [0.5] * 20 + [5.0] * 29, [1.0] * 20 + [100.0] * 29)


@pytest.mark.parametrize("seed", range(5))
def test_a_noisy_healthy_run_does_not_stop(seed):
    """Losses and norms that spread by factors, as batches of short and long texts have them."""
    rng = np.random.default_rng(seed)
    levels = 50 * np.geomspace(1, 0.002, 3000)
    feed(guards(3000), noisy(rng, levels, 0.8), noisy(rng, 3 * np.sqrt(levels), 1.0))


def test_a_tagger_that_finds_nothing_at_first_does_not_stop():
    """The curve of relation extraction from scratch on the sample."""
    losses = [0.627, 0.221, 0.116, 0.079, 0.060]
    assert epochs(guards(500), zip(losses, [ZERO, ZERO, {"f1": 0.24}, GOOD, GOOD], strict=True)) == [None] * 5


def test_three_steps_an_epoch_do_not_stop_early():
    rows = [(0.69 - 0.002 * epoch, ZERO) for epoch in range(30)]
    assert epochs(guards(90), rows, steps=3) == [None] * 30


def test_a_model_trained_before_does_not_stop():
    assert epochs(guards(), [(0.30, GOOD), (0.301, GOOD), (0.299, GOOD)]) == [None] * 3


def test_a_collapse_stops_with_place_numbers_and_cure():
    with pytest.raises(TrainingStopped) as stop:
        epochs(guards(), [(0.69, ZERO)] * 8)
    text = str(stop.value)
    assert text.startswith("epoch 2: the model has collapsed: nothing is found in any row (recall 0)")
    assert "0.69, 0.69 before the last 2 epochs (100 steps)" in text
    assert "What helps: lower train.learning_rate (0.001), for instance to 0.0003; check the labels" in text
    assert "read the audit" in text
    assert "train.stop_on_collapse: false trains on all the same." in text


def test_without_stop_on_collapse_it_is_a_warning():
    first, *rest = epochs(guards(stop_on_collapse=False), [(0.69, ZERO)] * 4 + [(0.3, GOOD)])
    assert first is None
    assert all("the model has collapsed" in text for text in rest[:3])
    assert rest[3] is None


def test_a_collapse_in_the_warm_up_is_not_judged():
    assert epochs(guards(warmup_share=0.5), [(0.69, ZERO)] * 5) == [None] * 5


def test_the_sample_of_text_matching_with_a_rate_too_high_stops():
    """All rows get label 1, so that F1 is far from 0, and the loss is above its beginning."""
    figures = {"f1": 0.5, "tp_a": 99, "fp_a": 141, "fn_a": 0, "tn_a": 0, "tp_b": 67, "fp_b": 173, "fn_b": 0, "tn_b": 0}
    with pytest.raises(TrainingStopped, match=r"epoch 5: .*class a: 240 of 240 rows get label 1, 99 of the 99 right"):
        epochs(guards(8 * 36), [(0.75, figures), *[(0.66, figures)] * 7], steps=36)


@pytest.mark.parametrize("at", [30, 250, 310])
def test_a_resumed_guard_goes_on_where_it_was(rng, at):
    losses = [*noisy(rng, [0.5] * 300), *[5.0] * 30]
    norms = [*noisy(rng, [1.0] * 300), *[100.0] * 30]
    first, second = guards(), guards()
    first.epoch(1, 0.6, GOOD)
    feed(first, losses[:at], norms[:at])
    second.restore(json.loads(json.dumps(first.state())))
    assert second.state() == first.state()
    with pytest.raises(TrainingStopped, match=r"epoch 2, step 320: .* The best epoch so far: 1 with f1 0.8000"):
        feed(second, losses[at:], norms[at:], first=at + 1)


def test_the_state_of_a_resumed_guard_is_its_own():
    watch = guards()
    state = watch.state()
    watch.step(1, 0.5, 1.0)
    other = guards()
    other.restore(state)
    assert other.state() == guards().state()
