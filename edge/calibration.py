"""The parameters by which a bundle judges itself, fitted on a validation split and kept in its manifest."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pixsearch.contract.faults import Fault

FEATURES = ("score", "margin", "logprob", "iou")
NUMBERS = ("bias", "threshold", "sure", "likely")


@dataclass(frozen=True)
class Calibration:
    """A bundle's fitted parameters.

    weights   : one for each of FEATURES
    threshold : confidence below which the assistant says that it does not know, 0..1
    sure, likely : similarities from which evidence is written as "(sure)" and "(likely)", -1..1
    """

    weights: Mapping[str, float]
    bias: float
    threshold: float
    sure: float
    likely: float

    @classmethod
    def read(cls, source: str, values: object) -> "Calibration":
        """From a manifest. `source` is what faults call it. Raises Fault."""
        weights = values.get("weights") if isinstance(values, dict) else None
        if not isinstance(values, dict) or not isinstance(weights, dict) or set(weights) != set(FEATURES):
            raise Fault(source, expected=f"calibration weights of {', '.join(FEATURES)}",
                        actual=repr(values)[:80], remedy="export the bundle again")
        numbers = {name: _number(source, name, values.get(name)) for name in NUMBERS}
        return cls({name: _number(source, name, weights[name]) for name in FEATURES}, **numbers)


def _number(source: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Fault(source, expected=f"a finite number for calibration {name!r}", actual=repr(value)[:80],
                    remedy="export the bundle again")
    return float(value)
