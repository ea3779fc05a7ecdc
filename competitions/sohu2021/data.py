"""Reads the official files of Sohu 2021: six folders with `train.txt`, `valid.txt` and `test_with_id.txt`.

Every file holds JSON lines with `source` and `target`; train and valid lines carry `labelA` or `labelB` (by folder, "0"
or "1"), test lines an `id`. The second round added files such as `train_r2.txt` and `valid_rematch.txt`; any
`train_*.txt` and `valid_*.txt` is read after the main file, in order of its name. Texts are never altered.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from competitions.sohu2021.variants import VARIANTS, Variant, variant_of_id
from shared.errors import UserError
from shared.json_lines import BadLine, Problem, check_surrogates, lines, parse_object, short, text_field

FILES = {"train": "train.txt", "valid": "valid.txt", "test": "test_with_id.txt"}
README = "competitions/sohu2021/README.md"


class DataSettings(Protocol):
    """What the reader needs of the section `data`; importing `settings.py` itself would slow `pipelines.score`."""

    @property
    def on_bad_line(self) -> str:
        """`error` or `skip`."""

    @property
    def extra_files(self) -> bool:
        """Whether the second round's files are read too."""


@dataclass(frozen=True, slots=True)
class Example:
    """One pair of texts. label: 1 means match; None where the line carries none, as in the official test files."""

    id: str
    variant: int
    source: str
    target: str
    label: int | None


