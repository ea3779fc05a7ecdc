"""What a checkpoint holds against what the model needs, so that no layer stays random without a word."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np

from shared.backbones.architecture import Architecture
from shared.errors import UserError
from shared.faults import Faults
from shared.pretrained import checkpoint as checkpoints
from shared.pretrained.checkpoint import Checkpoint
from shared.pretrained.harmless import reason
from shared.pretrained.names import PARTS, Entry, Part, entries, find_naming
from shared.pretrained.naming import Naming
from shared.pretrained.tensors import Tensor, brief

FLOATS = ("float32", "float16", "bfloat16", "float64")
Presence = Literal["present", "absent"]
_NOT_LOADED = "of a head that this model has not"
_SHOWN = 8  # names of each kind in a rendered audit


@dataclass(frozen=True)
class Audit:
    """What became of each tensor of a checkpoint; see `problems`.

    path: of the folder. matched: names of the tensors that make weights. missing: tensors that a part needs and the
    checkpoint lacks. unexpected: tensors that nothing is known of. mismatched: name, shape in the file, shape that the
    model has. harmless: name to reason. ignored: names that the user gave up. dtypes: how many matched tensors have
    each. parameters: of the weights that are made. sha256: by file name, {} if not asked for.
    mlm_head, pooler: whether the file has them, loaded or not; whether the head is a trained one shows only on text.
    """

    path: Path
    format: str
    architecture: Architecture
    vocabulary_size: int
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    harmless: dict[str, str]
    ignored: tuple[str, ...]
    dtypes: dict[str, int]
    parameters: int
    mlm_head: Presence
    pooler: Presence
    sha256: dict[str, str]
    sources: tuple[tuple[Entry, tuple[Tensor, ...]], ...] = field(repr=False)

    @property
    def problems(self) -> str:
        """What forbids the load, in one line; empty if nothing does."""
        faults = Faults()
        for name in self.missing:
            faults.add("missing tensors", brief(name))
        for name, file_shape, model_shape in self.mismatched:
            faults.add(
                "tensors of another shape", f"{brief(name)} is {list(file_shape)}, the model has {list(model_shape)}"
            )
        for dtype in sorted(set(self.dtypes) - set(FLOATS)):
            faults.add("dtypes that are no floats", f"{dtype} in {self.dtypes[dtype]} tensors: quantized?")
        for name in self.unexpected:
            faults.add("tensors that no part of the model takes", brief(name))
        return str(faults)

    def require(self) -> "Audit":
        """Returns the audit. Raises: UserError with all problems and what to do."""
        if not self.problems:
            return self
        advice = []
        if self.missing or self.mismatched:
            advice.append("Download it again, with the configuration of the same release.")
        if self.unexpected:
            advice.append(
                "They may be the head of another task: take the release they were trained from, or name them in "
                f"ignore_tensors (--ignore) if they may be lost: '{_pattern(self.unexpected[0])}'."
            )
        raise UserError(" ".join([f"{self.path}: {self.problems}.", *advice]))

    def summary(self) -> dict[str, Any]:
        """Returns what is worth keeping beside a model, for JSON."""
        return {
            "path": self.path.as_posix(),
            "format": self.format,
            "kind": self.architecture.kind,
            "vocabulary_size": self.vocabulary_size,
            "matched": len(self.matched),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "mismatched": [[name, list(file), list(model)] for name, file, model in self.mismatched],
            "harmless": dict(Counter(self.harmless.values())),
            "ignored": list(self.ignored),
            "dtypes": self.dtypes,
            "parameters": self.parameters,
            "mlm_head": self.mlm_head,
            "pooler": self.pooler,
            "sha256": self.sha256,
        }


def audit(
    checkpoint: Checkpoint,
    architecture: Architecture,
    vocabulary_size: int,
    parts: Collection[Part] = PARTS,
    ignore: Sequence[str] = (),
    checksum: bool = True,
) -> Audit:
    """Returns what is to be done with each tensor. Reads only those that must be compared, and for checksums all files.

    Args: vocabulary_size: rows that the model has. parts: of the model; heads are loaded if the checkpoint has them.
        ignore: patterns (`classifier.*`) of tensors that the user gives up: a head of which
        nothing else is left is absent; what the backbone needs is loaded all the same.
    Raises: UserError as `find_naming`, or if a file is damaged. Problems do not raise; see `Audit.require`.
    """
    naming, tensors = find_naming(checkpoint), checkpoint.tensors
    tied = {naming.tokens: naming.tied_table, naming.head_bias: naming.tied_bias}
    heads = {part: _head(checkpoint, architecture, vocabulary_size, naming, part, ignore) for part in PARTS[1:]}
    wanted = entries(architecture, vocabulary_size, naming, {"backbone"})
    for part in PARTS[1:]:
        wanted += heads[part] if part in parts else []

    sources, missing, mismatched = [], [], []
    for entry in wanted:
        found = [_find(tensors, naming, name) for name in entry.theirs]
        sources.append((entry, tuple(tensor for tensor in found if tensor)))
        for name, tensor in zip(entry.theirs, found, strict=True):
            if tensor is None:
                missing.append(name)
            elif tensor.shape != entry.their_shape:
                mismatched.append((tensor.name, tensor.shape, entry.their_shape))
    used = {tensor.name: tensor for _, group in sources for tensor in group}
    unread = {
        tensor.name
        for part in PARTS[1:]
        for entry in heads[part]
        for name in entry.theirs
        if part not in parts and (tensor := _find(tensors, naming, name))
    }
    copies = {copy: name for name, copy in tied.items() if copy in tensors and copy not in used}

    harmless: dict[str, str] = {}
    unexpected, ignored = [], []
    for name, tensor in tensors.items():
        if name in used:
            continue
        if name in unread or (name in copies and "mlm" not in parts):
            why: str | None = _NOT_LOADED
        elif name in copies:
            original = tensors.get(copies[name])
            why = "a copy" if original and _equal(tensor, original) else None
        elif (
            not heads["pooler"]
            and naming.pooler
            and not _matches(name, ignore)
            and name.startswith(f"{naming.pooler}{'.' if naming.transpose else '/'}")
        ):
            why = "a pooler without tanh, as RoFormer-Sim has"  # one with tanh is among the heads
        else:
            why = reason(checkpoint, naming, tensor)
        if why is not None:
            harmless[name] = why
        elif _matches(name, ignore):
            ignored.append(name)
        else:
            unexpected.append(name)
    plain = architecture.norm == "rms"  # its head has no weights
    return Audit(
        path=checkpoint.path,
        format=checkpoint.format,
        architecture=architecture,
        vocabulary_size=vocabulary_size,
        matched=tuple(used),
        missing=tuple(missing),
        unexpected=tuple(sorted(unexpected)),
        mismatched=tuple(mismatched),
        harmless=harmless,
        ignored=tuple(sorted(ignored)),
        dtypes=dict(Counter(tensor.dtype for tensor in used.values())),
        parameters=sum(int(np.prod(entry.shape, dtype=np.int64)) for entry in wanted),
        mlm_head="present" if heads["mlm"] or plain else "absent",
        pooler="present" if heads["pooler"] else "absent",
        sha256=checkpoints.sha256(checkpoint) if checksum else {},
        sources=tuple(sources),
    )


def render(audit: Audit) -> str:
    """Returns the audit as Markdown: a few lines if all is well, else with the names of what is not."""
    this = audit.architecture
    lines = [
        f"{audit.path}: {this.kind}, {this.num_layers} layers x {this.hidden_dim}, {audit.vocabulary_size:,} tokens",
        f"- {audit.format}: {len(audit.matched)} tensors matched, {audit.parameters:,} parameters, "
        + ", ".join(f"{dtype} x {count}" for dtype, count in audit.dtypes.items()),
        f"- masked language model head {audit.mlm_head}, pooler {audit.pooler}",
    ]
    for why, count in Counter(audit.harmless.values()).items():
        first = next(name for name, reason in audit.harmless.items() if reason == why)
        lines.append(f"- left out: {count} x {why} ({brief(first)}{', ...' if count > 1 else ''})")
    groups: tuple[tuple[str, Sequence[Any], Callable[[Any], str]], ...] = (
        ("left out as told", audit.ignored, brief),
        ("MISSING", audit.missing, brief),
        ("UNEXPECTED", audit.unexpected, brief),
        ("OF ANOTHER SHAPE", audit.mismatched, lambda row: f"{brief(row[0])} {list(row[1])}, model {list(row[2])}"),
    )
    for title, rows, text in groups:
        if rows:
            more = f", and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
            lines.append(f"- {title}: {len(rows)}: {', '.join(map(text, rows[:_SHOWN]))}{more}")
    lines += [f"- sha256 {digest} {name}" for name, digest in audit.sha256.items()]
    return "\n".join(lines)


def _head(
    checkpoint: Checkpoint,
    architecture: Architecture,
    vocabulary_size: int,
    naming: Naming,
    part: Part,
    ignore: Sequence[str],
) -> list[Entry]:
    """Returns the entries of a head: all if the checkpoint has any, none if it has none or one that is not built."""
    found = entries(architecture, vocabulary_size, naming, {part})
    names = [name for entry in found for name in entry.theirs]
    if not any(name in checkpoint.tensors and not _matches(name, ignore) for name in names):
        return []
    if part == "pooler" and architecture.position == "rotary":
        # Of TensorFlow's RoFormers only RoFormer-Sim has a pooler, and JunnYu's configurations tell.
        told = checkpoint.config.get("pooler_activation", "linear" if checkpoint.format == "tensorflow" else "tanh")
        return found if told == "tanh" else []
    return found


def _find(tensors: dict[str, Tensor], naming: Naming, name: str) -> Tensor | None:
    return next((tensors[each] for each in (name, *naming.others(name)) if each in tensors), None)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(np.array_equal(one.read(), other.read()))


def _pattern(name: str) -> str:
    """Returns a pattern for a tensor and its neighbours in the same head: 'classifier.*' for classifier.weight."""
    return re.sub(r"([./])[^./]+$", r"\1*", name)
