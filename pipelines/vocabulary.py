"""Gives a published checkpoint another vocabulary; OUT can then be named by `model.backbone.pretrained`.

OUT becomes a Hugging Face folder with vocabulary_report.json in it. Texts are lines of UTF-8 files (--texts), or all
that a competition of params.yaml reads (--competition).
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from shared.cli import run
from shared.errors import UserError
from shared.pretrained import resize
from shared.settings import load_settings, raw_folders
from shared.task import load_task
from shared.text import sources
from shared.text import vocabulary_tools as tools
from shared.text.settings import TextSettings
from shared.text.units import tokenizer_for, units_of
from shared.text.vocabulary import Vocabulary

Result = tuple[tools.Change, list[str]]  # and what the user should know


@dataclass(frozen=True)
class Texts:
    """Some texts and how they become tokens. read: opens them anew at every call."""

    name: str
    read: Callable[[], Iterator[str]]
    settings: TextSettings

    def with_units(self, vocabulary: Vocabulary) -> "Texts":
        """Returns the same with `units: auto` decided, since another vocabulary could decide it in another way."""
        return replace(self, settings=self.settings.model_copy(update={"units": units_of(vocabulary, self.settings)}))


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> None:
    args = _parser().parse_args(argv)
    resize.require_new(args.out)
    source = resize.open_source(args.path, args.kind)
    texts = [*_files(args, source), *map(_competition, args.competition)]
    if not texts:
        raise UserError(f"{args.tool}: no texts. Name files with --texts, or a competition with --competition.")
    texts = [each.with_units(source.vocabulary) for each in texts]
    change, notes = {"trim": _trim, "extend": _extend, "frequency": _frequency}[args.tool](args, source, texts)
    about = {
        "tool": args.tool,
        "texts": {each.name: {"lowercase": each.settings.lowercase, "units": each.settings.units} for each in texts},
        "notes": notes,
    }
    report = resize.write_resized(args.out, source, change, about, args.ignore)
    tokens, parameters = report["tokens"], report["parameters"]
    print(
        f"{args.out}: {tokens['before']:,} -> {tokens['after']:,} tokens, {parameters['before']:,} -> "
        f"{parameters['after']:,} parameters; {resize.REPORT} there tells more."
    )
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _trim(args: argparse.Namespace, source: resize.Source, texts: list[Texts]) -> Result:
    counts = _counts(texts, source.vocabulary)
    change = tools.trim(source.vocabulary, counts, keep_characters=not args.only_used)
    small = Vocabulary(change.tokens)
    change = tools.confirmed(change, counts, _counts(texts, small))
    lost = change.report["unseen_text"]["share_lost_estimate"]
    notes = [
        f"these texts lose no token. Of unseen text like them about {lost:.2%} of the tokens would be cut into pieces "
        "or become [UNK] (estimate: the share of tokens seen once). Trim again when other texts come."
    ]
    auto = units_of(small, text_settings())
    for units in sorted({each.settings.units for each in texts} - {auto}):
        notes.append(f"set text.units: {units}. So few words are left that auto would now mean {auto}.")
    return change, notes


def _extend(args: argparse.Namespace, source: resize.Source, texts: list[Texts]) -> Result:
    words: Counter[str] = Counter()
    for each in texts:
        words.update(tools.word_counts(each.read(), tools.segmenter(each.settings.lowercase)))
    characters = tokenizer_for(source.vocabulary, text_settings(units="char"))
    change = tools.extend(source.vocabulary, words, characters, args.words, args.min_count)
    found = units_of(Vocabulary(change.tokens), text_settings()) == "word"
    units = "text.units: auto now means word" if found else "set text.units: word, else the new words are not found"
    return change, [f"{units}. Words suit matching; for spans characters are better."]


def _frequency(args: argparse.Namespace, source: resize.Source, texts: list[Texts]) -> Result:
    ids = sources.id_counts(args.ids)  # before the reference text, which may be large
    change = tools.align_frequencies(source.vocabulary, _counts(texts, source.vocabulary), ids, args.min_count)
    added = change.report["added"]
    rare, behind = added["left_out_below_min_count"], added["beyond_reference_text"]
    notes = [f"{rare} of {len(ids)} ids are there less than {args.min_count} times and become [UNK]."] if rare else []
    if behind:
        notes.append(f"{behind} ids rank behind all tokens of the reference text; give more of it to match them too.")
    return change, notes


def _counts(texts: list[Texts], vocabulary: Vocabulary) -> np.ndarray:
    """Returns how often each token stands in all texts, (tokens,) int64."""
    counts = [
        tools.token_counts(each.read(), tokenizer_for(vocabulary, each.settings), len(vocabulary)) for each in texts
    ]
    return np.sum(counts, axis=0)


def _files(args: argparse.Namespace, source: resize.Source) -> list[Texts]:
    """Returns the texts of the files, to be tokenized as the checkpoint says unless the arguments know better."""
    lowercase = bool(source.checkpoint.tokenizer.get("do_lower_case", True)) if args.cased is None else not args.cased
    settings = text_settings(lowercase=lowercase, units=args.units)
    return [Texts(str(file), partial(sources.file_texts, [file]), settings) for file in args.texts]


def _competition(name: str) -> Texts:
    """Returns all texts of a competition, train, valid and test, to be tokenized as its params say."""
    task = load_task(name)
    settings: Any = load_settings(name, task.settings)  # every competition has the sections data and text
    raw = task.read(raw_folders()[name], settings.data)
    return Texts(name, partial(sources.example_texts, raw), settings.text)


def text_settings(**values: Any) -> TextSettings:
    """Returns the settings of texts that no competition has any for."""
    return TextSettings(vocabulary=None, **values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines.vocabulary", description=__doc__)
    commands = parser.add_subparsers(dest="tool", required=True, metavar="trim|extend|frequency")
    trim = commands.add_parser("trim", help="keep the tokens that the texts use: a smaller embedding, equal outputs")
    extend = commands.add_parser("extend", help="add the texts' frequent words, as means of their characters")
    frequency = commands.add_parser("frequency", help="tokens for masked ids, by rank among those of ordinary texts")
    for command in (trim, extend, frequency):
        add = command.add_argument
        add("path", type=Path, metavar="PATH", help="folder of the checkpoint, or its weights")
        add("out", type=Path, metavar="OUT", help="folder to write; must not exist")
        add("--texts", type=Path, nargs="+", default=[], metavar="FILE", help="UTF-8, one text a line")
        add("--competition", nargs="+", default=[], metavar="NAME", help="its train, valid and test texts")
        add("--units", choices=("auto", "char", "word"), default="auto", help="of --texts; default: auto, by vocab.txt")
        add("--cased", action=argparse.BooleanOptionalAction, help="of --texts; default: as tokenizer_config.json says")
        add("--kind", help="family of the checkpoint, where its files do not tell")
        add("--ignore", action="append", default=[], metavar="PATTERN", help="tensors to leave out; may be repeated")
    trim.add_argument("--only-used", action="store_true", help="keep no single characters for unseen texts")
    extend.add_argument("--words", type=_positive, default=20000, metavar="N", help="at most so many (20000)")
    extend.add_argument("--min-count", type=_positive, default=5, metavar="N", help="rarer words are not added (5)")
    frequency.add_argument("--ids", type=Path, nargs="+", required=True, metavar="FILE", help="integers, a text a line")
    frequency.add_argument("--min-count", type=_positive, default=5, metavar="N", help="rarer ids become [UNK] (5)")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected an integer from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
