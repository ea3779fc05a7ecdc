"""Finds many names in a text at once."""

from collections import defaultdict
from collections.abc import Iterable


class NameFinder:
    """Finds which of many names stand in a text, in a time that grows with the text and hardly with their number."""

    def __init__(self, names: Iterable[str]):
        self.names = frozenset(names)
        lengths: dict[str, set[int]] = defaultdict(set)
        for name in self.names:
            lengths[name[:2]].add(len(name))
        self.lengths = {beginning: sorted(found) for beginning, found in lengths.items()}
        self.single = frozenset(name for name in self.names if len(name) == 1)

    def find(self, text: str) -> list[str]:
        """Returns the names in the text, each once, in rising order; they may overlap."""
        found = set(self.single.intersection(text))
        for start in range(len(text) - 1):
            for length in self.lengths.get(text[start : start + 2], ()):
                piece = text[start : start + length]
                if piece in self.names:
                    found.add(piece)
        return sorted(found)
