"""Trivial baselines that a model has to beat: the constant answer, and surface similarity with logistic regression.

No figure of a trained model means much without them. On 1187 official validation lines (7564 to learn from) always
answering 1 scores F1 .327, the regression .551 at threshold .5 and .626 at .3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from competitions.sohu2021.settings import Settings
from competitions.sohu2021.tfidf import inverse_document_frequencies, unit_tfidf
from competitions.sohu2021.variants import VARIANTS
from shared.arrays import Split
from shared.task import Labels

PAIRS_AT_ONCE = 256  # at 10,000 characters a text some 8 million n-grams, 64 MB, at a time


@dataclass(frozen=True, slots=True)
class Pairs:
    """Columns of a split: source, target: texts, one a row; variant, label: (rows,), integers."""

    source: Sequence[str]
    target: Sequence[str]
    variant: np.ndarray
    label: np.ndarray

    @classmethod
    def of(cls, split: Split) -> "Pairs":
        """Returns these columns of a prepared split."""
        source, target = split.ragged("source").texts(), split.ragged("target").texts()
        return cls(source, target, split.dense("variant"), split.dense("label"))

    def take(self, rows: np.ndarray) -> "Pairs":
        """Returns the rows of the given indices."""
        source, target = [self.source[row] for row in rows], [self.target[row] for row in rows]
        return Pairs(source, target, self.variant[rows], self.label[rows])

    def __len__(self) -> int:
        return len(self.source)


def baselines(train: Split, valid: Split, settings: Settings, labels: Labels) -> dict[str, dict[str, np.ndarray]]:
    """Returns for each baseline, by name, its outputs on `valid`: `probability` of label 1, (rows,) float64."""
    seed, max_train_rows = settings.train.seed, settings.evaluate.baseline_rows
    regression = tfidf_logistic_regression(Pairs.of(train), Pairs.of(valid), seed, max_train_rows)
    return {
        "always_positive": {"probability": always_positive(valid.dense("variant"))},
        "tfidf_logistic_regression": {"probability": regression},
    }


def always_positive(variant: np.ndarray) -> np.ndarray:
    """Returns probability 1 for every row: (rows,), float64."""
    return np.ones(len(variant))


def tfidf_logistic_regression(train: Pairs, valid: Pairs, seed: int, max_train_rows: int) -> np.ndarray:
    """Returns the probability of label 1 for each row of `valid`: (rows,), float64; equal input gives equal output.

    The features say how alike the two texts look, see `_features`; logistic regression weighs them, apart for the
    classes A and B. It is fit on at most `max_train_rows` pairs, drawn with `seed`: more change its few weights little.
    """
    if len(train) > max_train_rows:
        train = train.take(np.sort(np.random.default_rng(seed).choice(len(train), max_train_rows, replace=False)))
    if len(set(train.label.tolist())) < 2:  # nothing to separate: the share of label 1 is 0 or 1
        return np.full(len(valid), float(train.label.mean()))
    idf = inverse_document_frequencies(texts for chunk in _chunks(train) for texts in chunk)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(_features(train, idf), train.label)
    if not len(valid):
        return np.empty(0)
    return np.asarray(model.predict_proba(_features(valid, idf))[:, 1])


def _chunks(pairs: Pairs) -> Iterator[tuple[Sequence[str], Sequence[str]]]:
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        rows = slice(start, start + PAIRS_AT_ONCE)
        yield pairs.source[rows], pairs.target[rows]


def _features(pairs: Pairs, idf: np.ndarray) -> np.ndarray:
    """Returns the features of each pair: (rows, features), float64."""
    similarities = np.concatenate([_similarities(source, target, idf) for source, target in _chunks(pairs)])
    is_b = np.array([variant.kind == "b" for variant in VARIANTS])[pairs.variant]
    one_hot = np.eye(len(VARIANTS))[pairs.variant]
    return np.hstack([similarities, similarities * is_b[:, None], one_hot])


def _similarities(source: Sequence[str], target: Sequence[str], idf: np.ndarray) -> np.ndarray:
    """Returns cosine of TF-IDF; Jaccard and containment of characters and bigrams; lengths; equality: (rows, 11)."""
    a, b = (unit_tfidf(texts, idf) for texts in (source, target))
    cosine = np.asarray(a.multiply(b).sum(axis=1)).ravel()
    rows = []
    for one, other in zip(source, target, strict=True):
        overlaps = _overlaps(set(one), set(other)) + _overlaps(_bigrams(one), _bigrams(other))
        lengths = np.log1p([len(one), len(other)])
        rows.append([*overlaps, *lengths, abs(lengths[0] - lengths[1]), float(one.strip() == other.strip())])
    return np.column_stack([cosine, rows])


def _bigrams(text: str) -> set[str]:
    return {text[start : start + 2] for start in range(len(text) - 1)}


def _overlaps(one: set[str], other: set[str]) -> list[float]:
    """Returns Jaccard similarity, and the share of each set that is in the other; 0 for an empty set."""
    common = len(one & other)
    return [common / max(1, whole) for whole in (len(one | other), len(one), len(other))]
