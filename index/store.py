"""Reading a pack's database: entities, facts and exact vectors. Callers hold the pack's lock."""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index import schema
from pixsearch.index.embedder import EmbedderId, Vector
from pixsearch.index.hits import Hit, View

ROWS_AT_A_TIME = 512
TINY = np.finfo(np.float32).tiny


class Store:
    """The truth of a pack. `vectors` is the number of stored vectors; their ids are 1 to `vectors`."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any], embedder: EmbedderId) -> None:
        self.embedder, self._folder = embedder, folder
        self.database = schema.open_database(folder / schema.DATABASE_NAME)
        try:
            self._check_sizes(manifest["counts"])
            views = self.rows("SELECT id, view FROM vectors ORDER BY id")
        except BaseException:
            self.close()
            raise
        self.vectors = len(views)
        self._rows_of_view = {view: frozenset(row for row, name in views if name == view) for view in View}
        self._rows_of_views: dict[frozenset[View], frozenset[int]] = {}

    def close(self) -> None:
        """Close the database; closing twice is harmless."""
        self.database.close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises Fault when the database is damaged."""
        try:
            return self.database.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise Fault(f"pack database {self._folder}", expected="a sound database", actual=str(error),
                        remedy="install the pack again") from error

    def check(self) -> None:
        """SQLite's own check of every page. Raises Fault."""
        report = [row[0] for row in self.rows("PRAGMA integrity_check")]
        if report != ["ok"]:
            raise Fault(f"pack database {self._folder}", expected="a sound database", actual=str(report[0]),
                        remedy="install the pack again")

    def _check_sizes(self, counts: Mapping[str, int]) -> None:
        for name, sql in schema.COUNTS.items():
            if (actual := self.rows(sql)[0][0]) != counts[name]:
                raise Fault(f"pack database {self._folder}", expected=f"{counts[name]} {name}",
                            actual=str(actual), remedy="install the pack again")
        sizes = {"vectors": self.embedder.dimension, "texts": self.embedder.text_dimension}
        for table, size in ((name, schema.HALF_BYTES * dimension) for name, dimension in sizes.items()):
            sql = f"SELECT count(*) FROM {table} WHERE typeof(embedding) != 'blob' OR length(embedding) != ?"
            if self.rows(sql, (size,))[0][0]:
                raise Fault(f"pack database {self._folder}", expected=f"vectors of {size} bytes",
                            actual="another size", remedy="build the pack again")
        last = self.rows("SELECT coalesce(max(id), 0), coalesce(min(id), 1) FROM vectors")[0]
        if last != (counts["regions"] + counts["images"], 1):
            raise Fault(f"pack database {self._folder}", expected="vectors numbered from 1", actual=f"{last}",
                        remedy="build the pack again")

    def rows_of(self, view_kinds: Collection[View]) -> frozenset[int]:
        """Ids of all vectors of these kinds."""
        kinds = frozenset(map(View, view_kinds))
        if kinds not in self._rows_of_views:
            self._rows_of_views[kinds] = frozenset().union(*(self._rows_of_view[view] for view in kinds))
        return self._rows_of_views[kinds]

    def best_views(self, query: Vector, rows: Sequence[int]) -> dict[int, tuple[float, int]]:
        """For each entity among these vectors: the cosine with its best one, and that one's id."""
        best: dict[int, tuple[float, int]] = {}
        for chunk in self._by_id("SELECT id, entity, embedding FROM vectors WHERE id IN ({})", rows):
            for (row, entity, _), score in zip(chunk, self._cosines(chunk, query), strict=True):
                best[entity] = max(best.get(entity, (-2.0, 0)), (float(score), row))
        return best

    def _cosines(self, chunk: list[tuple[Any, ...]], query: Vector) -> NDArray[np.float32]:
        return np.clip(_unit_rows([row[-1] for row in chunk], self.embedder.dimension) @ query, -1, 1)

    def vectors_of(self, entities: Sequence[int], view_kinds: Collection[View]) -> NDArray[np.float32]:
        """Unit vectors of entities, float32 (N, D), in the order of the entities; every view of these kinds."""
        kinds = ", ".join(f"'{View(view)}'" for view in view_kinds)
        sql = "SELECT entity, id, embedding FROM vectors WHERE entity IN ({}) AND view IN (" + kinds + ")"
        found = [row for chunk in self._by_id(sql, entities) for row in chunk]
        place = {entity: number for number, entity in enumerate(entities)}
        found.sort(key=lambda row: (place[row[0]], row[1]))
        return _unit_rows([blob for _, _, blob in found], self.embedder.dimension)

    def text_vectors(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """All text vectors, float32 (N, T) with unit rows, and the entity of each, (N,)."""
        rows = self.rows("SELECT entity, embedding FROM texts ORDER BY id")
        entities = np.array([entity for entity, _ in rows], np.int64)
        return _unit_rows([blob for _, blob in rows], self.embedder.text_dimension), entities

    def facts(self, entity: int) -> dict[str, str]:
        """Facts by attribute, in stored order."""
        sql = "SELECT attribute, value FROM facts WHERE entity = ? ORDER BY rowid"
        return dict(self.rows(sql, (entity,)))

    def hits(self, pack: str, scores: Mapping[int, float],
             views: Mapping[int, int] | None = None) -> list[Hit]:
        """Hits for scored entities; `views` gives the vector that matched, by entity."""
        rows = list((views or {}).values())
        matched = self._by_id("SELECT id, view, thumbnail FROM vectors WHERE id IN ({})", rows)
        found = self._by_id("SELECT id, key, name, kind, source FROM entities WHERE id IN ({})", list(scores))
        shown = {row: (View(view), thumbnail) for chunk in matched for row, view, thumbnail in chunk}
        hits = []
        for chunk in found:
            for entity, key, name, kind, source in chunk:
                facts = self.facts(entity)
                view, thumbnail = shown[views[entity]] if views else (None, self._any_thumbnail(entity))
                hits.append(Hit(name, key, kind, scores[entity], source or f"{pack}:{key}",
                                tuple(f"{attribute}: {value}" for attribute, value in facts.items()), facts,
                                pack, view, self._thumbnail_path(thumbnail)))
        return hits

    def _any_thumbnail(self, entity: int) -> str | None:
        rows = self.rows("SELECT thumbnail FROM vectors WHERE entity = ? AND thumbnail NOT NULL "
                         "ORDER BY id LIMIT 1", (entity,))
        return rows[0][0] if rows else None

    def _thumbnail_path(self, name: str | None) -> Path | None:
        """Only names that the manifest could hold: a database may say anything."""
        inside = f"{schema.THUMBNAIL_FOLDER}/{name}"
        return self._folder / inside if name and schema.FILE_NAME.fullmatch(inside) else None

    def _by_id(self, sql: str, ids: Sequence[int]) -> Iterator[list[tuple[Any, ...]]]:
        for start in range(0, len(ids), ROWS_AT_A_TIME):
            chunk = ids[start:start + ROWS_AT_A_TIME]
            yield self.rows(sql.format(", ".join("?" * len(chunk))), list(chunk))


def _unit_rows(blobs: list[bytes], dimension: int) -> NDArray[np.float32]:
    """Stored vectors with length one again (float16 rounds); whatever is not finite becomes zero."""
    rows = np.nan_to_num(schema.from_blobs(blobs, dimension), nan=0.0, posinf=0.0, neginf=0.0)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
