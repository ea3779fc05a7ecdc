"""How far two sets of runs are apart, and how sure that is: a paired bootstrap over validation rows and seeds.

The official figures of all competitions are means, over classes, of quotients of sums over rows: an F1 is
2 tp / (2 tp + fp + fn), a mean is sum / rows. So a run keeps for each row its share in numerators and denominators, an
array of (rows, classes, 2), and the figure of any resampled set of rows takes two products with it.

- Rows: drawn with replacement, the same rows for all runs. What makes a row hard for both sides cancels out.
- Seeds: S - 1 of the S common ones are drawn with replacement, the same for both sides. Drawing S of so few would give
  a variance (S - 1) / S of what it is; with S - 1 it is right (Rao and Wu, Resampling Inference With Complex Survey
  Data, JASA 83, 1988). With a single seed only rows are drawn, and the interval knows nothing of the spread of seeds.
- Interval: the 2.5 and 97.5 percentiles of the resampled mean difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES, LEVEL = 2000, 0.95
_CHUNK = 2_000_000  # drawn rows held at a time


@dataclass(frozen=True)
class Difference:
    """Mean difference over `seeds` common seeds; low, high: its interval, None where it cannot be told."""

    mean: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def verdict(self) -> str:
        """Whether the interval leaves out 0."""
        if self.low is None or self.high is None:
            return "-"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not shown"


def figure(shares: np.ndarray) -> float:
    """Returns the figure of a run. Args: shares: (rows, classes, 2): of numerator and denominator."""
    return float(_figures(np.asarray(shares, np.float64).sum(axis=0)))


def resampled(runs: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Returns the figure of each run on resampled rows, (resamples, runs) float64, the same rows for all runs.

    Args: runs: (rows, classes, 2) each. Raises: ValueError if they differ in shape.
    """
    shares = np.stack([np.asarray(one, np.float64) for one in runs], axis=1)  # (rows, runs, classes, 2)
    rows = len(shares)
    flat, rng = shares.reshape(rows, -1), np.random.default_rng(seed)
    sums = np.empty((resamples, flat.shape[1]))
    chunk = max(1, _CHUNK // max(rows, 1))
    for start in range(0, resamples, chunk):
        count = min(chunk, resamples - start)
        drawn = rng.integers(rows, size=(count, rows)) + np.arange(count)[:, None] * rows
        weights = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        sums[start : start + count] = weights @ flat
    return _figures(sums.reshape(resamples, *shares.shape[1:]))


def difference(
    trial: Mapping[int, float],
    baseline: Mapping[int, float],
    trial_resampled: Mapping[int, np.ndarray] | None = None,
    baseline_resampled: Mapping[int, np.ndarray] | None = None,
    seed: int = 0,
) -> Difference | None:
    """Returns how much better the trial is than the baseline, paired by seed; None without a common seed.

    Args: trial, baseline: scores by seed. *_resampled: by seed, (resamples,) columns of one call of `resampled`;
        without them only seeds are drawn, and with a single seed there is no interval.
    """
    seeds = sorted(trial.keys() & baseline.keys())
    if not seeds:
        return None
    apart = np.array([trial[one] - baseline[one] for one in seeds])
    mean, rng = float(apart.mean()), np.random.default_rng(seed)
    if trial_resampled is not None and baseline_resampled is not None:
        columns = np.stack([trial_resampled[one] - baseline_resampled[one] for one in seeds], axis=1)
    elif len(seeds) > 1:
        columns = np.broadcast_to(apart, (RESAMPLES, len(seeds)))
    else:
        return Difference(mean, None, None, 1)
    drawn = rng.integers(len(seeds), size=(len(columns), max(1, len(seeds) - 1)))
    means = np.take_along_axis(columns, drawn, axis=1).mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return Difference(mean, low, high, len(seeds))


def _figures(sums: np.ndarray) -> np.ndarray:
    """Returns (...) for sums of (..., classes, 2); a quotient with denominator 0 is 0, as in the official scores."""
    over, under = sums[..., 0], sums[..., 1]
    return np.divide(over, under, out=np.zeros_like(over), where=under != 0).mean(axis=-1)
