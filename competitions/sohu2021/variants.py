"""The six subtasks of Sohu 2021: text lengths (short-short, short-long, long-long) times match kind (A, B)."""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variant:
    """One subtask.

    index: row of the model's variant embedding, 0 to 5. length: `ss`, `sl` or `ll`. kind: `a` (same topic) or `b` (same
    event). folder: name of its folder in the official archive.
    """

    index: int
    length: str
    kind: str
    folder: str

    @property
    def name(self) -> str:
        """E.g. `ss_a`."""
        return f"{self.length}_{self.kind}"

    @property
    def label_field(self) -> str:
        """Name of the label in the official lines: `labelA` or `labelB`."""
        return f"label{self.kind.upper()}"

    def id(self, number: int) -> str:
        """Returns the id of the variant's line `number` (from 0), e.g. `ss12_a`."""
        return f"{self.length}{number}_{self.kind}"


VARIANTS = tuple(
    Variant(index, length, kind, f"{folder}匹配{kind.upper()}类")
    for index, (length, folder, kind) in enumerate(
        (length, folder, kind)
        for length, folder in (("ss", "短短"), ("sl", "短长"), ("ll", "长长"))
        for kind in ("a", "b")
    )
)

_ID = re.compile(r"(ss|sl|ll)(0|[1-9][0-9]*)_(a|b)")
_BY_CODE = {(variant.length, variant.kind): variant for variant in VARIANTS}


def variant_of_id(example_id: str) -> Variant:
    """Returns the variant that an id such as `sl12_b` belongs to. Raises: ValueError if it has another form."""
    match = _ID.fullmatch(example_id)
    if not match:
        raise ValueError(f"{example_id!r} is not an id of the form ss0_a, sl12_b or ll7_a")
    return _BY_CODE[match[1], match[3]]
