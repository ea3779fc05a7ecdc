"""Scores of the tokens of all windows to answers: what prediction and the label ceiling have in common.

How the windows of a question are compared decides which one answers. A softmax within each window would not do: the
less a window offers, the surer it looks, so windows without the answer would win. Logits themselves are compared
instead, that is probabilities normalized over all windows of the question at once. Training fixes them only up to a
number for each window, unless windows point to [CLS] where there is no answer (train.no_answer); then what a span is
worth more than [CLS] in its window, the log odds against no answer, is compared.
"""

import itertools
import math
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from competitions.lic2020_mrc.settings import Settings
from competitions.lic2020_mrc.windows import WindowedSplit
from shared.decoding.span_search import best_spans

Candidate = tuple[float, int, int]  # score, characters of the passage, half-open


class AnswerSearch:
    """Collects the best spans of windows, in any order, and merges them into answers to the questions.

    A span in several windows counts once, with its largest score. What probabilities are shares of is summed up token
    by token: all spans that begin there, in the window where these weigh most. So a probability is exact where there is
    one window, never above 1 elsewhere, and not the smaller the more windows agree.

    Args: windowed: the windows of all questions. settings: the competition's.
    """

    def __init__(self, windowed: WindowedSplit, settings: Settings):
        self.windowed, self.settings = windowed, settings
        self.no_answer = settings.train.no_answer
        self.found: list[np.ndarray] = [np.zeros((4, 0))]  # rows, first tokens, last tokens, scores
        self.weights = np.full(len(windowed.passages.values), -np.inf)  # log of the sum over spans by first token

    def add(self, units: np.ndarray, start_logits: np.ndarray, end_logits: np.ndarray) -> None:
        """Takes the scores of some windows: units (batch,), start_logits and end_logits (batch, width) float."""
        windowed, predict = self.windowed, self.settings.predict
        start, end = start_logits.astype(np.float64), end_logits.astype(np.float64)
        if self.no_answer:
            start, end = start - start[:, :1], end - end[:, :1]
        inside = windowed.inside(units, start.shape[1])
        spans = best_spans(start, end, inside, predict.max_answer_length, predict.n_best)
        row, place = np.nonzero(spans.end)
        first = spans.start[row, place] - windowed.shift[units[row]]
        last = spans.end[row, place] - 1 - windowed.shift[units[row]]
        self.found.append(np.stack([windowed.windows.row[units[row]], first, last, spans.score[row, place]]))

        ends = np.where(inside, end, -np.inf)
        behind = np.logaddexp.accumulate(ends[:, ::-1], axis=1)[:, ::-1]  # over all last tokens from each one on
        row, column = np.nonzero(inside)
        offset = windowed.passages.offsets[windowed.windows.row[units[row]]]
        token = offset + column - windowed.shift[units[row]]
        np.maximum.at(self.weights, token, (start + behind)[row, column])

    def outputs(self) -> dict[str, list[Any]]:
        """Returns the answers, one entry a row.

        answer: the best span's text as it stands in the passage; empty only if its score is below
        predict.no_answer_threshold. confidence: its probability among all spans, with train.no_answer also
        against no answer; in (0, 1]. n_best: at most predict.n_best objects of `text`, `char_start`, `char_end`
        and `score`, the probability, the best first, each place once; there is at least one.
        """
        threshold, offsets = self.settings.predict.no_answer_threshold, self.windowed.passages.offsets
        contexts = self.windowed.split.ragged("context").texts()
        result: dict[str, list[Any]] = {"answer": [], "confidence": [], "n_best": []}
        for row, (context, candidates) in enumerate(zip(contexts, self._rows(), strict=True)):
            places: dict[tuple[int, int], float] = {}
            for score, start, end in candidates:
                places.setdefault((start, end), score)
            if not places:  # a passage without tokens, such as one of control characters
                places[0, len(context)] = 0.0
            weights = self.weights[offsets[row] : offsets[row + 1]]
            total = float(np.logaddexp.reduce(weights, initial=0.0 if self.no_answer else -np.inf))
            n_best = [
                {"text": context[start:end], "char_start": start, "char_end": end, "score": probability(score, total)}
                for (start, end), score in list(places.items())[: self.settings.predict.n_best]
            ]
            is_empty = threshold is not None and next(iter(places.values())) < threshold
            result["answer"].append("" if is_empty else n_best[0]["text"])
            result["confidence"].append(probability(0.0, total) if is_empty else n_best[0]["score"])
            result["n_best"].append(n_best)
        return result

    def _rows(self) -> Iterator[list[Candidate]]:
        """Returns the candidates of each row from best to worst; equals as they stand in the passage."""
        found = np.concatenate(self.found, axis=1)
        (row, first, last), score = found[:3].astype(np.int64), found[3]
        order = np.lexsort((last, first, -score, row))
        starts, ends = (self.windowed.split.ragged(name).values for name in ("char_starts", "char_ends"))
        offset = self.windowed.passages.offsets[row]
        columns = score[order], starts[(offset + first)[order]], ends[(offset + last)[order]]
        candidates = list(zip(*(column.tolist() for column in columns), strict=True))
        bounds = np.searchsorted(row[order], np.arange(self.windowed.split.rows + 1)).tolist()
        return (candidates[begin:end] for begin, end in itertools.pairwise(bounds))


def probability(score: float, total: float) -> float:
    """Returns exp(score - total), above 0 and at most 1."""
    return max(math.exp(min(score - total, 0.0)), sys.float_info.min)
