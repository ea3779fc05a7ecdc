import json

import keras
import numpy as np
import pytest

from shared.optim.schedule import WarmupLinearDecay
from tests.conftest import to_numpy


def rates(schedule, steps):
    return [float(to_numpy(schedule(step))) for step in steps]


def test_the_rate_worked_out_by_hand():
    # Rises by 1/4 of the peak a step, then falls by 1/6 a step from step 4 on; step 10 would be the eleventh.
    want = [2, 4, 6, 8, 8, 8 * 5 / 6, 8 * 4 / 6, 4, 8 * 2 / 6, 8 / 6, 0]
    np.testing.assert_allclose(rates(WarmupLinearDecay(8.0, 4, 10), range(11)), want, rtol=1e-6, atol=1e-9)


def test_the_floor_is_the_share_left_at_the_end():
    np.testing.assert_allclose(rates(WarmupLinearDecay(8.0, 0, 4, 0.25), range(5)), [8, 6.5, 5, 3.5, 2], rtol=1e-6)


def test_behind_the_last_step_the_rate_stays_at_the_floor():
    np.testing.assert_allclose(rates(WarmupLinearDecay(8.0, 1, 4, 0.5), [4, 5, 1000]), 4, rtol=1e-6)


def test_a_floor_of_one_keeps_the_rate_flat_behind_the_warmup():
    np.testing.assert_allclose(rates(WarmupLinearDecay(3.0, 2, 6, 1.0), range(8)), [1.5, *[3] * 7], rtol=1e-6)


def test_without_warmup_the_first_step_uses_the_peak():
    assert rates(WarmupLinearDecay(0.5, 0, 10), [0]) == [0.5]


@pytest.mark.parametrize("steps", [(0, 1), (1, 1), (1, 2)])
def test_the_first_step_of_the_shortest_runs_is_finite_and_not_zero(steps):
    assert rates(WarmupLinearDecay(0.5, *steps), [0]) == [0.5]


def test_equals_the_formula_for_a_long_run():
    peak, warmup, total, floor = 2e-5, 313, 3125, 0.1
    want = [
        peak * (s + 1) / warmup if s < warmup else peak * (1 - (1 - floor) * (s - warmup) / (total - warmup))
        for s in range(0, total, 89)
    ]
    np.testing.assert_allclose(
        rates(WarmupLinearDecay(peak, warmup, total, floor), range(0, total, 89)), want, rtol=1e-5
    )


def test_the_config_round_trips():
    schedule = WarmupLinearDecay(2e-5, 3, 9, 0.2)
    document = json.loads(json.dumps(keras.saving.serialize_keras_object(schedule)))
    assert document["registered_name"] == "baseline_kit>WarmupLinearDecay"
    copy = keras.saving.deserialize_keras_object(document)
    assert rates(copy, range(10)) == rates(schedule, range(10))
