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


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_hidden_classes_get_no_share_of_the_smoothing(smoothing):
    hidden = np.insert(LOGITS, [1, 3], -1e9, axis=1)  # classes 1 and 4 of 5
    labels = np.array([0, 2, 3])[LABELS]
    want = to_numpy(cross_entropy(*tensors(LOGITS, LABELS), smoothing))
    np.testing.assert_allclose(to_numpy(cross_entropy(*tensors(hidden, labels), smoothing)), want, rtol=1e-6)


def test_labels_may_have_any_axes_in_front():
    logits, labels = np.tile(LOGITS, (2, 3, 1, 1)), np.tile(LABELS, (2, 3, 1))
    want = np.tile(to_numpy(cross_entropy(*tensors(LOGITS, LABELS), 0.1)), (2, 3, 1))
    np.testing.assert_allclose(to_numpy(cross_entropy(*tensors(logits, labels), 0.1)), want, rtol=1e-6)
