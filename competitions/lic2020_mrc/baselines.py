"""Trivial baselines that a model has to beat: the part of the passage that has most of the question in it.

No figure of a trained model means much without them. On 313 official dev questions (538 to learn from) the sentence
most like the question scores F1 .135, what is new in the clause most like it .211; on 131 of CMRC 2018, where answers
are long, .457 and .316.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from competitions.lic2020_mrc.settings import Settings
from shared.arrays import Split
from shared.task import Labels, Outputs

SENTENCE = re.compile(r"[^。！？；!?;\r\n]+")
CLAUSE = re.compile(r"[^。！？；!?;\r\n，、：,:]+")
MIN_NEW = 2  # characters: less that is new in a clause is hardly an answer

Span = tuple[int, int]  # characters of the passage
Candidate = tuple[Span, float]  # with its score, 0 to 1


def baselines(train: Split, valid: Split, settings: Settings, labels: Labels) -> dict[str, Outputs]:
    """Returns for each baseline, by name, its outputs on `valid`: see `outputs`.

    How telling a pair of characters is, both learn from the passages of the first `evaluate.baseline_rows` questions.
    """
    weights = BigramWeights(train.ragged("context").texts()[: settings.evaluate.baseline_rows])
    rows = list(zip(valid.ragged("question").texts(), valid.ragged("context").texts(), strict=True))
    n_best = settings.predict.n_best
    return {
        "similar_sentence": outputs(rows, partial(similar_sentences, weights=weights), n_best),
        "new_in_similar_clause": outputs(rows, partial(new_in_similar_clauses, weights=weights), n_best),
    }


def outputs(
    rows: Iterable[tuple[str, str]], candidates: Callable[[str, str], Sequence[Candidate]], n_best: int
) -> dict[str, list[Any]]:
    """Returns the outputs of a baseline, one entry a row.

    Args:
        rows: question and passage of each row.
        candidates: (question, passage) -> at least one answer, the best first.
        n_best: how many are kept.

    Returns: `answer`: the best text; `confidence`: its score, 0 to 1; `n_best`: objects of `text`, `char_start`,
        `char_end` (in the passage) and `score`.
    """
    result: dict[str, list[Any]] = {"answer": [], "confidence": [], "n_best": []}
    for question, context in rows:
        found = [
            {"text": context[start:end], "char_start": start, "char_end": end, "score": score}
            for (start, end), score in candidates(question, context)[:n_best]
        ]
        result["answer"].append(found[0]["text"])
        result["confidence"].append(found[0]["score"])
        result["n_best"].append(found)
    return result


class BigramWeights:
    """How telling each pair of neighbouring characters is: log((1 + passages) / (1 + passages with it)) + 1."""

    def __init__(self, contexts: Iterable[str]):
        distinct = set(contexts)
        frequencies = Counter(bigram for context in distinct for bigram in bigrams(context))
        self.unseen = math.log(1 + len(distinct)) + 1
        self.seen = {bigram: self.unseen - math.log(1 + number) for bigram, number in frequencies.items()}

    def share(self, question: set[str], text: str) -> float:
        """Returns the weight of the question's bigrams that the text has too, as a share of all of them."""
        whole, common = (
            math.fsum(self.seen.get(bigram, self.unseen) for bigram in found)  # exact, in whatever order a set comes
            for found in (question, question & bigrams(text))
        )
        return common / whole if whole else 0.0


def bigrams(text: str) -> set[str]:
    """Returns the pairs of neighbouring characters, in lower case."""
    text = text.lower()
    return {text[start : start + 2] for start in range(len(text) - 1)}


def similar_sentences(question: str, context: str, weights: BigramWeights) -> list[Candidate]:
    """Returns the sentences of a passage, first those that hold most of the question; equals as they stand."""
    asked = bigrams(question)
    return _ranked([(span, weights.share(asked, context[slice(*span)])) for span in _parts(SENTENCE, context)])


def new_in_similar_clauses(question: str, context: str, weights: BigramWeights) -> list[Candidate]:
    """Returns for each clause, as `similar_sentences` ranks sentences, its longest piece that the question lacks.

    A clause that says nothing new gives way to the one that follows it: the question often repeats what leads up to the
    answer.
    """
    asked = bigrams(question)
    clauses = _parts(CLAUSE, context)
    following = dict(zip(clauses, [*clauses[1:], clauses[-1]], strict=True))
    found: dict[Span, float] = {}
    for clause, score in _ranked([(span, weights.share(asked, context[slice(*span)])) for span in clauses]):
        piece = max(_new_pieces(context, clause, asked), key=lambda span: span[1] - span[0], default=(0, 0))
        found.setdefault(piece if piece[1] - piece[0] >= MIN_NEW else following[clause], score)
    return list(found.items())


def _ranked(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda one: -one[1])


def _parts(pattern: re.Pattern[str], context: str) -> list[Span]:
    """Returns what the pattern finds without blanks at the edges; the whole passage if that is nothing."""
    found = [_strip(context, match.span()) for match in pattern.finditer(context)]
    return [span for span in found if span[0] < span[1]] or [(0, len(context))]


def _strip(context: str, span: Span) -> Span:
    start, end = span
    text = context[start:end]
    return end - len(text.lstrip()), start + len(text.rstrip())


def _new_pieces(context: str, clause: Span, asked: set[str]) -> list[Span]:
    """Returns the maximal pieces of a clause without a character of any bigram that the question has."""
    start, end = clause
    is_asked = [False] * (end - start)
    for place in range(end - start - 1):
        if context[start + place : start + place + 2].lower() in asked:
            is_asked[place] = is_asked[place + 1] = True
    flags = "".join("a" if flag else "n" for flag in is_asked)
    pieces = [_strip(context, (start + match.start(), start + match.end())) for match in re.finditer("n+", flags)]
    return [span for span in pieces if span[0] < span[1]]
