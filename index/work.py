"""What a build has embedded already: an interrupted one goes on there, and the next one embeds only what is new."""

import hashlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from pixsearch.contract.faults import Fault
from pixsearch.index.embedder import Vector
from pixsearch.index.hits import View
from pixsearch.index.views import EmbeddedView

FILE_NAME = "embedded.sqlite"
KEPT_EVERY_S = 1.0  # what a sudden end can lose
BUSY_S = 30.0
TEXT = "text"  # in place of a view's kind
SCHEMA = """
CREATE TABLE IF NOT EXISTS made(key TEXT NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, vector BLOB NOT NULL,
                                thumbnail BLOB NOT NULL, fingerprint BLOB NOT NULL, digest BLOB NOT NULL,
                                PRIMARY KEY(key, number)) WITHOUT ROWID;
CREATE TEMP TABLE used(key TEXT PRIMARY KEY) WITHOUT ROWID;
"""

Row = tuple[str, bytes, bytes, bytes]  # kind, vector, thumbnail, fingerprint


class Work:
    """Views and text vectors by key, in a folder of their own, or nowhere when `folder` is None.

    It is a cache: rows that do not match their digest, and files that are no database, are made again.
    """

    def __init__(self, folder: Path | None, dimension: int, text_dimension: int) -> None:
        self._sizes = {TEXT: text_dimension, View.REGION: dimension, View.IMAGE: dimension}
        self._kept_at, self.made = time.monotonic(), 0
        self._database: sqlite3.Connection | None = None
        if folder is not None:
            _make_folder(folder)
            self._database = _open(folder / FILE_NAME)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._database is None:
            return
        try:
            if kind is None:  # what this build did not need is of pictures that have changed or gone
                self._database.execute("DELETE FROM made WHERE key NOT IN (SELECT key FROM used)")
            self._database.commit()
        finally:
            self._database.close()

    def views(self, key: str, make: Callable[[], list[EmbeddedView]]) -> list[EmbeddedView]:
        """The views kept under a key, or else made and kept."""
        rows = self._rows(key, lambda: [(str(view.view), view.vector.astype("<f4").tobytes(), view.thumbnail,
                                         view.fingerprint.to_bytes(8, "big")) for view in make()])
        return [EmbeddedView(View(kind), np.frombuffer(vector, "<f4"), thumbnail, int.from_bytes(fingerprint, "big"))
                for kind, vector, thumbnail, fingerprint in rows]

    def text(self, embedder: str, words: str, make: Callable[[], Vector]) -> Vector:
        """The vector kept for some words, float32 (T,), or else made and kept."""
        key = hashlib.sha256(f"{TEXT}\0{embedder}\0{words}".encode()).hexdigest()
        row, = self._rows(key, lambda: [(TEXT, make().astype("<f4").tobytes(), b"", b"")])
        return np.frombuffer(row[1], "<f4")

    def holds(self, key: str) -> bool:
        """Whether something sound is kept under a key."""
        return self._database is not None and bool(self._kept(self._database, key))

    def _rows(self, key: str, make: Callable[[], list[Row]]) -> list[Row]:
        if self._database is not None and (kept := self._kept(self._database, key)):
            return kept
        rows = make()
        self.made += 1
        if self._database is not None:
            self._keep(self._database, key, rows)
        return rows

    def _keep(self, database: sqlite3.Connection, key: str, rows: list[Row]) -> None:
        database.execute("DELETE FROM made WHERE key = ?", (key,))
        database.executemany("INSERT INTO made VALUES(?, ?, ?, ?, ?, ?, ?)",
                             [(key, number, *row, _digest(key, len(rows), row)) for number, row in enumerate(rows)])
        if (now := time.monotonic()) - self._kept_at > KEPT_EVERY_S:
            database.commit()
            self._kept_at = now

    def _kept(self, database: sqlite3.Connection, key: str) -> list[Row]:
        """The rows of a key; none where one is damaged or missing."""
        database.execute("INSERT OR IGNORE INTO used VALUES(?)", (key,))
        found: list[Any] = database.execute(
            "SELECT kind, vector, thumbnail, fingerprint, digest FROM made WHERE key = ? ORDER BY number",
            (key,)).fetchall()
        sound = all(_digest(key, len(found), row[:4]) == row[4] and len(row[1]) == 4 * self._sizes.get(row[0], -1)
                    for row in found)
        return [row[:4] for row in found] if sound else []


def _digest(key: str, count: int, row: Row) -> bytes:
    digest = hashlib.sha256(f"{key} {count} {row[0]}".encode())
    for part in row[1:]:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _make_folder(folder: Path) -> None:
    """Make the work folder. Raises Fault where something else stands there."""
    foreign = folder.is_symlink() or (folder.exists() and not folder.is_dir()) or (
        folder.is_dir() and any(not path.name.startswith(FILE_NAME) for path in folder.iterdir()))
    if foreign:
        raise Fault(f"work folder {folder}", expected="a new folder, or that of an earlier build",
                    actual="something else", remedy="move it away, or choose another output path")
    folder.mkdir(parents=True, exist_ok=True)


def _open(path: Path) -> sqlite3.Connection:
    """The database, made anew where it cannot be read whole."""
    for _ in range(2):
        database = sqlite3.connect(path, timeout=BUSY_S)
        try:
            database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + SCHEMA)
            if database.execute("PRAGMA quick_check").fetchone() == ("ok",):
                return database
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise Fault(f"work folder {path}", expected="a database to write to", actual=str(error),
                            remedy="end the other build, or remove the folder") from error
        database.close()
        for name in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
            name.unlink(missing_ok=True)
    raise Fault(f"work folder {path}", expected="a database to write to", actual="a damaged one",
                remedy="remove the folder")
