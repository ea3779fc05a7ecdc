"""The official measure of DuIE 2.0: precision, recall and F1 over exactly matching triples.

It follows `re_official_evaluation.py` of PaddlePaddle/Research (KG/DuIE_Baseline/script). Before comparing, both sides
are lower-cased and lose 《》 round the whole subject or slot value, nothing else; types are ignored; every slot must
match. The text is the key. Triples of one text that match each other count once. Predictions for unknown texts are
ignored. Every quotient by 0 is 0.

A name may also match by its aliases, a file that was never published. The subject's direction counts: an alias of the
predicted subject helps precision, one of the gold subject recall. So their numerators differ: `correct` and `found`.
Values of slots must be aliases of each other. Aliases of aliases do not count.
"""

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from competitions.lic2020_re import data, submission
from shared.errors import UserError
from shared.files import read_bytes, read_text
from shared.json_lines import Problem, kind, text_field

Triples = Iterable[Mapping[str, Any]]  # of one text, in the official form; types may be absent
Aliases = Mapping[str, Collection[str]]  # name -> its aliases, all lower-cased


class Normalized(NamedTuple):
    """A triple as it is compared. object: (slot, value) pairs."""

    predicate: str
    subject: str
    object: frozenset[tuple[str, str]]


def score(
    gold: Mapping[str, Triples], predicted: Mapping[str, Triples], aliases: Aliases | None = None
) -> dict[str, Any]:
    """Returns the official figures as unrounded fractions, with what they are made of.

    Args:
        gold: text -> its triples, each with `subject`, `predicate` and `object` (slot -> value).
        predicted: the same; a text that is absent has no triple, one that gold has not is ignored.
        aliases: lower-cased name -> its lower-cased aliases.

    Returns: `f1`, `precision` = correct / predicted, `recall` = found / gold; `correct`: predicted triples that match a
        gold one, `found`: gold triples that match a predicted one, `predicted` and `gold`: all of them, repeats left
        out; `by_predicate`: for each predicate, the most frequent first, an object of the same figures, with `n` for
        the number of gold triples.
    """
    aliases = aliases or {}
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for text, gold_triples in gold.items():
        wanted = _distinct(map(_normalized, gold_triples), aliases)
        answered = dict.fromkeys(map(_normalized, predicted.get(text, ())))
        for triple in wanted:
            tallies[triple.predicate]["gold"] += 1
            tallies[triple.predicate]["found"] += _matches(triple, answered, aliases)
        for triple in _distinct(answered, aliases):
            tallies[triple.predicate]["predicted"] += 1
            tallies[triple.predicate]["correct"] += _matches(triple, wanted, aliases)
    total = sum(tallies.values(), Counter())
    by_frequency = sorted(tallies.items(), key=lambda item: (-item[1]["gold"], item[0]))
    by_predicate = {name: {"n": tally["gold"], **_figures(tally)} for name, tally in by_frequency}
    return {**_figures(total), "gold": total["gold"], "by_predicate": by_predicate}


def _figures(tally: Counter[str]) -> dict[str, float]:
    precision = tally["correct"] / tally["predicted"] if tally["predicted"] else 0.0
    recall = tally["found"] / tally["gold"] if tally["gold"] else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    counts = {name: tally[name] for name in ("correct", "found", "predicted")}
    return {"f1": f1, "precision": precision, "recall": recall, **counts}


def normalize(name: str) -> str:
    """Returns a subject or a slot's value as it is compared: lower-cased, without 《》 round the whole."""
    return (name[1:-1] if name.startswith("《") and name.endswith("》") else name).lower()


def _normalized(triple: Mapping[str, Any]) -> Normalized:
    slots = frozenset((slot, normalize(value)) for slot, value in triple["object"].items())
    return Normalized(triple["predicate"], normalize(triple["subject"]), slots)


def _distinct(triples: Iterable[Normalized], aliases: Aliases) -> dict[Normalized, None]:
    """Returns the triples, of those that match each other the first."""
    kept: dict[Normalized, None] = {}
    for triple in triples:
        if not _matches(triple, kept, aliases):
            kept[triple] = None
    return kept


