import numpy as np
import pytest

from shared.decoding.sigmoid_power import logit, probability

# |x| to 100: sigmoid(100) is 1 and sigmoid(-100) is below the smallest float32.
LOGITS = np.concatenate([np.linspace(-100, 100, 81), np.linspace(-4, 4, 33), [-1e4, 1e4]]).astype("float32")
POWERS = (1, 2, 3, 4, 7)


@pytest.mark.parametrize("power", POWERS)
def test_the_probability_is_the_power_of_the_sigmoid_without_overflow(power):
    with np.errstate(over="raise", invalid="raise"):
        got = probability(LOGITS, power)
    assert got.dtype == np.float32
    x = np.clip(LOGITS.astype("float64"), -700, 700)
    np.testing.assert_allclose(got, (1 + np.exp(-x)) ** -float(power), rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("power", POWERS)
def test_the_logit_is_that_of_the_probability(power):
    for share in (1e-6, 0.1, 0.4, 0.5, 0.99):
        assert probability(np.array([logit(share, power)]), power) == pytest.approx(share, rel=1e-5)
    assert logit(0.5, 1) == 0.0


@pytest.mark.parametrize("function", [lambda n: logit(0.5, n), lambda n: probability(LOGITS, n)])
def test_a_power_below_one_is_an_error(function):
    with pytest.raises(ValueError, match="power must be 1 or more, got 0"):
        function(0)
