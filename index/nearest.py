"""The nearest entities in one pack: near groups by HNSW, then every vector in those compared exactly."""

from dataclasses import dataclass
from functools import cached_property

import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from pixsearch.index.embedder import Vector
from pixsearch.index.groups import Groups
from pixsearch.index.hits import ALL_VIEWS
from pixsearch.index.rows import Rows, cosines

ROWS_AT_A_TIME = 16_384
ROWS_A_HIT = 8  # first guess at how many of the best rows hold enough different entities
WIDEN = 4
DEFAULT_EF, RECALL_AT = 64, 10


@dataclass(frozen=True)
class Choice:
    """Which rows a search may find.

    views    : bool by code of a view kind
    entities : bool by entity id, or None for all
    share    : about how many of the rows of these views have such an entity, from 0 to 1
    """

    views: NDArray[np.bool_]
    entities: NDArray[np.bool_] | None = None
    share: float = 1.0

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of these rows, (N,)."""
        allowed = self.views.take(rows["view"], mode="clip")
        if self.entities is not None:
            allowed &= self.entities.take(rows["entity"], mode="clip")
        return allowed


@dataclass(frozen=True)
class Nearest:
    """Rows in the order of their groups, and the graph that finds those; without a graph every row is compared.

    ef : how many groups a search for ten looks at
    Any number of threads may search.
    """

    rows: Rows
    groups: Groups | None = None
    graph: hnswlib.Index | None = None
    ef: int = DEFAULT_EF

    def search(self, query: Vector, choice: Choice, k: int) -> tuple[Rows, NDArray[np.float32]]:
        """The best row of each of the k nearest entities, and its cosine, best first.

        An entity is as near as its nearest view: pooling views by their mean would put what was photographed from
        one side only behind whatever has many alike.
        """
        groups = self._groups_to_see(choice, k)
        every_view = bool(choice.views[self._views].all())
        while self.graph is not None and groups < len(self.groups.starts) // 2:  # type: ignore[union-attr]
            rows = self._near(query, choice, groups, every_view)
            if rows is None:
                break
            best = best_of_entities(rows, cosines(rows, query), k)
            if len(best[0]) == k:
                return best
            groups *= WIDEN
        return self._exact(query, choice, k)

    def _groups_to_see(self, choice: Choice, k: int) -> int:
        """More for more hits, and for kinds of views or entities that only some groups hold."""
        if self.groups is None:
            return 0
        of_views = float(self._view_shares[choice.views].sum())
        return int(self.ef * max(1.0, k / RECALL_AT) / max(choice.share * of_views, 1e-6))

    @cached_property
    def _view_shares(self) -> NDArray[np.float64]:
        """The share of groups that have each kind of view, by its code."""
        views = self.groups.views if self.groups is not None else np.zeros(0, np.int64)
        return np.bincount(views, minlength=len(ALL_VIEWS)) / max(1, len(views))

    @cached_property
    def _views(self) -> NDArray[np.int64]:
        """Codes of the kinds of views that there are."""
        return np.flatnonzero(self._view_shares)

    def _near(self, query: Vector, choice: Choice, groups: int, every_view: bool) -> Rows | None:
        """The allowed rows of about the nearest groups; None when the graph reaches fewer groups than asked for."""
        try:
            labels, _ = self.graph.knn_query(query, k=groups, num_threads=1)  # type: ignore[union-attr]
        except RuntimeError:
            return None
        found = Groups.of_labels(labels[0])
        if not every_view:
            wanted = choice.views[found.views]
            found = Groups(found.starts[wanted], found.counts[wanted], found.views[wanted])
        rows = self.rows.take(found.rows())
        return rows if choice.entities is None else rows[choice.allows(rows)]

    def _exact(self, query: Vector, choice: Choice, k: int) -> tuple[Rows, NDArray[np.float32]]:
        scores, allowed = np.empty(len(self.rows), np.float32), np.empty(len(self.rows), bool)
        for start in range(0, len(self.rows), ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            scores[part], allowed[part] = cosines(self.rows[part], query), choice.allows(self.rows[part])
        numbers = np.flatnonzero(allowed)
        return best_of_entities(self.rows, scores[numbers], k, numbers)


def best_of_entities(rows: Rows, scores: NDArray[np.float32], k: int,
                      numbers: NDArray[np.int64] | None = None) -> tuple[Rows, NDArray[np.float32]]:
    """The best row of each of the k best entities, best first; `numbers` says which row each score is of."""
    top = ROWS_A_HIT * k
    while True:
        order = np.argpartition(-scores, top)[:top] if top < len(scores) else np.arange(len(scores))
        order = order[np.argsort(-scores[order], kind="stable")]
        best = rows.take(order if numbers is None else numbers[order])
        firsts = np.sort(np.unique(best["entity"], return_index=True)[1])[:k]
        if len(firsts) == k or top >= len(scores):
            return best[firsts], np.clip(np.nan_to_num(scores[order[firsts]], nan=-1.0), -1.0, 1.0)
        top *= WIDEN
