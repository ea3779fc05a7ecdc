import numpy as np
import pytest

from shared.losses.cross_entropy import cross_entropy
from tests.conftest import to_numpy
from tests.shared.losses.reference import LABELS, LOGITS, log_p, tensors


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_equals_the_definition(smoothing):
    targets = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
    all_log_p = np.stack([log_p(LOGITS, np.full(5, k)) for k in range(3)], axis=1)
    got = to_numpy(cross_entropy(*tensors(LOGITS, LABELS), smoothing))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, -(targets * all_log_p).sum(axis=1), rtol=1e-5)
