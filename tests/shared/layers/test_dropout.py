import keras
import numpy as np
import pytest
from keras import ops

from shared.layers.draws import Draws, drawing, drawing_part, random_bits, step_key
from shared.layers.dropout import Dropout
from tests.conftest import to_numpy
from tests.shared.layers.layer_check import check_layer

ONES = np.ones((8, 4, 6), "float32")


def _draws(step=5, **more):
    return Draws(step_key(0, step), **more)


def dropped(layer, inputs=ONES, **more):
    with drawing(_draws(**more)):
        return to_numpy(layer(inputs, training=True))


# Inputs of about 2 are rounded to bfloat16, whose steps there are 1/64.
def test_passes_the_check_of_every_layer(rng):
    inputs = {"inputs": rng.normal(size=(2, 5, 8)).astype("float32")}
    check_layer(Dropout, {"rate": 0.3, "seed": 4}, inputs, passes_mask=True, bfloat16_error=0.02)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_the_share_of_zeros(rate):
    got = dropped(Dropout(rate, seed=1), np.ones((512, 512), "float32"))
    assert abs((got == 0).mean() - rate) < 0.005  # standard deviation of chance: 0.001 or less


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.75])
def test_numbers_that_stay_are_scaled_so_that_the_mean_stays(rate, rng):
    x = rng.normal(size=(16, 16)).astype("float32")
    got = dropped(Dropout(rate, seed=1), x)
    kept = got != 0
    share = round(rate * 65536) / 65536  # the rate that is applied
    np.testing.assert_allclose(got[kept], x[kept] / (1 - share), rtol=1e-6)
    assert share == pytest.approx(rate, abs=1 / 131072)


def test_the_rate_is_right_to_one_in_65536():
    shape = (128, 512)
    numbers = to_numpy(random_bits(_draws(), 1, shape))
    for threshold in (1, 6554, 65535):  # 65535 of 65536 equally frequent numbers are below the last
        got = dropped(Dropout(threshold / 65536, seed=1), np.ones(shape, "float32"))
        np.testing.assert_array_equal(got == 0, numbers < threshold)
        np.testing.assert_allclose(got.max(), 65536 / (65536 - threshold), rtol=1e-6)


def test_an_equal_key_drops_the_same():
    layer = Dropout(0.5, seed=1)
    np.testing.assert_array_equal(dropped(layer), dropped(layer))
    np.testing.assert_array_equal(dropped(layer), dropped(Dropout(0.5, seed=1)))


def test_another_step_drops_others():
    layer = Dropout(0.5, seed=1)
    assert not np.array_equal(dropped(layer), dropped(layer, step=6))


def test_layers_of_other_seeds_drop_others():
    assert not np.array_equal(dropped(Dropout(0.5, seed=1)), dropped(Dropout(0.5, seed=2)))


def test_layers_without_seeds_are_told_apart_by_their_names():
    one, same, other = (Dropout(0.5, name=name) for name in ("one", "one", "other"))
    np.testing.assert_array_equal(dropped(one), dropped(same))
    assert not np.array_equal(dropped(one), dropped(other))


def test_another_part_drops_others():
    layer = Dropout(0.5, seed=1)
    with drawing(_draws()):
        with drawing_part(1):
            first = to_numpy(layer(ONES, training=True))
        with drawing_part(2):
            second = to_numpy(layer(ONES, training=True))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, dropped(layer))


def test_the_rows_of_a_divided_batch_drop_what_they_do_in_the_whole():
    layer = Dropout(0.5, seed=1)
    parts = [dropped(layer, ONES[:2], first_row=ops.convert_to_tensor(first), rows=8) for first in (0, 2, 4, 6)]
    np.testing.assert_array_equal(np.concatenate(parts), dropped(layer))


def test_more_rows_at_the_end_change_nothing_for_the_first():
    layer = Dropout(0.5, seed=1)
    np.testing.assert_array_equal(dropped(layer, np.concatenate([ONES, ONES]))[:8], dropped(layer))


@pytest.mark.parametrize("size", [1, 3, 7])
def test_last_dimensions_may_be_odd(size):
    got = dropped(Dropout(0.5, seed=1), np.ones((128, 32, size), "float32"))
    assert got.shape == (128, 32, size)
    assert abs((got == 0).mean() - 0.5) < 0.05  # standard deviation of chance: 0.008 or less


def test_rows_and_neighbours_are_independent():
    zeros = dropped(Dropout(0.3, seed=1), np.ones((256, 256), "float32")) == 0
    for one, other in ((zeros[1:], zeros[:-1]), (zeros[:, 1:], zeros[:, :-1]), (zeros[:, 2:], zeros[:, :-2])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02  # standard deviation of chance: 0.004
    shares = zeros.mean(axis=1)  # of a row; standard deviation of chance: 0.029
    assert 0.023 < shares.std() < 0.035


def test_elsewhere_every_call_draws_anew():
    layer = Dropout(0.5, seed=1)
    drawn = [to_numpy(layer(ONES, training=True)) for _ in range(4)]
    assert len({one.tobytes() for one in drawn}) == 4
    assert all(0.3 < (one == 0).mean() < 0.7 for one in drawn)


def test_inference_is_the_identity(rng):
    x = rng.normal(size=(2, 3)).astype("float32")
    layer = Dropout(0.5, seed=1)
    with drawing(_draws()):
        np.testing.assert_array_equal(to_numpy(layer(x)), x)
        np.testing.assert_array_equal(to_numpy(layer(x, training=False)), x)


def test_a_rate_of_zero_is_the_identity(rng):
    x = rng.normal(size=(2, 3)).astype("float32")
    np.testing.assert_array_equal(dropped(Dropout(0.0), x), x)


def test_bfloat16_drops_the_same_and_rounds_the_scale():
    layer = Dropout(0.1, seed=1, dtype="mixed_bfloat16")
    with drawing(_draws()):
        got = layer(ONES, training=True)
    assert keras.backend.standardize_dtype(got.dtype) == "bfloat16"
    want = dropped(Dropout(0.1, seed=1))
    np.testing.assert_array_equal(to_numpy(got) == 0, want == 0)
    np.testing.assert_allclose(to_numpy(got), want, rtol=1 / 256)


def test_the_multiplier_is_what_the_inputs_are_multiplied_by(rng):
    layer, x = Dropout(0.5, seed=1), rng.normal(size=(4, 6)).astype("float32")
    with drawing(_draws()):
        multiplier = to_numpy(layer.multiplier((4, 6), "float32", True))
        assert layer.multiplier((4, 6), "float32", False) is None
    np.testing.assert_array_equal(dropped(layer, x), x * multiplier)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_rates_outside_of_their_range_are_an_error(rate):
    with pytest.raises(ValueError, match=rf"rate must be in \[0, 1\), got {rate}"):
        Dropout(rate)


def test_the_highest_rates_still_scale_by_a_finite_number():
    assert np.isfinite(dropped(Dropout(0.999999, seed=1))).all()
