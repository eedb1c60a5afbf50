"""Several packs searched as one."""

from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import ALL_VIEWS, Hit, View, best_first
from pixsearch.index.names import named_phrases


class Searchable(Protocol):
    """What a library can mount: a sealed `Pack`, the wearer's `MemoryPack`, or anything that answers as they do."""

    name: str

    @property
    def embedder(self) -> EmbedderId:
        """What its vectors were made with."""

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS, k: int = 10,
                       kinds: Collection[str] | None = None) -> list[Hit]:
        """See `Pack.search_vectors`."""

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10,
                    kinds: Collection[str] | None = None) -> list[Hit]:
        """See `Pack.search_text`."""

    def looks(self, phrase: str) -> NDArray[np.float32]:
        """See `Pack.looks`."""

    def has_name(self, phrase: str) -> bool:
        """See `Pack.has_name`."""

    def close(self) -> None:
        """Release its files."""


class Library:
    """Mounted packs of one embedder; their hits are merged by score."""

    def __init__(self, packs: Sequence[Searchable]) -> None:
        if len(embedders := {pack.embedder for pack in packs}) > 1:
            raise ValueError(f"packs of one library need one embedder, got {sorted(e.id for e in embedders)}")
        self.packs = tuple(packs)

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS, k: int = 10,
                       kinds: Collection[str] | None = None) -> list[Hit]:
        """The k nearest entities of all packs; see `Pack.search_vectors`."""
        hits = [hit for pack in self.packs for hit in pack.search_vectors(vector, view_kinds, k, kinds)]
        return best_first(hits, k)

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10,
                    kinds: Collection[str] | None = None) -> list[Hit]:
        """The k entities of all packs whose words fit best; see `Pack.search_text`."""
        return best_first([hit for pack in self.packs for hit in pack.search_text(query, vector, k, kinds)], k)

    def looks(self, words: str) -> NDArray[np.float32]:
        """How things look that some words name: unit vectors (N, D) from all packs; N is 0 for unknown names.

        The most specific name that any pack knows decides: "coffee mug" before "mug".
        """
        for phrase in named_phrases(words):
            found = np.concatenate([pack.looks(phrase) for pack in self.packs] or [self._nothing])
            if len(found):
                return found
        return self._nothing

    def has_name(self, phrase: str) -> bool:
        """Whether any pack has an entity of exactly this name, in lower case."""
        return any(pack.has_name(phrase) for pack in self.packs)

    @property
    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((0, self.packs[0].embedder.dimension if self.packs else 0), np.float32)

    def close(self) -> None:
        """Close every pack."""
        for pack in self.packs:
            pack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()
