"""Makes the next items in a thread of their own while the present one is used."""

import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
_END: Any = object()


class Prefetcher(Generic[T]):
    """Iterates over items in their order, up to `depth` of them made ahead by a background thread.

    An exception of the maker is raised where its item would have come, with its own traceback. Use it in a `with`
    block, which ends the thread however it is left; without one, the thread ends when it is done or nobody holds the
    prefetcher any more. In any case it finishes the item that it is at.

    Args: items: makes an item when it is asked for the next one, as a generator does; in the thread, so nothing else
        may draw from its random generators meanwhile. depth: items that wait or are being made, at most; 0: no thread.
    Attributes: waited_s: seconds that the consumer has waited for items.
    """

    def __init__(self, items: Iterable[T], depth: int = 2):
        if depth < 0:
            raise ValueError(f"depth must be 0 or more, got {depth}")
        self.waited_s = 0.0
        self._items: Iterator[T] = iter(items)
        self._ahead: _Ahead[T] | None = None
        if depth:
            self._ahead = _Ahead(self._items, depth)
            self._items = iter(self._ahead.take, _END)
            weakref.finalize(self, self._ahead.stop)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        started = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.waited_s += time.perf_counter() - started

    def close(self) -> None:
        """Ends the thread and waits for it; no item comes any more."""
        self._items = iter(())
        if self._ahead:
            self._ahead.stop()
            self._ahead.thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class _Ahead(Generic[T]):
    """The thread and what it has made. It does not know the prefetcher, which can so be let go."""

    def __init__(self, items: Iterator[T], depth: int):
        self.made: deque[T] = deque()
        self.changed = threading.Condition()
        self.stopped = self.ended = False
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._make, args=(items, depth), name="prefetch", daemon=True)
        self.thread.start()

    def _make(self, items: Iterator[T], depth: int) -> None:
        try:
            while self._has_room(depth) and self._put(next(items, _END)):
                pass
        except BaseException as error:  # the consumer gets it, whatever it is
            self.error = error
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def _has_room(self, depth: int) -> bool:
        """Waits for room and returns whether more items are wanted."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or len(self.made) < depth)
            return not self.stopped

    def _put(self, item: T) -> bool:
        with self.changed:
            if item is not _END:
                self.made.append(item)
                self.changed.notify_all()
        return item is not _END

    def take(self) -> T:
        """Returns the next item, waiting for it; after the last: `_END`. Raises: what the maker raised, once."""
        with self.changed:
            self.changed.wait_for(lambda: self.made or self.ended)
            if self.made:
                item = self.made.popleft()
                self.changed.notify_all()
                return item
            error, self.error = self.error, None
        if error:
            raise error
        return _END

    def stop(self) -> None:
        """Tells the thread to end after the item that it is at."""
        with self.changed:
            self.stopped = True
            self.made.clear()
            self.changed.notify_all()
