"""One state for all hosts: that of the chief, which alone writes and reads files."""

import json

import numpy as np

from shared.training.checkpoint import Groups, State
from shared.training.distribution import Distribution


def from_chief(distribution: Distribution, state: State | None, groups: Groups) -> State | None:
    """Returns the chief's state on every host. All hosts must call it at the same point.

    Args: state: the chief's; what other hosts give does not count. groups: arrays of the shapes of a state's, for hosts
        that have none.
    """
    if distribution.hosts == 1:
        return state
    chief = distribution.host == 0
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
