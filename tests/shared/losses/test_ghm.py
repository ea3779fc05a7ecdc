import numpy as np

from shared.losses.ghm import ghm
from tests.conftest import to_numpy
from tests.shared.losses.reference import gradient, log_p, tensors

# Probabilities of the label, 0: .9, .9, .85 | .5 | .1, .05 | 0, and a row that does not count.
LOGITS = np.array([[np.log(p), np.log(1 - p)] for p in (0.9, 0.9, 0.85, 0.5, 0.1, 0.05, 1e-30, 0.9)])
LABELS = np.zeros(8, int)
WEIGHT = np.array([1.0] * 7 + [0.0])


def test_every_bin_with_rows_adds_the_mean_of_its_rows():
    losses = -log_p(LOGITS, LABELS)[:7]
    norms = -np.expm1(-losses)  # 0.1, 0.1, 0.15 | 0.5 | 0.9, 0.95, 1
    of_bin = np.minimum((norms * 4).astype(int), 3)
    want = sum(losses[of_bin == one].mean() / 4 for one in set(of_bin))
    got = to_numpy(ghm(*tensors(LOGITS, LABELS, WEIGHT), 4))
    assert got.dtype == np.float32
    np.testing.assert_allclose((got[:7]).sum() / 7, want, rtol=1e-5)


def test_one_bin_is_cross_entropy():
    got = to_numpy(ghm(*tensors(LOGITS, LABELS, WEIGHT), 1))
    np.testing.assert_allclose(got[:7], -log_p(LOGITS, LABELS)[:7], rtol=1e-5)


def test_rows_of_weight_zero_change_no_other_row():
    rows = slice(0, 7)
    alone = to_numpy(ghm(*tensors(LOGITS[rows], LABELS[rows], WEIGHT[rows]), 4))
    np.testing.assert_allclose(to_numpy(ghm(*tensors(LOGITS, LABELS, WEIGHT), 4))[rows], alone, rtol=1e-6)


def test_no_gradient_passes_through_the_counts():
    labels, weight = tensors(LABELS, WEIGHT)
    got = gradient(lambda x: ghm(x, labels, weight, 4) * weight, LOGITS)
    factor = to_numpy(ghm(*tensors(LOGITS, LABELS, WEIGHT), 4)) / -log_p(LOGITS, LABELS) * WEIGHT
    missing = -np.expm1(log_p(LOGITS, LABELS))
    np.testing.assert_allclose(got, factor[:, None] * missing[:, None] * [-1.0, 1.0], rtol=1e-4, atol=1e-7)


def test_a_batch_of_weight_zero_is_finite():
    assert np.isfinite(to_numpy(ghm(*tensors(LOGITS, LABELS, 0 * WEIGHT), 4))).all()
