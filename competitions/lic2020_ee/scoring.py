"""The measure of DuEE 1.0 as its rule reads: F1 over arguments, with credit for the characters they share.

For every predicted argument a, score(a) = [event type right] [role right] 2 shared / (|predicted| + |gold|), without
regard to case; of a gold argument's forms, itself and its aliases, the best counts. P = sum of score(a) / predicted
arguments, R = the same sum / gold arguments, F1 = 2PR / (P + R); a quotient with denominator 0 is 0. Triggers, offsets
and the grouping into events do not count. Blanks, punctuation and width are not spoken of, so nothing is removed.

The rule is published in words only (PaddlePaddle/PaddleNLP, examples/information_extraction/DuEE/README.md); no script
is, so these are not official scores. What the words leave open is a parameter, the reading, of three parts:

- shared characters: `multiset` counts them in any order, `subsequence` the longest common subsequence, `substring` the
  longest common run;
- matching: with `best` each prediction takes its best gold argument, even one that others took, so that R may exceed 1;
  with `one_to_one` each gold argument is taken once, by the assignment with the largest sum;
- repeats of an (event type, role, argument) in a sentence: `keep` counts each of them, `set` one, on both sides.

The literal reading is multiset/best/keep. The default is multiset/one_to_one/set, which never exceeds 1.
"""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

from competitions.lic2020_ee import data, submission
from competitions.lic2020_ee.submission import Events
from shared.errors import UserError
from shared.json_lines import Problem

Answers = Mapping[str, Events]  # id -> its event_list

DEFAULT, LITERAL = "multiset/one_to_one/set", "multiset/best/keep"
UNKNOWN_IDS = ("ignore", "count")


def shared_multiset(one: str, other: str) -> int:
    """Returns how many characters two texts share in any order, each as often as it stands in both."""
    return (Counter(one) & Counter(other)).total()


def shared_subsequence(one: str, other: str) -> int:
    """Returns the length of the longest common subsequence, by len(one) operations on integers of len(other) bits.

    Reference: Hyyrö, Bit-Parallel LCS-length Computation Revisited, AWOCA 2004.
    """
    places: dict[str, int] = {}  # character -> bits of its places in `other`
    for place, character in enumerate(other):
        places[character] = places.get(character, 0) | 1 << place
    all_ones = (1 << len(other)) - 1
    row = all_ones  # a bit is 0 where the subsequence within other[:place + 1] is longer than within other[:place]
    for character in one:
        found = row & places.get(character, 0)
        row = ((row + found) | (row - found)) & all_ones
    return len(other) - row.bit_count()


def shared_substring(one: str, other: str) -> int:
    """Returns the length of the longest run of characters that stands in both texts."""
    return SequenceMatcher(None, one, other, autojunk=False).find_longest_match().size


OVERLAPS: dict[str, Callable[[str, str], int]] = {
    "multiset": shared_multiset,
    "subsequence": shared_subsequence,
    "substring": shared_substring,
}
READINGS = tuple("/".join(parts) for parts in itertools.product(OVERLAPS, ("best", "one_to_one"), ("keep", "set")))


@dataclass(slots=True)
class Sums:
    """Sum of the scores of predicted arguments; how many arguments were predicted; how many there are."""

    score: float = 0.0
    predicted: int = 0
    gold: int = 0

    def add(self, other: "Sums") -> None:
        """Adds the sums of further arguments."""
        self.score += other.score
        self.predicted += other.predicted
        self.gold += other.gold

    def figures(self) -> dict[str, float]:
        """Returns f1, precision and recall."""
        precision = self.score / self.predicted if self.predicted else 0.0
        recall = self.score / self.gold if self.gold else 0.0
        f1 = 2 * precision * recall / (precision + recall) if self.score else 0.0
        return {"f1": f1, "precision": precision, "recall": recall}


