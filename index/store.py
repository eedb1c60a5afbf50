"""Reading a pack's database from any number of threads: entities, facts and stored vectors."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index import schema
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import Hit, View
from pixsearch.index.store_check import check_words

ROWS_AT_A_TIME = 512
KINDS_KEPT = 16  # of entities asked for

class Store:
    """The truth of a pack. `vectors` is the number of stored vectors; their ids are 1 to `vectors`.

    known : whether these very bytes were checked before, so that sizes need no second look
    """

    def __init__(self, folder: Path, manifest: Mapping[str, Any], embedder: EmbedderId, known: bool = False) -> None:
        self.embedder, self._folder = embedder, folder
        self.precision: str = manifest.get("precision", schema.FIRST_PRECISION)
        self.entities: int = manifest["counts"]["entities"]
        self.vectors: int = manifest["counts"]["regions"] + manifest["counts"]["images"]
        self.database = schema.open_database(folder / schema.DATABASE_NAME)
        self._idle = [self.database]  # connections that no thread is using; appending and popping are atomic
        self._closed = False
        self._has_thumbnails = any(name.startswith(schema.THUMBNAIL_FOLDER) for name in manifest.get("files", ()))
        self.entities_of_kinds = lru_cache(KINDS_KEPT)(self._entities_of_kinds)
        try:
            if not known:
                check_words(self.rows, f"pack database {folder}")
                self._check_sizes(manifest["counts"])
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database; closing twice is harmless. Searches must have ended."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises Fault when the database is damaged, ValueError when it is closed."""
        if self._closed:
            raise ValueError(f"pack {self._folder} is closed")
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = schema.reopen_database(self._folder / schema.DATABASE_NAME)
        try:
            return connection.execute(sql, values).fetchall()
        except schema.DAMAGED as error:
            raise Fault(f"pack database {self._folder}", expected="a sound database", actual=str(error),
                        remedy="install the pack again") from error
        finally:
            self._idle.append(connection)

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
        number = schema.PRECISIONS[self.precision].itemsize
        sizes = {"vectors": self.embedder.dimension, "texts": self.embedder.text_dimension}
        for table, size in ((name, number * dimension) for name, dimension in sizes.items()):
            sql = f"SELECT count(*) FROM {table} WHERE typeof(embedding) != 'blob' OR length(embedding) != ?"
            if self.rows(sql, (size,))[0][0]:
                raise Fault(f"pack database {self._folder}", expected=f"vectors of {size} bytes",
                            actual="another size", remedy="build the pack again")
        last = self.rows("SELECT coalesce(max(id), 0), coalesce(min(id), 1), coalesce(max(entity), 1), "
                         "coalesce(min(entity), 1) FROM vectors")[0]
        if last[:2] != (self.vectors, 1) or last[2] > schema.MAX_ENTITIES or last[3] < 1:
            raise Fault(f"pack database {self._folder}", expected="vectors numbered from 1", actual=f"{last}",
                        remedy="build the pack again")
        views = ", ".join(f"'{view}'" for view in View)
        if unknown := self.rows(f"SELECT view FROM vectors WHERE view NOT IN ({views}) LIMIT 1"):
            raise Fault(f"pack database {self._folder}", expected=f"views of the kinds {views}",
                        actual=repr(unknown[0][0])[:60], remedy="build the pack again")

    def _entities_of_kinds(self, kinds: frozenset[str]) -> NDArray[np.bool_]:
        """Which entities are of these kinds, by id, with one place more, false, for ids beyond."""
        chosen = np.zeros(self.entities + 2, bool)
        marks = ", ".join("?" * len(kinds))
        found = self.rows(f"SELECT id FROM entities WHERE kind IN ({marks})", sorted(kinds))
        chosen[[entity for (entity,) in found if 0 < entity <= self.entities]] = True
        return chosen

    def vectors_of(self, entities: Sequence[int], view_kinds: Collection[View]) -> NDArray[np.float32]:
        """Unit vectors of entities, float32 (N, D), in the order of the entities; every view of these kinds."""
        kinds = ", ".join(f"'{View(view)}'" for view in view_kinds)
        sql = "SELECT entity, id, embedding FROM vectors WHERE entity IN ({}) AND view IN (" + kinds + ")"
        found = [row for chunk in self._by_id(sql, entities) for row in chunk]
        place = {entity: number for number, entity in enumerate(entities)}
        found.sort(key=lambda row: (place[row[0]], row[1]))
        return schema.unit_rows(schema.from_blobs([blob for _, _, blob in found], self.embedder.dimension,
                                                  self.precision))

    def text_vectors(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """All text vectors as stored, (N, T), and the entity of each, (N,)."""
        rows = self.rows("SELECT entity, embedding FROM texts ORDER BY id")
        entities = np.array([entity for entity, _ in rows], np.int64)
        return schema.from_blobs([blob for _, blob in rows], self.embedder.text_dimension, self.precision), entities

    def facts(self, entity: int) -> dict[str, str]:
        """Facts by attribute, in stored order."""
        return self._facts([entity])[entity]

    def _facts(self, entities: Sequence[int]) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = defaultdict(dict)
        sql = "SELECT entity, attribute, value FROM facts WHERE entity IN ({}) ORDER BY entity, rowid"
        for chunk in self._by_id(sql, entities):
            for entity, attribute, value in chunk:
                found[entity][attribute] = value
        return found

    def hits(self, pack: str, scores: Mapping[int, float],
             views: Mapping[int, tuple[int, View]] | None = None) -> list[Hit]:
        """Hits for scored entities; `views` gives the vector that matched, by entity: its id and kind.

        Entities that are not there are left out.
        """
        chosen = list(scores)
        thumbnails, facts = self._thumbnails(chosen, views), self._facts(chosen)
        hits = []
        for chunk in self._by_id("SELECT id, key, name, kind, source FROM entities WHERE id IN ({})", chosen):
            for entity, key, name, kind, source in chunk:
                told = facts[entity]
                hits.append(Hit(name, key, kind, scores[entity], source or f"{pack}:{key}",
                                tuple([f"{attribute}: {value}" for attribute, value in told.items()]), told,
                                pack, views[entity][1] if views else None,
                                self._thumbnail_path(thumbnails.get(entity))))
        return hits

    def _thumbnails(self, entities: Sequence[int], views: Mapping[int, tuple[int, View]] | None) -> dict[int, str]:
        """Names of the thumbnails of the vectors that matched, or else of the first that an entity has."""
        if not self._has_thumbnails:
            return {}
        if views:
            sql = "SELECT entity, thumbnail FROM vectors WHERE id IN ({}) AND thumbnail NOT NULL"
            ids = [number for number, _ in views.values()]
        else:
            sql = ("SELECT entity, thumbnail FROM vectors WHERE id IN (SELECT min(id) FROM vectors "
                   "WHERE entity IN ({}) AND thumbnail NOT NULL GROUP BY entity)")
            ids = list(entities)
        return {entity: name for chunk in self._by_id(sql, ids) for entity, name in chunk}

    def _thumbnail_path(self, name: str | None) -> Path | None:
        """Only names that the manifest could hold: a database may say anything."""
        if name is None:
            return None
        inside = f"{schema.THUMBNAIL_FOLDER}/{name}"
        return self._folder / inside if schema.FILE_NAME.fullmatch(inside) else None

    def _by_id(self, sql: str, ids: Sequence[int]) -> Iterator[list[tuple[Any, ...]]]:
        for start in range(0, len(ids), ROWS_AT_A_TIME):
            chunk = ids[start:start + ROWS_AT_A_TIME]
            yield self.rows(sql.format(", ".join("?" * len(chunk))), list(chunk))
