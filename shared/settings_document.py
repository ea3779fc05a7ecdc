"""A settings file as plain values that remember their lines."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from shared.errors import UserError
from shared.files import read_text

Place = tuple[str | int, ...]  # keys and list positions from the root: ("sohu2021", "train", "kernel_sizes", 1)


@dataclass
class Document:
    """Values of a settings file, and the problems found in it so far.

    Args: name: what messages call the file. value: the root, made of dict, list, str, int, float, bool and None.
    lines: the line of each key and list item, counted from 1; empty for a document that is not read from YAML.
    """

    name: str
    value: Any
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """Returns the line of `place` or of the nearest enclosing section; 1 for the root."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def add(self, place: Place, text: str) -> None:
        """Notes one problem, made into one line of text."""
        line = self.line(place)
        where = f"{self.name}:{line}" if self.lines else self.name
        self.problems.append((line, f"{where}: {' '.join(text.split())}"))

    def raise_problems(self) -> None:
        """Raises: UserError with all problems, one per line, in the order of the file; none: does nothing."""
        if self.problems:
            raise UserError("\n".join(text for _, text in sorted(self.problems, key=lambda problem: problem[0])))


def read_yaml(path: Path) -> Document:
    """Reads a YAML 1.2 file (3e-05 is a float, `yes` and dates are text); keys are text; no anchors, no own tags.

    A key given twice is noted as a problem of the document. Raises: UserError with file:line:column for anything else
    that keeps the values from being read, and for a missing, empty or not UTF-8 file.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file. Run the command in the project's folder, where params.yaml is.")
    text = read_text(path)
    yaml = YAML(typ="safe", pure=True)
    document = Document(str(path), None)
    try:
        root = yaml.compose(text)
        if root is not None:
            document.value = _plain(root, (), document, yaml)
    except ReaderError as error:
        line = text.count("\n", 0, text.find(chr(error.character))) + 1
        raise UserError(f"{path}:{line}: not YAML: control character U+{error.character:04X}. Remove it.") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        context = f" {error.context}" if error.context else ""
        raise UserError(f"{where}: not YAML: {error.problem}{context}.") from None
    except (YAMLError, RecursionError) as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}.") from None
    if document.value is None:
        raise UserError(f"{path}: the file is empty. Bring it back, e.g. git checkout {path.name}.")
    return document


def _plain(node: Node, place: Place, document: Document, yaml: YAML) -> Any:
    """Returns the node's value and enters the lines of what it holds."""
    kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
    if node.anchor:
        raise _error(node, f"anchor '&{node.anchor}'; write the values out, as `dvc exp run -S` would do unasked")
    if isinstance(node, MappingNode) and kind == "map":
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node)
            if key in mapping:
                here, first = key_node.start_mark.line + 1, document.lines[(*place, key)]
                text = f"duplicate key '{dotted((*place, key))}', first given in line {first}. Remove one of them."
                document.problems.append((here, f"{document.name}:{here}: {text}"))
                continue
            document.lines[(*place, key)] = key_node.start_mark.line + 1
            mapping[key] = _plain(value_node, (*place, key), document, yaml)
        return mapping
    if isinstance(node, SequenceNode) and kind == "seq":
        for position, item in enumerate(node.value):
            document.lines[(*place, position)] = item.start_mark.line + 1
        return [_plain(item, (*place, position), document, yaml) for position, item in enumerate(node.value)]
    if not isinstance(node, ScalarNode):
        raise _error(node, f"tag '{node.tag}' has no meaning here; remove it")
    if kind in ("str", "timestamp", "merge", "value"):
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            raise _error(node, "text with half a character (a lone surrogate escape)")
        return node.value
    if kind not in ("null", "bool", "int", "float"):
        raise _error(node, f"tag '{node.tag}' has no meaning here; remove it")
    try:
        return yaml.constructor.construct_object(node)
    except (ValueError, KeyError):
        raise _error(node, f"'{node.value[:40]}' is not of type {kind}") from None


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode) or str(node.tag).rpartition(":")[2] not in (
        "str",
        "timestamp",
        "merge",
        "value",
    ):
        raise _error(node, "a key that is not text; put it in quotes")
    return str(node.value)


def _error(node: Node, problem: str) -> MarkedYAMLError:
    return MarkedYAMLError(problem=problem, problem_mark=node.start_mark)


def dotted(place: Place) -> str:
    """Returns the way `-S` and messages write a place: sohu2021.train.kernel_sizes[1]."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")