def score(gold: Answers, predicted: Answers, reading: str = DEFAULT, unknown_ids: str = "ignore") -> dict[str, Any]:
    """Returns the measure, and stricter figures beside it, as unrounded fractions.

    Args:
        gold: id -> event_list in the official form; `alias` may be absent.
        predicted: the same; an absent id counts as one without an event.
        reading: one of READINGS; the head of this module explains them.
        unknown_ids: the rule is silent on predictions for ids without gold: `ignore` them, or `count` their arguments.

    Returns: `f1`, `precision`, `recall`; `event_type_f1`, `exact_argument_f1` and `event_f1`, see the functions of
        these names; `score_sum`, and the numbers of arguments `predicted` and `gold`; `reading`; `literal`, an object
        of f1, precision and recall by the literal reading; `by_event_type`, an object of `n` (gold arguments), f1,
        precision and recall for each event type, the one with most gold arguments first.

    Raises: ValueError for an unknown `reading` or `unknown_ids`.
    """
    for name, value, valid in (("reading", reading, READINGS), ("unknown_ids", unknown_ids, UNKNOWN_IDS)):
        if value not in valid:
            raise ValueError(f"{name} is {value!r}; valid ones: {', '.join(valid)}")
    if unknown_ids == "ignore":
        predicted = {row_id: events for row_id, events in predicted.items() if row_id in gold}
    by_type = _by_type(gold, predicted, reading)
    total = _total(by_type)
    order = sorted(by_type, key=lambda name: (-by_type[name].gold, name))
    return {
        **total.figures(),
        "event_type_f1": event_type_f1(gold, predicted),
        "exact_argument_f1": exact_argument_f1(gold, predicted),
        "event_f1": event_f1(gold, predicted),
        "score_sum": total.score,
        "predicted": total.predicted,
        "gold": total.gold,
        "reading": reading,
        "literal": _total(_by_type(gold, predicted, LITERAL)).figures(),
        "by_event_type": {name: {"n": by_type[name].gold, **by_type[name].figures()} for name in order},
    }


def _total(by_type: Mapping[str, Sums]) -> Sums:
    total = Sums()
    for sums in by_type.values():
        total.add(sums)
    return total


def _by_type(gold: Answers, predicted: Answers, reading: str) -> dict[str, Sums]:
    """Returns the sums of each event type, in a fixed order: equal input gives figures equal to the last bit."""
    overlap, matching, repeats = reading.split("/")
    result: dict[str, Sums] = {}
    for row_id in dict.fromkeys([*gold, *predicted]):
        wanted = _by_role(gold.get(row_id, ()), repeats, aliases=True)
        found = _by_role(predicted.get(row_id, ()), repeats, aliases=False)
        for event_type, role in dict.fromkeys([*wanted, *found]):
            golds = wanted.get((event_type, role), [])
            answers = [answer for (answer,) in found.get((event_type, role), [])]
            sums = Sums(_matched(golds, answers, OVERLAPS[overlap], matching), len(answers), len(golds))
            result.setdefault(event_type, Sums()).add(sums)
    return result


def _by_role(events: Events, repeats: str, aliases: bool) -> dict[tuple[str, str], list[list[str]]]:
    """Returns the arguments of each (event type, role), each as its forms in lower case, itself first."""
    groups: dict[tuple[str, str], dict[Hashable, list[str]]] = {}
    for event in events:
        for argument in event["arguments"]:
            group = groups.setdefault((event["event_type"], argument["role"]), {})
            text = argument["argument"].lower()
            forms = group.setdefault(text if repeats == "set" else len(group), [text])
            if aliases:
                forms.extend(alias.lower() for alias in argument.get("alias", ()))
    return {key: list(group.values()) for key, group in groups.items()}


def _matched(golds: list[list[str]], answers: list[str], shared: Callable[[str, str], int], matching: str) -> float:
    """Returns the sum of the scores of the answers for one sentence, event type and role."""
    if not golds or not answers:
        return 0.0
    scores = [[max(_character_f1(answer, form, shared) for form in forms) for forms in golds] for answer in answers]
    if matching == "best":
        return sum(max(row) for row in scores)
    if len(golds) == 1 or len(answers) == 1:
        return max(max(row) for row in scores)
    from scipy.optimize import linear_sum_assignment  # only here: it takes its time, and most sentences do without

    table = np.array(scores)  # (answers, golds)
    return float(table[linear_sum_assignment(table, maximize=True)].sum())


