"""Ending a run from outside without losing a step: signals become a flag that the training loop looks at, or break off
what can be done again."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from shared.errors import UserError


class Told(BaseException):
    """A signal has come within `Interruption.at_once`. No Exception, which the work might take for one of its own."""


class Interruption:
    """While active, SIGTERM and the first SIGINT (Ctrl-C) set `requested` instead of ending the process.

    Another SIGINT after that raises KeyboardInterrupt at once. A signal that the process was started to ignore stays
    ignored. On leaving, the handlers of before are back; a handler of native code, which Python cannot put back, gives
    way to the system's default. Python handles signals in the main thread only: in another one this does nothing.
    """

    def __init__(self) -> None:
        self.requested: str | None = None  # name of the first signal
        self._before: dict[signal.Signals, Any] = {}
        self._at_once = False

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                before = signal.getsignal(number)
                if before is not signal.SIG_IGN:
                    self._before[number] = before
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, signal.SIG_DFL if before is None else before)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """In this context the first signal, also one that came before, raises Told, for work that can be lost."""
        self._at_once = True
        try:
            if self.requested:
                raise Told
            yield
        finally:
            self._at_once = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = self.requested or signal.Signals(number).name
        print(f"\n{self.requested}: the run ends as soon as it can; its state is saved", file=sys.stderr)
        if self._at_once:
            self._at_once = False  # what follows, such as putting things back, is not to be broken off
            raise Told


class Interrupted(UserError):
    """The run was told to stop and did so between two steps.

    Attributes: status: exit status of the stage, 128 + the signal's number as shells count it: 143 for SIGTERM, 130 for
        SIGINT.
    """

    def __init__(self, signal_name: str, step: int, saved: bool = True):
        rest = "the state is saved: run the same command to go on"
        if not saved:
            rest = "the state could not be saved: the same command goes on from the one before, if there is one"
        super().__init__(f"stopped by {signal_name} after step {step}; {rest}")
        self.status = 128 + signal.Signals[signal_name].value
