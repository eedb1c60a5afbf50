"""What the index knows about a model: its name, its sizes, and how to call it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MAX_DIMENSION = 4096
MAX_ID_LENGTH = 200

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class EmbedderId:
    """Name and vector sizes of an embedder. Vectors of two different ids must never be compared."""

    id: str
    dimension: int
    text_dimension: int

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not 0 < len(self.id) <= MAX_ID_LENGTH:
            raise ValueError(f"embedder id must have 1 to {MAX_ID_LENGTH} characters")
        for value in (self.dimension, self.text_dimension):
            if type(value) is not int or not 0 < value <= MAX_DIMENSION:
                raise ValueError(f"an embedder dimension must be 1 to {MAX_DIMENSION}, got {value!r}")


class Embedder(Protocol):
    """A model that turns pictures and words into vectors; packs are built with it."""

    @property
    def id(self) -> str:
        """Stable name; changes whenever the vectors do."""

    @property
    def dimension(self) -> int:
        """D, the size of a region vector."""

    @property
    def text_dimension(self) -> int:
        """T, the size of a text vector."""

    def region(self, rgb: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> Vector:
        """Embed the masked part of a picture (the whole of it for None) as a unit vector, float32 (D,).

        rgb  : uint8, shape (H, W, 3)
        mask : bool, shape (H, W), at least one pixel set
        """

    def text(self, text: str) -> Vector:
        """Embed words as a unit vector, float32 (T,)."""


def unit(vector: NDArray[np.floating], dimension: int) -> Vector:
    """Check a vector and scale it to length one: float32, shape (dimension,).

    Raises ValueError for another shape, for zero, and for values that are not finite.
    """
    checked = np.asarray(vector, np.float32)
    if checked.shape != (dimension,):
        raise ValueError(f"vector must have shape ({dimension},), got {checked.shape}")
    length = float(np.linalg.norm(checked.astype(np.float64)))
    if not np.isfinite(length) or length == 0:
        raise ValueError(f"vector must be finite and not zero, got length {length}")
    return (checked / length).astype(np.float32)
