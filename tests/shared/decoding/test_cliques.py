import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decoding.cliques import maximal_cliques


def graph(nodes: int, edges) -> np.ndarray:
    adjacent = np.zeros((nodes, nodes), bool)
    for one, other in edges:
        adjacent[one, other] = adjacent[other, one] = True
    return adjacent


@st.composite
def graphs(draw):
    nodes = draw(st.integers(0, 8))
    pairs = list(itertools.combinations(range(nodes), 2))
    return graph(nodes, [pair for pair in pairs if draw(st.booleans())])


def by_subsets(adjacent) -> list[tuple[int, ...]]:
    """All subsets that are cliques, without those within another."""
    nodes = range(len(adjacent))
    subsets = [set(c) for size in range(1, len(adjacent) + 1) for c in itertools.combinations(nodes, size)]
    cliques = [s for s in subsets if all(adjacent[a, b] for a, b in itertools.combinations(s, 2))]
    return sorted(tuple(sorted(one)) for one in cliques if not any(one < other for other in cliques))


@given(adjacent=graphs())
def test_the_cliques_are_those_found_by_trying_all_subsets(adjacent):
    assert maximal_cliques(adjacent, 1000) == by_subsets(adjacent)


@given(adjacent=graphs(), bound=st.integers(0, 20))
def test_a_bound_gives_all_cliques_or_none(adjacent, bound):
    assert maximal_cliques(adjacent, bound) in (None, by_subsets(adjacent))


def test_two_triangles_that_share_a_node_come_apart():
    edges = [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)]
    assert maximal_cliques(graph(6, edges), 100) == [(0, 1, 2), (2, 3, 4), (5,)]


def test_the_diagonal_means_nothing():
    assert maximal_cliques(np.eye(2, dtype=bool), 100) == [(0,), (1,)]


def test_the_graph_with_the_most_cliques_stops_at_the_bound():
    """Moon and Moser's: of triples of nodes that are not adjacent, else complete; 3 ** 8 cliques of 24 nodes."""
    adjacent = np.arange(24)[:, None] // 3 != np.arange(24) // 3
    assert maximal_cliques(adjacent, 500) is None
    assert len(maximal_cliques(adjacent[:12, :12], 500)) == 3**4


@pytest.mark.parametrize("adjacent", [np.ones((2, 3), bool), np.array([[0, 1], [0, 0]], bool), np.ones(3, bool)])
def test_what_is_no_undirected_graph_is_refused(adjacent):
    with pytest.raises(ValueError, match="square and symmetric"):
        maximal_cliques(adjacent, 100)