def _matches(triple: Normalized, others: Collection[Normalized], aliases: Aliases) -> bool:
    if triple in others:
        return True
    return bool(aliases) and any(form in others for form in _forms(triple, aliases))


def _forms(triple: Normalized, aliases: Aliases) -> Iterator[Normalized]:
    """Yields all triples that this one matches, itself among them."""
    slots = [[(slot, form) for form in _mutual_aliases(value, aliases)] for slot, value in triple.object]
    for subject in (triple.subject, *aliases.get(triple.subject, ())):
        for form in product(*slots):
            yield Normalized(triple.predicate, subject, frozenset(form))


def _mutual_aliases(name: str, aliases: Aliases) -> list[str]:
    """Returns the name and those of its aliases that have it for an alias in turn."""
    return [name, *(other for other in aliases.get(name, ()) if name in aliases.get(other, ()))]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `pipelines.score` that only this competition has."""
    parser.add_argument(
        "--alias", type=Path, metavar="FILE", help="lines of a name and its aliases, set apart by tabs (default: none)"
    )


def score_files(gold: Path, pred: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Scores a submission against a file in the official form; checks and order of reading are the official script's.

    Args:
        gold: file with `text` and `spo_list` a line, or the official folder, whose development file is taken.
        pred: the zip. Predictions for texts that gold has not are ignored, with a note on standard error.
        args: the options of `add_arguments`.

    Raises: UserError where the script ends with an error code or an exception: a file is missing, is no zip, or a line
        has another form, a blank one too. Also for a text or predicate that is no string and an empty `spo_list` that
        is no list, which the script lets pass by chance.
    """
    aliases = {} if args.alias is None else read_aliases(args.alias)
    wanted = _read_gold(data.find_file(gold, "valid") if gold.is_dir() else gold)
    answered = _by_text((f"{pred}: {where}", line) for where, line in submission.read_lines(pred))
    unknown, missing = len(answered.keys() - wanted.keys()), len(wanted.keys() - answered.keys())
    if unknown or missing:
        print(
            f"{pred}: {missing} of {len(wanted)} gold texts are not in it; {unknown} of its texts are not in {gold} "
            f"and do not count.",
            file=sys.stderr,
        )
    return score(wanted, answered, aliases)


def read_aliases(file: Path) -> dict[str, frozenset[str]]:
    """Reads lines of a name and its aliases, set apart by tabs; all are lower-cased. A later line replaces an earlier.

    Raises: UserError if the file cannot be read or is not UTF-8.
    """
    rows = (line.strip().lower().split("\t") for line in read_text(file).split("\n"))
    return {name: frozenset(others) for name, *others in rows}


def _read_gold(file: Path) -> dict[str, list[Any]]:
    content = read_bytes(file)
    if content.startswith(submission.BYTE_ORDER_MARK.encode()):
        raise UserError(f"{file}:1: a byte order mark, which the official script refuses. Save the file without it.")
    return _by_text((f"{file}:{number}", line) for number, line in enumerate(BytesIO(content), start=1))


def _by_text(lines: Iterable[tuple[str, bytes]]) -> dict[str, list[Any]]:
    """Returns the triples of each text; of equal texts the last line counts. lines: with their places."""
    found = {}
    for where, line in lines:
        try:
            text, entries = submission.parse_line(line)
            for entry in entries:
                _check_form(entry)
        except Problem as problem:
            raise UserError(f"{where}: {problem}. The official script reads no file with such a line.") from None
        found[text] = entries
    return found


def _check_form(entry: Any) -> None:
    """Raises: Problem for a triple that the official script does not take."""
    if not isinstance(entry, dict):
        raise Problem(f"a triple is {kind(entry)}. Expected an object with 'subject', 'predicate' and 'object'")
    for name in ("subject", "predicate"):
        text_field(entry, name, blank=True)
    if "object" not in entry:
        raise Problem("no 'object'. Expected an object of slot to text")
    if not isinstance(entry["object"], dict):
        raise Problem(f"'object' is {kind(entry['object'])}. Expected an object of slot to text")
    for slot in entry["object"]:
        text_field(entry["object"], slot, blank=True)
