"""How close two runs of one graph are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Closeness:
    """The worst over all outputs that were compared.

    absolute : largest difference of two numbers; relative : that, over the output's largest number, at least 1
    cosine   : between outputs as vectors; 1 where both are zero; nan where numbers are not finite
    """

    absolute: float = 0.0
    relative: float = 0.0
    cosine: float = 1.0

    @classmethod
    def of(cls, found: ArrayLike, expected: ArrayLike) -> Self:
        """Of one output, any shape but the same. Raises ValueError for others."""
        ours, theirs = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        if ours.shape != theirs.shape:
            raise ValueError(f"shapes {ours.shape} and {theirs.shape} cannot be compared")
        if not ours.size:
            return cls()
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            return cls(np.inf, np.inf, np.nan)
        difference = float(np.abs(ours - theirs).max())
        return cls(difference, difference / max(1.0, float(np.abs(theirs).max())), _cosine(ours, theirs))

    @classmethod
    def of_all(cls, found: Mapping[str, ArrayLike], expected: Mapping[str, ArrayLike]) -> Self:
        """The worst over outputs by name."""
        return cls.worst(cls.of(found[name], expected[name]) for name in expected)

    @classmethod
    def worst(cls, some: Iterable["Closeness"]) -> Self:
        """Largest errors and smallest cosine."""
        rows = np.array([(1.0, one.absolute, one.relative, one.cosine) for one in some] or [(1.0, 0.0, 0.0, 1.0)])
        return cls(*map(float, (rows[:, 1].max(), rows[:, 2].max(), rows[:, 3].min())))


def _cosine(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float:
    lengths = float(np.linalg.norm(ours) * np.linalg.norm(theirs))
    if not lengths:
        return 1.0 if np.array_equal(ours, theirs) else 0.0
    return float(np.vdot(ours, theirs)) / lengths
