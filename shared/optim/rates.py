"""Learning rates that differ between weights, by name."""

from collections.abc import Sequence
from typing import Any

from shared.optim.names import indices_named
from shared.optim.wrapper import DisplacementWrapper


class Rates(DisplacementWrapper):
    """theta <- theta + d * factor, d the inner displacement, with a factor for each weight; 0 holds it fast.

    Args: pairs: a part of a weight's path and its factor; the first that fits holds, others keep 1.
    """

    def __init__(self, inner: Any, pairs: Sequence[tuple[str, float]]):
        super().__init__(inner)
        self.pairs = pairs

    def factors(self, variables: list) -> list[float]:
        """Returns the factor of each weight. Raises: UserError if a name is in no path."""
        factors = [1.0] * len(variables)
        for name, factor in reversed(self.pairs):
            for index in indices_named(name, variables, "rate_factors"):
                factors[index] = factor
        return factors

    def build(self, variables: list) -> None:
        super().build(variables)
        self._factors = self.factors(variables)
        self.touched = [index for index, factor in enumerate(self._factors) if factor != 1]

    def moved(self, index: int, old: Any, new: Any, gradient: Any, step: Any, rate: Any) -> Any:
        return old + (new - old) * self._factors[index]
