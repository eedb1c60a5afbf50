"""Amounts that facts state, in one unit each, so that they can be compared and added."""

import re
from dataclasses import dataclass

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z/]*)")
_YEARS = range(1000, 2100)
# A unit, the base unit that it is counted in, and how many of these it has.
_UNITS: dict[str, tuple[str, float]] = {
    "g": ("g", 1), "kg": ("g", 1000), "mm": ("mm", 1), "cm": ("mm", 10), "m": ("mm", 1000), "euros": ("euros", 1),
    "km/h": ("km/h", 1), "months": ("months", 1), "years": ("years", 1),
}


@dataclass(frozen=True)
class Amount:
    """How much, in a base unit; `unit` is "year" for a point in time."""

    value: float
    unit: str


def amount_of(text: str) -> Amount | None:
    """The amount that a fact's value states, "2.5 kg" or "1987"; None where it states none."""
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    number, unit = float(match[1]), match[2]
    if not unit:
        return Amount(number, "year") if number in _YEARS else None
    base = _UNITS.get(unit)
    return Amount(number * base[1], base[0]) if base else None


def total(texts: list[str]) -> str | None:
    """The sum of values in the same unit, written as they are; None for mixed units and for years."""
    matches = [_AMOUNT.fullmatch(text) for text in texts]
    units = {match[2] for match in matches if match}
    if None in matches or len(units) != 1 or not (unit := units.pop()) or unit not in _UNITS:
        return None
    sum_ = sum(float(match[1]) for match in matches if match)
    return f"{sum_:.2f}".rstrip("0").rstrip(".") + f" {unit}"
