import numpy as np
import pytest

from shared.losses.focal import focal
from tests.conftest import to_numpy
from tests.shared.losses.reference import LABELS, LOGITS, gradient, log_p, tensors


@pytest.mark.parametrize("gamma", [1.0, 2.0, 3.5])
def test_equals_the_definition(gamma):
    got = to_numpy(focal(*tensors(LOGITS, LABELS), gamma))
    assert got.dtype == np.float32
    logs = log_p(LOGITS, LABELS)
    np.testing.assert_allclose(got, -((-np.expm1(logs)) ** gamma) * logs, rtol=1e-5)


def test_the_gradient_is_finite_where_the_probability_is_0_or_1():
    logits, labels = np.array([[100.0, -100.0], [-100.0, 100.0]]), np.array([0, 0])
    got = gradient(lambda x: focal(x, tensors(labels)[0], 1.0), logits)
    np.testing.assert_allclose(got, [[0.0, 0.0], [-1.0, 1.0]], atol=1e-6)


def test_a_gamma_below_one_is_an_error():
    with pytest.raises(ValueError, match=r"gamma must be 1 or more, got 0\.5"):
        focal(*tensors(LOGITS, LABELS), 0.5)
