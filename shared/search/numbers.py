"""The numbers of `predict` that a search may change: where they stand, between which bounds, how far a step goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shared.errors import UserError
from shared.settings_errors import did_you_mean

SECTION = "predict"
MARGIN = 0.02  # from a bound that is not allowed itself: near 0 a threshold lets everything through


@dataclass(frozen=True)
class Number:
    """A setting. unit: what counts as a long way for it; low, high: bounds, maybe infinite."""

    key: str
    value: float
    unit: float
    low: float
    high: float

    def within(self, value: float) -> float:
        """Returns the nearest allowed value, in thousandths; the present one as it is."""
        return value if value == self.value else round(float(np.clip(value, self.low, self.high)), 3)


def numbers_of(settings: Any, keys: Sequence[str] = ()) -> list[Number]:
    """Returns the numbers named, or all those of the section `predict` that are no integers and are set.

    Args: settings: of a competition. keys: with or without `predict.`.
    Raises: UserError for a name that is not there, and for what is no such number.
    """
    section = getattr(settings, SECTION)
    there = {
        name: _number(name, float(value), field)
        for name, field in type(section).model_fields.items()
        if isinstance(value := getattr(section, name), float)
    }
    if not there:
        raise UserError(
            f"no decimal number is set in {SECTION}; integers and empty keys are not searched. "
            f"Keys: {', '.join(type(section).model_fields)}."
        )
    chosen = [key.removeprefix(f"{SECTION}.") for key in keys]
    for name in chosen:
        if name not in there:
            advice = did_you_mean(name, there)
            raise UserError(f"{SECTION}.{name}: no decimal number that is set.{advice} Those: {', '.join(there)}.")
    return [there[name] for name in dict.fromkeys(chosen)] if chosen else list(there.values())


def with_numbers(settings: Any, values: Mapping[str, float]) -> dict[str, Any]:
    """Returns the settings as a document, with other values of the section. Args: values: by key without `predict.`."""
    document: dict[str, Any] = settings.model_dump(mode="json")
    document[SECTION] |= values
    return document


def _number(name: str, value: float, field: Any) -> Number:
    given: dict[str, Any] = {}
    for bound in field.metadata:
        given |= {name: getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name)}
    low = given["ge"] if "ge" in given else given["gt"] + MARGIN if "gt" in given else -np.inf
    high = given["le"] if "le" in given else given["lt"] - MARGIN if "lt" in given else np.inf
    unit = min(10.0, high - low) if np.isfinite(high - low) else 1.0
    return Number(name, value, unit, low, high)
