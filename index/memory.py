"""The wearer's memory: a pack that is written while it is searched, and loses nothing that it acknowledged."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.images import read_image
from pixsearch.index.embedder import Embedder, EmbedderId, Vector, unit
from pixsearch.index.hits import ALL_VIEWS, Hit, View, best_first, check_k
from pixsearch.index.memory_items import MemoryItem, Words, check_thumbnail, read_items
from pixsearch.index.memory_store import PLAIN, Engine, MemoryStore, Query, rows_of
from pixsearch.index.memory_vectors import MemoryVectors, to_blob
from pixsearch.index.names import is_name, named_entities
from pixsearch.index.pack import LOOKED_LIKE
from pixsearch.index.words import CANDIDATES_PER_HIT, described, lexical_scores, query_words, semantic_scores
from pixsearch.index.writer import NO_FACTS

NEWEST_FIRST = "ORDER BY time DESC, id DESC"


@dataclass(frozen=True)
class MemoryLimits:
    """How much a memory may hold: things remembered, and bytes of its database."""

    items: int = 20_000
    bytes: int = 256 << 20


class MemoryPack:
    """A folder with one SQLite database. Get one from `MemoryPack.open`; close it, or use it as a context manager.

    Any number of threads and processes may search; writes queue up behind one another and never hold searches up.
    A call that writes returns when its change is on the disk: a crash at any later instant loses nothing of it,
    and of a write that did not return there is all or nothing. Search is exact: every vector is compared.
    Do not use one object on both sides of a fork.
    """

    def __init__(self, folder: Path, name: str, embed: Embedder, store: MemoryStore, limits: MemoryLimits) -> None:
        self.folder, self.name, self.limits = folder, name, limits
        self.embedder = EmbedderId(embed.id, embed.dimension, embed.text_dimension)
        self._embed, self._store = embed, store
        self._vectors, self._refreshing = MemoryVectors.none(self.embedder), threading.Lock()

    @classmethod
    def open(cls, folder: Path, embed: Embedder, *, name: str = "memory", limits: MemoryLimits | None = None,
             engine: Engine = PLAIN) -> Self:
        """Open a memory, or make an empty one, readable by its owner alone.

        Raises Fault for a damaged database, another application's, or one made with another embedder.
        """
        embedder = EmbedderId(embed.id, embed.dimension, embed.text_dimension)
        return cls(folder, name, embed, MemoryStore(folder, embedder, engine), limits or MemoryLimits())

    def close(self) -> None:
        """Release the database; closing twice is harmless."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def add(self, entity: str, facts: Mapping[str, str] = NO_FACTS, *, region: NDArray[np.floating] | None = None,
            image: NDArray[np.floating] | None = None, thumbnail: bytes | None = None, kind: str = "",
            text: str = "", source: str = "", time: datetime | None = None) -> int:
        """Remember a thing; returns its id once it is on the disk.

        region, image : vectors of the thing and of the whole frame, shape (D,), scaled to length one
        thumbnail     : a picture as a file would hold it (WebP, JPEG, PNG), at most 256 KB
        time          : when it was seen, with a time zone; now unless given
        Control characters in words become spaces. Raises Fault for words, facts or a picture that are empty, too long
        or broken, and when the memory is full; ValueError for a vector of another shape, zero or not finite.
        """
        words = Words.checked(entity, facts, kind, text, source)
        vectors = {view: unit(vector, self.embedder.dimension)
                   for view, vector in ((View.REGION, region), (View.IMAGE, image)) if vector is not None}
        if thumbnail is not None:
            check_thumbnail(thumbnail)
        seen = (time or datetime.now(UTC)).timestamp()
        meaning = self._meaning(words)
        with self._store.writing() as database:
            item = database.execute("INSERT INTO entities(name, kind, text, source, time) VALUES(?, ?, ?, ?, ?)",
                                    (words.entity, words.kind, words.text, words.source, seen)).lastrowid
            assert item is not None
            database.executemany("INSERT INTO facts VALUES(?, ?, ?)", [(item, *fact) for fact in words.facts.items()])
            database.executemany("INSERT INTO vectors(entity, view, embedding) VALUES(?, ?, ?)",
                                 [(item, str(view), to_blob(vector)) for view, vector in vectors.items()])
            if meaning is not None:
                database.execute("INSERT INTO texts VALUES(?, ?)", (item, to_blob(meaning)))
            if thumbnail is not None:
                database.execute("INSERT INTO thumbnails VALUES(?, ?)", (item, thumbnail))
            database.execute("INSERT INTO words(rowid, name, aliases, facts, text) VALUES(?, ?, ?, ?, ?)",
                             (item, *words.indexed()))
            self._refuse_full(rows_of(database))
        return item

    def _meaning(self, words: Words) -> Vector | None:
        """The text vector of what is told; None where the model knows none of the words."""
        try:
            told = self._embed.text(described(words.entity, (), words.kind, words.facts, words.text))
            return unit(told, self.embedder.text_dimension)
        except ValueError:
            return None

    def _refuse_full(self, query: Query) -> None:
        size = query("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")[0][0]
        if len(self._ids(query)) > self.limits.items or size > self.limits.bytes:
            raise Fault(f"memory {self.folder}", actual="more", remedy="forget something first",
                        expected=f"at most {self.limits.items} things and {self.limits.bytes / 2**20:.0f} MB")

    def remove(self, item: int) -> None:
        """Forget a thing: its words, vectors and picture are overwritten, and their space goes back to the disk.

        Raises KeyError for an id that is not there.
        """
        with self._store.writing() as database:
            words = Words.of(_one(rows_of(database), item))
            database.execute("INSERT INTO words(words, rowid, name, aliases, facts, text) "
                             "VALUES('delete', ?, ?, ?, ?, ?)", (item, *words.indexed()))
            database.execute("INSERT INTO words(words) VALUES('optimize')")  # drops the deleted words themselves
            for table in ("facts", "vectors", "texts", "thumbnails"):
                database.execute(f"DELETE FROM {table} WHERE entity = ?", (item,))
            database.execute("DELETE FROM entities WHERE id = ?", (item,))
        self._store.erase_log()

    def items(self) -> list[MemoryItem]:
        """Everything remembered, what was seen last first."""
        with self._store.reading() as query:
            return read_items(query, "true", order=NEWEST_FIRST)

    def item(self, item: int) -> MemoryItem:
        """One thing remembered. Raises KeyError for an id that is not there."""
        with self._store.reading() as query:
            return _one(query, item)

    def picture(self, item: int) -> bytes | None:
        """The thumbnail of a thing as it was given, or None."""
        with self._store.reading() as query:
            rows = query("SELECT picture FROM thumbnails WHERE entity = ?", (item,))
        return rows[0][0] if rows else None

    def __len__(self) -> int:
        """Number of things remembered."""
        with self._store.reading() as query:
            return len(self._ids(query))

    @staticmethod
    def _ids(query: Query) -> list[int]:
        return [row for (row,) in query("SELECT id FROM entities")]

    def search_vectors(self, vector: NDArray[np.floating], view_kinds: Collection[View] = ALL_VIEWS, k: int = 10,
                       kinds: Collection[str] | None = None) -> list[Hit]:
        """The k things whose best view of the given kinds is nearest to a vector; see `Pack.search_vectors`.

        `int(hit.key)` is the id of what was found.
        """
        direction = unit(vector, self.embedder.dimension)
        check_k(k)
        with self._store.reading() as query:
            best = self._current(query).nearest(direction, view_kinds, k, self._of_kinds(query, kinds))
            return self._hits(query, {item: score for item, (score, _) in best.items()},
                              {item: view for item, (_, view) in best.items()})

    def search_text(self, query: str, vector: NDArray[np.floating] | None = None, k: int = 10,
                    kinds: Collection[str] | None = None) -> list[Hit]:
        """The k things whose words fit a query; see `Pack.search_text`."""
        direction = None if vector is None else unit(vector, self.embedder.text_dimension)
        check_k(k)
        wanted = CANDIDATES_PER_HIT * k
        with self._store.reading() as execute:
            near: dict[int, float] = {}
            if direction is not None:
                vectors = self._current(execute)
                near = semantic_scores(vectors.texts, vectors.texts_of, direction, wanted)
            if (allowed := self._of_kinds(execute, kinds)) is not None:
                chosen = set(allowed.tolist())
                near = {item: score for item, score in near.items() if item in chosen}
            scores = lexical_scores(execute, query_words(query), len(self._ids(execute)), wanted, list(near), kinds)
            if direction is not None:
                scores = {item: (scores.get(item, 0.0) + near.get(item, 0.0)) / 2
                          for item in scores.keys() | near.keys()}
            return self._hits(execute, {item: score for item, score in scores.items() if score > 0})[:k]

    @staticmethod
    def _of_kinds(query: Query, kinds: Collection[str] | None) -> NDArray[np.int64] | None:
        """Ids of the things of these kinds, or None for all."""
        if kinds is None:
            return None
        marks = ", ".join("?" * len(kinds))
        return np.array(query(f"SELECT id FROM entities WHERE kind IN ({marks})", list(kinds)), np.int64).reshape(-1)

    def looks(self, phrase: str) -> NDArray[np.float32]:
        """How the things of a name look: unit vectors (N, D); see `Pack.looks`."""
        with self._store.reading() as query:
            vectors, named = self._current(query), named_entities(query, phrase)
        usable = vectors.of_views(LOOKED_LIKE)
        rows = [np.flatnonzero(usable & (vectors.items == item)) for item in named]
        return vectors.matrix[np.concatenate(rows)] if rows else vectors.matrix[:0]

    def has_name(self, phrase: str) -> bool:
        """Whether a thing is called exactly so, see `Pack.has_name`."""
        with self._store.reading() as query:
            return is_name(query, phrase)

    def facts(self, key: str) -> dict[str, str]:
        """The facts of a thing by attribute, in the order in which they were told. Raises KeyError."""
        return self.item(int(key)).facts

    def thumbnail(self, hit: Hit) -> NDArray[np.uint8] | None:
        """The picture of a hit, uint8 RGB, or None. Pictures of a memory are no files: `hit.thumbnail` is None."""
        picture = self.picture(int(hit.key))
        return None if picture is None else read_image(picture, f"of memory {hit.key}")

    def check(self) -> None:
        """SQLite's own check of every page. Raises Fault."""
        with self._store.reading() as query:
            report = query("PRAGMA integrity_check")
        if report != [("ok",)]:
            raise Fault(f"memory {self.folder}", expected="a sound database", actual=str(report[0][0]),
                        remedy="restore the folder from a copy")

    def _current(self, query: Query) -> MemoryVectors:
        """The vectors as this reader's transaction sees them; what others wrote meanwhile is read once for all."""
        generation = query("SELECT generation FROM about")[0][0]
        with self._refreshing:
            if generation > self._vectors.generation:
                self._vectors = self._vectors.refreshed(query, generation)
            if generation == self._vectors.generation:
                return self._vectors
        # another reader, begun after this one, has gone ahead: what this one sees has to be read from its own snapshot
        return MemoryVectors.none(self.embedder).refreshed(query, generation)

    def _hits(self, query: Query, scores: Mapping[int, float], views: Mapping[int, View] | None = None) -> list[Hit]:
        marks = ", ".join("?" * len(scores))
        found = read_items(query, f"id IN ({marks})", list(scores))
        hits = [Hit(item.entity, str(item.id), item.kind, scores[item.id], item.source or f"{self.name}:{item.id}",
                    tuple(f"{attribute}: {value}" for attribute, value in item.facts.items()), item.facts,
                    self.name, (views or {}).get(item.id))
                for item in found]
        return best_first(hits, max(1, len(hits)))


def _one(query: Query, item: int) -> MemoryItem:
    found = read_items(query, "id = ?", (item,))
    if not found:
        raise KeyError(item)
    return found[0]
