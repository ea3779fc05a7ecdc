"""What is added to embedding tables in a pass through a network, as adversarial training does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from keras import ops

_current: ContextVar[Mapping[str, Any] | None] = ContextVar("offsets", default=None)


@contextmanager
def shifting(offsets: Mapping[str, Any]) -> Iterator[None]:
    """Layers with embedding tables that are called in the block look up table + offset.

    Args: offsets: by name of the table (token_embedding, segment_embedding, position_embedding), a tensor of its shape.
    """
    token = _current.set(offsets)
    try:
        yield
    finally:
        _current.reset(token)


def shifted(name: str, table: Any) -> Any:
    """Returns table + the offset in force for its name, in the table's compute dtype; without one, `table` itself."""
    offset = (_current.get() or {}).get(name)
    if offset is None:
        return table
    table = ops.convert_to_tensor(table)
    return table + ops.cast(offset, table.dtype)
