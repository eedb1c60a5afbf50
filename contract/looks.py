"""Looks: how an index knows the things that words name, as the mask graph takes them."""

import numpy as np
from numpy.typing import NDArray

LOOKS = 8  # region vectors that go with the words of a span


def gather_looks(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Any number of unit vectors, shape (N, R) → (LOOKS, R).

    Fewer are repeated, more are averaged in groups of neighbours; none give zeros, which stand for "not known".
    """
    count, dimension = vectors.shape
    if count == 0:
        return np.zeros((LOOKS, dimension), np.float32)
    if count <= LOOKS:
        return vectors[np.arange(LOOKS) % count].astype(np.float32)
    means = np.stack([group.mean(axis=0) for group in np.array_split(vectors, LOOKS)])
    return (means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-6)).astype(np.float32)
