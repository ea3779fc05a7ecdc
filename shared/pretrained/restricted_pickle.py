"""A pickle machine that builds dicts, lists, tuples and what it is told to, and nothing else.

Python's own unpickler executes what a file asks for; filtering its `find_class` still leaves it to allocate what a
file claims. This one interprets the few opcodes that PyTorch's state dicts need over inert values: no attribute is
looked up, no class is made, nothing of the file is called.
Reference: the opcodes are documented in Python's `pickletools`, which also splits the stream here.
"""

import pickletools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from shared.errors import UserError
from shared.pretrained.tensors import brief

MAX_BYTES = 1 << 24  # a state dict takes 100 to 200 bytes a tensor; numbers are stored elsewhere
MAX_STEPS = 1 << 21  # a tensor takes about 40; at most 1 KB and 2 microseconds each

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_VALUES = {  # the argument is the value
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_CODE = {  # opcodes that make or call objects; here for a message that says so
    *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID"),
}


@dataclass(frozen=True)
class Function:
    """A global that may be called: `call` gets the file's arguments, whatever they are, and must check them."""

    call: Callable[..., Any]


def load_pickle(file: BinaryIO, where: str, names: Mapping[str, Any], persistent: Callable[[Any], Any]) -> Any:
    """Returns the value of the pickle at the file's position and leaves the position behind it.

    Args: where: the file, for messages. names: "module.name" -> Function or the value it stands for; others are
        refused. persistent: turns a persistent id, which it must check, into a value.
    Raises: UserError if the pickle is damaged, too large, or asks for anything but values and `names`.
    """
    machine = _Machine(where, names, persistent)
    try:
        return machine.run(pickletools.genops(_Bounded(file, where)))  # type: ignore[arg-type]
    except UserError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:  # ValueError: from genops
        raise UserError(f"{where}: its pickle is damaged: {brief(str(error))}. Download it again.") from None


class _Bounded:
    """Hands out at most MAX_BYTES, however many the pickle claims: a claim is allocated before it is read."""

    def __init__(self, file: BinaryIO, where: str):
        self._file, self._left, self._where = file, MAX_BYTES, where

    def read(self, count: int) -> bytes:
        return self._take(self._file.read(min(count, self._left + 1)))

    def readline(self) -> bytes:
        return self._take(self._file.readline(self._left + 1))

    def _take(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise UserError(
                f"{self._where}: its pickle takes more than {MAX_BYTES:,} bytes. Expected a state dict, "
                "whose numbers are stored apart from the pickle."
            )
        return data


class _Machine:
    def __init__(self, where: str, names: Mapping[str, Any], persistent: Callable[[Any], Any]):
        self._where, self._names, self._persistent = where, names, persistent
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []  # the stacks below each mark
        self._memo: dict[int, Any] = {}  # a list, as Python has it, would be as long as the largest index claimed

    def run(self, operations: Iterable[tuple[pickletools.OpcodeInfo, Any, int | None]]) -> Any:
        for step, (opcode, argument, _) in enumerate(operations):
            if step > MAX_STEPS:
                raise UserError(
                    f"{self._where}: its pickle takes more than {MAX_STEPS:,} steps. Expected a state dict."
                )
            if opcode.name == "STOP":
                break
            self._do(opcode.name, argument)
        return self._stack.pop()

    def _do(self, name: str, argument: Any) -> None:
        stack, memo = self._stack, self._memo
        if name in _VALUES:
            stack.append(argument)
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MARK":
            self._marked.append(stack)
            self._stack = []
        elif name == "TUPLE":
            self._close_mark().append(tuple(stack))
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(self._top(_TUPLES[name]))]
        elif name == "APPEND":
            self._extend([stack.pop()], self._stack[-1])
        elif name == "APPENDS":
            self._extend(stack, self._close_mark()[-1])
        elif name == "SETITEM":
            items = self._top(2)
            del stack[-2:]
            self._update(items, stack[-1])
        elif name == "SETITEMS":
            self._update(stack, self._close_mark()[-1])
        elif name == "GLOBAL":
            stack.append(self._global(argument.replace(" ", ".", 1)))
        elif name == "STACK_GLOBAL":
            module, attribute = self._top(2)
            stack[-2:] = [self._global(f"{_text(module)}.{_text(attribute)}")]
        elif name == "REDUCE":
            function, arguments = self._top(2)
            if not isinstance(function, Function) or not isinstance(arguments, tuple):
                raise self._refused(f"to call {brief(function)}")
            stack[-2:] = [self._call(function, arguments)]
        elif name == "BUILD":
            self._build(stack.pop())
        elif name == "BINPERSID":
            stack.append(self._persistent(stack.pop()))
        elif name in _CODE:
            raise self._refused(f"for an object ({name}{' ' + brief(argument) if argument else ''})")
        elif name not in ("PROTO", "FRAME"):
            raise UserError(
                f"{self._where}: its pickle has the opcode {name}, which no state dict has. Download it again."
            )

    def _close_mark(self) -> list[Any]:
        self._stack = self._marked.pop()
        return self._stack

    def _top(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise IndexError("stack underflow")
        return self._stack[-count:]

    def _extend(self, values: list[Any], target: Any) -> None:
        if type(target) is not list:
            raise TypeError("items for what is no list")
        target.extend(values)

    def _update(self, items: list[Any], target: Any) -> None:
        if type(target) is not dict or len(items) % 2:
            raise TypeError("entries for what is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int, float, bool, type(None)):  # hashing nested tuples can take for ever
                raise TypeError(f"a {type(key).__name__} as a key")
            if key in target:
                raise UserError(
                    f"{self._where}: its pickle has the entry {brief(key)} twice. Expected names that differ."
                )
            target[key] = value

    def _global(self, name: str) -> Any:
        if name not in self._names:
            raise self._refused(f"for {brief(name)}")
        return self._names[name]

    def _call(self, function: Function, arguments: tuple[Any, ...]) -> Any:
        try:
            return function.call(*arguments)
        except TypeError as error:  # the number of arguments
            raise TypeError(f"a call with wrong arguments, {error}") from None

    def _build(self, state: Any) -> None:
        """PyTorch gives the dict of a state dict the versions of its modules as an attribute; here it is dropped."""
        target = self._stack[-1]
        if type(target) is not dict or type(state) is not dict or set(state) - {"_metadata"}:
            raise self._refused(f"to set attributes of a {type(target).__name__}")

    def _refused(self, what: str) -> UserError:
        return UserError(
            f"{self._where}: its pickle asks {what}, which tensors do not need and which could run code. Nothing was "
            "run. Take the safetensors file of the release, or have it saved again as torch.save(model.state_dict())."
        )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a global whose name is no text")
    return value
