"""All faults of a file in one message: by kind, with their number and the first few."""

SHOWN = 3  # examples per kind of fault


class Faults:
    """Faults by kind. Its text is e.g. `missing ids: 12 (ss0_a, ss1_a, ss2_a, ...); unknown ids: 1 ('x' at line 3)`."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, list[str]]] = {}

    def add(self, kind: str, example: str) -> None:
        """Counts one more of a kind. example: kept while there are few, e.g. `line 3: 'x'`."""
        number, examples = self._found.get(kind, (0, []))
        self._found[kind] = number + 1, [*examples, example] if len(examples) < SHOWN else examples

    def __bool__(self) -> bool:
        return bool(self._found)

    def __str__(self) -> str:
        return "; ".join(
            f"{kind}: {number} ({', '.join(examples)}{', ...' if number > len(examples) else ''})"
            for kind, (number, examples) in self._found.items()
        )
