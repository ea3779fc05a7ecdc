"""All maximal cliques of a small undirected graph."""

from collections.abc import Iterator

import numpy as np


def maximal_cliques(adjacent: np.ndarray, most_steps: int) -> list[tuple[int, ...]] | None:
    """Returns every set of nodes that are all adjacent to each other and to which none can be added, by Bron-Kerbosch.

    A node without neighbours is a clique of its own, so each node stands in one at least. Of n nodes there may be 3 **
    (n / 3) of them, hence the bound on the work.

    Args:
        adjacent: (nodes, nodes) bool, symmetric; the diagonal means nothing.
        most_steps: partial cliques that are looked at, at most; one costs time in proportion to the nodes.
    Returns: the cliques, each with rising nodes, in lexicographic order; without nodes none. None if `most_steps` do
        not suffice: what was found till then would depend on the order of the nodes.
    Raises: ValueError if `adjacent` is not square or not symmetric.
    Reference: Bron and Kerbosch 1973, https://doi.org/10.1145/362342.362367, with the pivot of Tomita et al. 2006,
        https://doi.org/10.1016/j.tcs.2006.06.015
    """
    adjacent = np.asarray(adjacent, bool)
    if adjacent.ndim != 2 or not np.array_equal(adjacent, adjacent.T):
        raise ValueError(f"adjacent must be square and symmetric, got an array of shape {adjacent.shape}.")
    if not len(adjacent):
        return []
    neighbours = [
        sum(1 << int(other) for other in np.flatnonzero(row)) for row in adjacent & ~np.eye(len(adjacent), dtype=bool)
    ]
    found: list[tuple[int, ...]] = []
    todo = [(0, (1 << len(adjacent)) - 1, 0)]  # sets as bits: clique, nodes that can join it, such as have been tried
    for _ in range(most_steps):
        if not todo:
            return sorted(found)
        clique, candidates, tried = todo.pop()
        if not candidates | tried:
            found.append(tuple(_nodes(clique)))
        # Each maximal clique that is still to come holds the pivot or a node that is not its neighbour.
        pivot = max(_nodes(candidates | tried), key=lambda node: (neighbours[node] & candidates).bit_count(), default=0)
        for node in _nodes(candidates & ~neighbours[pivot]):
            todo.append((clique | 1 << node, candidates & neighbours[node], tried & neighbours[node]))
            candidates &= ~(1 << node)
            tried |= 1 << node
    return None if todo else sorted(found)


def _nodes(bits: int) -> Iterator[int]:
    """Yields the numbers of the bits that are set, rising."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
