"""Writing a pack: rows into SQLite, thumbnails beside it, caches that find vectors, and the manifest last."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, atomic_directory, read_manifest, write_manifest
from pixsearch.index import schema
from pixsearch.index.caches import build_caches
from pixsearch.index.embedder import EmbedderId, unit
from pixsearch.index.hits import View
from pixsearch.index.views import thumbnail as thumbnail_of
from pixsearch.index.words import indexed

NO_FACTS: Mapping[str, str] = MappingProxyType({})


class PackWriter:
    """Write a pack folder whole or not at all; the same calls give the same bytes.

    Use as a context manager: leaving the block seals the pack and puts it in place of an older one;
    an exception leaves everything as it was. Afterwards `manifest` is what was written.
    `more_counts`, such as rows that the caller left out, are recorded among the counts.
    """

    def __init__(self, output: Path, *, name: str, embedder: EmbedderId, licence: str, version: int = 1,
                 calibration: Mapping[str, float] | None = None,
                 precision: str = schema.DEFAULT_PRECISION) -> None:
        self._output, self._embedder, self._precision = output, embedder, precision
        self.manifest: dict[str, Any] = {
            "format_version": schema.FORMAT_VERSION, "kind": schema.PACK_KIND, "name": name,
            "version": version, "licence": licence, "calibration": dict(calibration or {}), "precision": precision,
            "embedder": {"id": embedder.id, "dimension": embedder.dimension,
                         "text_dimension": embedder.text_dimension}}
        self.more_counts: dict[str, int] = {}
        self._vectors = self._thumbnails = 0

    def __enter__(self) -> Self:
        refuse_foreign(self._output)
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(atomic_directory(self._output))
        self._database = schema.create_database(self._folder / schema.DATABASE_NAME)
        self._stack.callback(self._database.close)
        self._database.execute("BEGIN")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        with self._stack:
            if error is not None:
                raise error
            self._seal()

    def add_entity(self, key: str, name: str, *, kind: str = "", text: str = "", source: str = "",
                   aliases: Sequence[str] = (), facts: Mapping[str, str] = NO_FACTS) -> int:
        """Add an entity and its words; returns its row id. Raises ValueError when the key is taken."""
        execute = self._database.execute
        try:
            entity = execute("INSERT INTO entities(key, name, kind, text, source) VALUES(?, ?, ?, ?, ?)",
                             (key, name, kind, text, source)).lastrowid
        except sqlite3.IntegrityError as error:
            raise ValueError(f"entity key {key!r} is in the pack already") from error
        assert entity is not None
        if entity > schema.MAX_ENTITIES:
            raise _too_many("entities", schema.MAX_ENTITIES)
        self._database.executemany("INSERT INTO aliases VALUES(?, ?)", [(entity, alias) for alias in aliases])
        self._database.executemany("INSERT INTO facts VALUES(?, ?, ?)",
                                   [(entity, attribute, value) for attribute, value in facts.items()])
        execute("INSERT INTO words(rowid, name, aliases, facts, text) VALUES(?, ?, ?, ?, ?)",
                (entity, *indexed(name, aliases, kind, facts, text)))
        return entity

    def add_vector(self, entity: int, vector: NDArray[np.floating], view: View = View.PROTOTYPE,
                   thumbnail: NDArray[np.uint8] | bytes | None = None) -> None:
        """Add a vector, shape (D,), scaled to length one; `thumbnail` is uint8 RGB of any size, or a WebP file."""
        blob = schema.to_blob(unit(vector, self._embedder.dimension), self._precision)
        self._vectors += 1
        if self._vectors > schema.MAX_VECTORS:
            raise _too_many("vectors", schema.MAX_VECTORS)
        name = None if thumbnail is None else self._save_thumbnail(thumbnail)
        self._database.execute("INSERT INTO vectors VALUES(?, ?, ?, ?, ?)",
                               (self._vectors, entity, str(View(view)), blob, name))

    def add_text_vector(self, entity: int, vector: NDArray[np.floating]) -> None:
        """Add a vector of the entity's words, shape (T,), scaled to length one."""
        self._database.execute("INSERT INTO texts(entity, embedding) VALUES(?, ?)",
                               (entity, schema.to_blob(unit(vector, self._embedder.text_dimension), self._precision)))

    @property
    def folder(self) -> Path:
        """The folder being written, inside the block."""
        return self._folder

    @property
    def database(self) -> sqlite3.Connection:
        """What has been added so far, inside the block."""
        return self._database

    def add_report(self, page: str) -> None:
        """Add the page that shows a curator what is in the pack."""
        (self._folder / schema.REPORT_NAME).write_text(page, "utf-8")

    def _save_thumbnail(self, picture: NDArray[np.uint8] | bytes) -> str | None:
        """Keep a thumbnail, and return its file's name; None once a pack has as many as it may: it goes without."""
        if self._thumbnails == schema.MAX_THUMBNAILS:
            return None
        self._thumbnails += 1
        folder = self._folder / schema.THUMBNAIL_FOLDER
        folder.mkdir(exist_ok=True)
        name = f"{self._vectors:08d}.webp"
        (folder / name).write_bytes(picture if isinstance(picture, bytes) else thumbnail_of(picture))
        return name

    def _seal(self) -> None:
        database = self._database
        database.execute("INSERT INTO words(words) VALUES('optimize')")
        database.execute("COMMIT")
        database.execute("VACUUM")
        counts = {name: database.execute(sql).fetchone()[0] for name, sql in schema.COUNTS.items()}
        if counts["entities"] == 0:
            raise Fault(f"pack {self._output}", expected="at least one entity", actual="none",
                        remedy="add rows to the entity file")
        self.manifest["counts"] = {**counts, **self.more_counts}
        self.manifest = seal(self._folder, self.manifest, database)
        database.close()


def seal(folder: Path, manifest: Mapping[str, Any], database: sqlite3.Connection) -> dict[str, Any]:
    """Write the caches of a database and then the manifest, which says what all were made with."""
    count = manifest["counts"]["regions"] + manifest["counts"]["images"]
    precision = manifest.get("precision", schema.FIRST_PRECISION)
    made = build_caches(folder, database, manifest["embedder"]["dimension"], precision, count)
    return write_manifest(folder, {**manifest, "index": made})


def refuse_foreign(output: Path) -> None:
    """A pack may replace a pack, and nothing else. Raises Fault."""
    if not output.exists() and not output.is_symlink():
        return
    replaceable = output.is_dir() and not output.is_symlink() and (output / MANIFEST_NAME).is_file()
    if not replaceable or read_manifest(output, schema.PACK_KIND).get("kind") != schema.PACK_KIND:
        raise Fault(f"output {output}", expected="a new path, or a pack to replace", actual="something else",
                    remedy="choose another output path")


def _too_many(what: str, limit: int) -> Fault:
    return Fault(f"pack {what}", expected=f"at most {limit}", actual="more",
                 remedy="split it into several packs")