@dataclass(frozen=True, slots=True)
class RawData:
    """All that the official folder holds; `files` in the order in which they were read."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    bad_lines: list[BadLine]
    files: list[Path]


def read(folder: Path, settings: DataSettings) -> RawData:
    """Reads the three splits of all six variants. Raises: UserError, see `read_split`."""
    splits: dict[str, list[Example]] = {}
    bad_lines: list[BadLine] = []
    files: list[Path] = []
    for split in FILES:
        splits[split], bad, read_files = read_split(folder, split, settings.on_bad_line, settings.extra_files)
        bad_lines += bad
        files += read_files
    return RawData(**splits, bad_lines=bad_lines, files=files)


def read_split(
    folder: Path, split: str, on_bad_line: str = "error", extra_files: bool = True, all_variants: bool = True
) -> tuple[list[Example], list[BadLine], list[Path]]:
    """Reads one split of all six variants.

    A line without `id` gets one from its running number within the files of its variant. A line left out keeps its
    number, so the ids of the others do not depend on `on_bad_line`.

    Args:
        folder: holds the six folders of the official archive.
        split: `train`, `valid` or `test`.
        on_bad_line: `error`, or `skip` to leave bad lines out and return them. Test lines are always checked strictly:
            a submission must answer each of them, so there is none to leave out.
        extra_files: whether the second round's files are read too, where there are any.
        all_variants: whether all six folders must be there; else one of them is enough.

    Returns: the examples, the lines left out, the files read.

    Raises: UserError for a folder or file that is missing, unreadable, not UTF-8 or without a usable line, whatever
        `on_bad_line` says; for a bad line unless it is skipped.
    """
    if split not in FILES:
        raise ValueError(f"split is {split!r}; valid ones: {', '.join(FILES)}")
    if on_bad_line not in ("error", "skip"):
        raise ValueError(f"on_bad_line is {on_bad_line!r}; valid ones: error, skip")
    _check_folders(folder, all_variants)
    examples: list[Example] = []
    bad_lines: list[BadLine] = []
    files: list[Path] = []
    for variant in VARIANTS:
        if not (all_variants or (Path(folder) / variant.folder).is_dir()):
            continue
        number = 0
        places: dict[str, str] = {}  # id -> where it stands
        for file in _files(Path(folder) / variant.folder, split, extra_files):
            files.append(file)
            usable, skipped = len(examples), len(bad_lines)
            for line_number, line in enumerate(lines(file, README), start=1):
                try:
                    example = _example(line, variant, number, split)
                    if example.id in places:
                        raise Problem(
                            f"the id {example.id!r} stands at {places[example.id]} already. Ids must be unique"
                        )
                    places[example.id] = f"{file.name}:{line_number}"
                    examples.append(example)
                except Problem as problem:
                    if on_bad_line == "error" or split == "test":
                        raise UserError(f"{file}:{line_number}: {problem}. {_advice(split)}") from None
                    bad_lines.append(BadLine(f"{file}:{line_number}", str(problem)))
                number += 1
            if len(examples) == usable:
                raise UserError(
                    f"{bad_lines[skipped].where}: {bad_lines[skipped].problem}. No line of the file is usable."
                )
    return examples, bad_lines, files


def _advice(split: str) -> str:
    if split == "test":
        return f"Mend the line: a submission must answer every test line, so none can be skipped; see {README}."
    return f"Mend or remove the line, or set data.on_bad_line to skip; see {README}."


def _check_folders(folder: Path, all_variants: bool) -> None:
    folder = Path(folder)
    expected = [variant.folder for variant in VARIANTS]
    if not folder.is_dir():
        found = "a file, not a folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {found}. Expected the folder that holds {', '.join(expected)}; see {README}.")
    missing = [name for name in expected if not (folder / name).is_dir()]
    if missing and (all_variants or len(missing) == len(expected)):
        inner = [path.parent for path in sorted(folder.glob(f"*/{expected[0]}"))]
        advice = f"Did you mean {inner[0]}?" if inner else f"Unpack the official archive there; see {README}."
        raise UserError(
            f"{folder}: {len(missing)} of the 6 folders of the official layout missing: {', '.join(missing)}. {advice}"
        )


def _files(folder: Path, split: str, extra_files: bool) -> list[Path]:
    main = folder / FILES[split]
    if not main.is_file():
        found = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise UserError(f"{main}: no such file. Found in its folder: {found}. See {README} for the official layout.")
    extra = sorted(folder.glob(f"{split}_*.txt")) if extra_files and split != "test" else []
    return [main, *extra]


def _example(line: str, variant: Variant, number: int, split: str) -> Example:
    """Returns the checked example of one line. Raises: Problem."""
    fields = parse_object(line, "a JSON object with 'source' and 'target'")
    source, target = text_field(fields, "source"), text_field(fields, "target")
    if "\\u" in line:
        check_surrogates(source + target, "'source' or 'target'")
    return Example(
        id=_id(fields, variant, number, required=split == "test"),
        variant=variant.index,
        source=source,
        target=target,
        label=_label(fields, variant, required=split != "test"),
    )


def _label(fields: dict[str, Any], variant: Variant, required: bool) -> int | None:
    name = variant.label_field
    if name not in fields:
        if not required:
            return None
        other = "labelB" if name == "labelA" else "labelA"
        found = f"{other!r} in a folder of class {variant.kind.upper()}" if other in fields else f"no {name!r}"
        raise Problem(f"{found}. Lines in {variant.folder} need {name!r}")
    value = fields[name]
    if value in ("0", "1") or (type(value) is int and value in (0, 1)):  # bool is an int, and true is no label
        return int(value)
    raise Problem(f'{name!r} is {short(value)}. Valid labels: "0" and "1"')


def _id(fields: dict[str, Any], variant: Variant, number: int, required: bool) -> str:
    if "id" not in fields:
        if not required:
            return variant.id(number)
        raise Problem(f"no 'id'. Expected one such as {variant.id(number)!r}")
    value = fields["id"]
    try:
        found = variant_of_id(value)
    except (TypeError, ValueError):
        raise Problem(f"the id is {short(value)}. Expected one such as {variant.id(number)!r}") from None
    if found != variant:
        raise Problem(
            f"the id {value!r} belongs to {found.folder}. "
            f"Lines in {variant.folder} need one such as {variant.id(number)!r}"
        )
    return str(value)