def _character_f1(one: str, other: str, shared: Callable[[str, str], int]) -> float:
    if one == other:
        return float(bool(one))
    return 2 * shared(one, other) / (len(one) + len(other))


def event_type_f1(gold: Answers, predicted: Answers) -> float:
    """Returns the micro F1 of the event types of each sentence, as sets: which kinds of event there are."""
    return _set_f1(*({(row_id, event["event_type"]) for row_id, event in _events(side)} for side in (gold, predicted)))


def exact_argument_f1(gold: Answers, predicted: Answers) -> float:
    """Returns the micro F1 of (event type, role, argument) of each sentence, as sets; arguments must be equal.

    Neither case nor aliases are forgiven, and there is no credit for a part.
    """
    return _set_f1(*(_exact_arguments(side) for side in (gold, predicted)))


def event_f1(gold: Answers, predicted: Answers) -> float:
    """Returns the micro F1 of whole events: right if the type and the set of (role, argument) are equal to gold's.

    Equal events of a sentence count once, as triggers are not predicted. A system that merges events of one type cannot
    get them right here, though the measure itself allows it.
    """
    return _set_f1(*(_whole_events(side) for side in (gold, predicted)))


def _events(answers: Answers) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return ((row_id, event) for row_id, events in answers.items() for event in events)


def _exact_arguments(answers: Answers) -> set[Hashable]:
    return {
        (row_id, event["event_type"], argument["role"], argument["argument"])
        for row_id, event in _events(answers)
        for argument in event["arguments"]
    }


def _whole_events(answers: Answers) -> set[Hashable]:
    return {
        (row_id, event["event_type"], frozenset((one["role"], one["argument"]) for one in event["arguments"]))
        for row_id, event in _events(answers)
    }


def _set_f1(gold: set[Any], predicted: set[Any]) -> float:
    return 2 * len(gold & predicted) / (len(gold) + len(predicted)) if gold or predicted else 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `pipelines.score` that only this competition has."""
    parser.add_argument(
        "--reading",
        choices=READINGS,
        default=DEFAULT,
        metavar="READING",
        help=f"shared characters/matching/repeats, one of {', '.join(READINGS)} (default: %(default)s); "
        f"{LITERAL} is the literal reading of the rule",
    )
    parser.add_argument(
        "--unknown-ids",
        choices=UNKNOWN_IDS,
        default="ignore",
        help="what to do with predictions for ids that --gold lacks (default: %(default)s)",
    )


def score_files(gold: Path, pred: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Scores a file of predictions against a file with the gold events.

    Ids that only one of the files has are named on standard error.

    Args:
        gold: JSON lines in the official form, such as duee_dev.json; or the official folder, whose dev file is taken.
        pred: the same form, or a zip with one such file; see `submission.read_event_lists`.
        args: the options of `add_arguments`.

    Raises: UserError if a file is missing or malformed, or the files have no id in common.
    """
    gold = data.find_file(gold, "valid") if gold.is_dir() else gold
    wanted, found = submission.read_event_lists(gold), submission.read_event_lists(pred)
    _check_aliases(gold, wanted)
    missing, unknown = [row_id for row_id in wanted if row_id not in found], found.keys() - wanted.keys()
    if len(missing) == len(wanted):
        raise UserError(f"{pred}: none of its {len(found)} ids is in {gold}, which has ids such as {missing[0]!r}.")
    if missing:
        print(f"{pred}: {len(missing)} of {len(wanted)} ids are missing; they count as empty.", file=sys.stderr)
    if unknown:
        done = "counted as wrong" if args.unknown_ids == "count" else "ignored; see --unknown-ids"
        print(f"{pred}: {len(unknown)} of {len(found)} ids are not in {gold}: {done}.", file=sys.stderr)
    return score(wanted, found, args.reading, args.unknown_ids)


def _check_aliases(gold: Path, answers: Answers) -> None:
    for row_id, event in _events(answers):
        for argument in event["arguments"]:
            try:
                data.alias_texts(argument)
            except Problem as problem:
                raise UserError(f"{gold}: id {row_id!r}: {problem}.") from None
