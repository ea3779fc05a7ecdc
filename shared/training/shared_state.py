"""One state for all hosts: that of the chief, which alone writes and reads files."""

import json
from collections.abc import Callable

import numpy as np

from shared.errors import UserError
from shared.training.checkpoint import Groups, State
from shared.training.distribution import Distribution


def from_chief(distribution: Distribution, load: Callable[[], State | None], groups: Groups) -> State | None:
    """Returns the chief's state on every host. All hosts must call it at the same point.

    Args: load: returns the state; called on the chief alone. groups: arrays of the shapes of a state's, for hosts that
        have none.
    Raises: on the chief what `load` raises, on the other hosts UserError then.
    """
    if distribution.hosts == 1:
        return load()
    chief = distribution.host == 0
    state: State | None = None
    error: Exception | None = None
    try:
        state = load() if chief else None
    except Exception as raised:  # the others are told first, or they would wait for the state
        error = raised
    if any(distribution.any_host([error is not None])):
        raise error or UserError("host 0 could not load its state, so that all hosts stop; see its message.")
    document = {"step": state.step, "progress": state.progress} if state else None
    text = np.frombuffer(json.dumps(document).encode(), np.uint8)
    (length,) = distribution.from_chief([np.array(len(text))])
    (text,) = distribution.from_chief([text if chief else np.zeros(int(length), np.uint8)])
    document = json.loads(text.tobytes())
    if document is None:
        return None
    mine = state.groups if chief and state else groups
    received = iter(distribution.from_chief([array for arrays in mine.values() for array in arrays]))
    return State(
        document["step"],
        {name: [next(received) for _ in arrays] for name, arrays in mine.items()},
        document["progress"],
    )
