"""TF-IDF of hashed character 1- to 3-grams: how alike two texts look."""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

NUM_HASHES = 1 << 18


def ngram_counts(texts: Sequence[str]) -> sparse.csr_matrix:
    """Returns the counts of the hashed character 1- to 3-grams: (rows, NUM_HASHES), float32."""
    vectorizer = HashingVectorizer(
        analyzer="char", ngram_range=(1, 3), n_features=NUM_HASHES, norm=None, alternate_sign=False, dtype=np.float32
    )
    return vectorizer.transform(texts)


def inverse_document_frequencies(portions: Iterable[Sequence[str]]) -> np.ndarray:
    """Returns log((1 + texts) / (1 + texts with the n-gram)) + 1 for each hash: (NUM_HASHES,), float32."""
    frequencies, number = np.zeros(NUM_HASHES, np.int64), 0
    for texts in portions:
        frequencies += np.bincount(ngram_counts(texts).indices, minlength=NUM_HASHES)
        number += len(texts)
    return (np.log((1 + number) / (1 + frequencies)) + 1).astype(np.float32)


def unit_tfidf(texts: Sequence[str], idf: np.ndarray) -> sparse.csr_matrix:
    """Returns rows of (1 + log tf) idf, of length 1: (rows, NUM_HASHES), float32."""
    matrix = ngram_counts(texts)
    matrix.data = (1 + np.log(matrix.data)) * idf[matrix.indices]
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix.data /= np.repeat(np.maximum(norms, 1e-12), np.diff(matrix.indptr))
    return matrix
