"""The vectors of a memory in RAM, as of one generation of its database, brought up to date in small steps."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index.embedder import EmbedderId, Vector
from pixsearch.index.hits import ALL_VIEWS, View
from pixsearch.index.memory_store import Query

STORED = np.dtype("<f4")  # vectors as stored: little-endian float32


@dataclass(frozen=True)
class MemoryVectors:
    """Immutable, so that readers share it without a lock.

    matrix : float32 (N, D), unit rows; the thing of each is in `items`, int64 (N,), its view in `views`, int8 (N,)
    texts  : float32 (M, T), unit rows; the thing of each is in `texts_of`, int64 (M,)
    last   : the greatest id of a thing seen so far; ids only grow, so that whatever is new lies above
    """

    generation: int
    last: int
    items: NDArray[np.int64]
    views: NDArray[np.int8]
    matrix: NDArray[np.float32]
    texts_of: NDArray[np.int64]
    texts: NDArray[np.float32]

    @classmethod
    def none(cls, embedder: EmbedderId) -> Self:
        """Before anything was read."""
        ids = np.zeros(0, np.int64)
        return cls(-1, 0, ids, np.zeros(0, np.int8), np.zeros((0, embedder.dimension), np.float32),
                   ids, np.zeros((0, embedder.text_dimension), np.float32))

    def of_views(self, view_kinds: Collection[View]) -> NDArray[np.bool_]:
        """Which rows of the matrix are views of these kinds, (N,)."""
        return np.isin(self.views, [ALL_VIEWS.index(View(view)) for view in view_kinds])

    def nearest(self, query: Vector, view_kinds: Collection[View], k: int,
                among: NDArray[np.int64] | None = None) -> dict[int, tuple[float, View]]:
        """The k things whose best view is nearest by cosine, with that view. Exact; the older of two equals wins.

        among : ids of the things that may be found; None for all
        """
        usable = self.of_views(view_kinds)
        rows = np.flatnonzero(usable if among is None else usable & np.isin(self.items, among))
        cosines = np.clip(self.matrix[rows] @ query if len(rows) < len(self.matrix) else self.matrix @ query, -1, 1)
        best: dict[int, tuple[float, View]] = {}
        for at in np.argsort(-cosines, kind="stable"):
            if len(best) == k:
                break
            row = rows[at]
            best.setdefault(int(self.items[row]), (float(cosines[at]), ALL_VIEWS[self.views[row]]))
        return best

    def refreshed(self, query: Query, generation: int) -> "MemoryVectors":
        """The vectors of a later generation: what is gone is dropped, and only what is new is read."""
        ids = np.array(query("SELECT id FROM entities"), np.int64).reshape(-1)
        keep, keep_texts = np.isin(self.items, ids), np.isin(self.texts_of, ids)
        new = query("SELECT entity, view, embedding FROM vectors WHERE entity > ? ORDER BY id", (self.last,))
        told = query("SELECT entity, embedding FROM texts WHERE entity > ? ORDER BY entity", (self.last,))
        codes = np.array([ALL_VIEWS.index(View(view)) for _, view, _ in new], np.int8)
        return MemoryVectors(
            generation, max(self.last, int(ids.max(initial=0))),
            np.concatenate([self.items[keep], np.array([item for item, _, _ in new], np.int64)]),
            np.concatenate([self.views[keep], codes]),
            np.concatenate([self.matrix[keep], _from_blobs([blob for *_, blob in new], self.matrix.shape[1])]),
            np.concatenate([self.texts_of[keep_texts], np.array([item for item, _ in told], np.int64)]),
            np.concatenate([self.texts[keep_texts], _from_blobs([blob for _, blob in told], self.texts.shape[1])]))


def to_blob(vector: Vector) -> bytes:
    """A vector as stored."""
    return vector.astype(STORED).tobytes()


def _from_blobs(blobs: Sequence[bytes], dimension: int) -> NDArray[np.float32]:
    """Stored vectors, float32 (N, dimension). Raises Fault where one has another size."""
    if any(len(blob) != dimension * STORED.itemsize for blob in blobs):
        raise Fault("memory vector", expected=f"{dimension} numbers", actual="another size",
                    remedy="restore the memory from a copy")
    return np.nan_to_num(np.frombuffer(b"".join(blobs), STORED).reshape(-1, dimension)).astype(np.float32)
