"""The database of a memory: readers that never wait for the writer, and writes that are durable when they return."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import sync_directory
from pixsearch.index.embedder import EmbedderId

DATABASE_NAME = "memory.sqlite"
APPLICATION_ID = 0x70786D65  # "pxme" in the SQLite header
FORMAT_VERSION = 1
BUSY_SECONDS = 30.0  # how long one process waits for another one's write
WAL_BYTES = 4 << 20  # a longer write-ahead log is folded into the database after a write

# Tables that a pack has too have the same names, so that the same queries serve both. AUTOINCREMENT: an id that was
# given out is never given to something else.
SCHEMA = (
    "CREATE TABLE about(embedder TEXT NOT NULL, dimension INTEGER NOT NULL, text_dimension INTEGER NOT NULL, "
    "generation INTEGER NOT NULL)",
    "CREATE TABLE entities(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, kind TEXT NOT NULL, "
    "text TEXT NOT NULL, source TEXT NOT NULL, time REAL NOT NULL)",
    "CREATE TABLE aliases(entity INTEGER NOT NULL REFERENCES entities(id), alias TEXT NOT NULL)",
    "CREATE INDEX aliases_of_entity ON aliases(entity)",
    "CREATE TABLE facts(entity INTEGER NOT NULL REFERENCES entities(id), attribute TEXT NOT NULL, value TEXT NOT NULL)",
    "CREATE INDEX facts_of_entity ON facts(entity)",
    "CREATE TABLE vectors(id INTEGER PRIMARY KEY, entity INTEGER NOT NULL REFERENCES entities(id), "
    "view TEXT NOT NULL, embedding BLOB NOT NULL)",
    "CREATE INDEX vectors_of_entity ON vectors(entity)",
    "CREATE TABLE texts(entity INTEGER PRIMARY KEY REFERENCES entities(id), embedding BLOB NOT NULL)",
    "CREATE TABLE thumbnails(entity INTEGER PRIMARY KEY REFERENCES entities(id), picture BLOB NOT NULL)",
    "CREATE VIRTUAL TABLE words USING fts5(name, aliases, facts, text, content='', "
    "tokenize='porter unicode61 remove_diacritics 2')",
)

PLAIN_HEADER = b"SQLite format 3\0"  # how each SQLite file begins that is not encrypted

Query = Callable[..., list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Engine:
    """How a database file is opened: a seam for a SQLite that encrypts.

    connect : opens a path (connections must be usable from any thread, in autocommit), key and all
    error   : the base class of what its connections raise
    """

    connect: Callable[[Path], sqlite3.Connection]
    error: type[Exception]


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None)


PLAIN = Engine(_plain, sqlite3.Error)


def is_encrypted(folder: Path) -> bool:
    """Whether a passphrase locks the memory in a folder, or it is too damaged to tell; False where there is none."""
    path = folder / DATABASE_NAME
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as stream:
        return stream.read(len(PLAIN_HEADER)) != PLAIN_HEADER


def rows_of(connection: sqlite3.Connection) -> Query:
    """A function that runs a query on a connection and returns all rows."""
    return lambda sql, values=(): connection.execute(sql, values).fetchall()


class MemoryStore:
    """Connections to one memory: a pool of readers, one a thread at work, and one writer."""

    def __init__(self, folder: Path, embedder: EmbedderId, engine: Engine) -> None:
        self.path = folder / DATABASE_NAME
        self._engine = engine
        self._idle: list[sqlite3.Connection] = []
        self._pool, self._one_writer = threading.Lock(), threading.Lock()
        self._closed = False
        with self._faults():
            _create_file(self.path)
            self._writer = engine.connect(self.path)
            try:
                self._refuse_foreign()
                self._set_up(self._writer)
                _create_schema(self._writer, embedder)
                self._check_embedder(embedder)
            except BaseException:
                self._writer.close()
                raise

    @contextmanager
    def reading(self) -> Iterator[Query]:
        """A function that runs queries, all of which see the same state. Raises Fault for a damaged database."""
        with self._faults():
            connection = self._borrow()
            try:
                connection.execute("BEGIN")
                yield rows_of(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")  # nothing was written; ends the snapshot
                self._give_back(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on the disk when the block ends, and never was when it raises. Raises Fault."""
        with self._one_writer, self._faults():
            self._refuse_closed()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("UPDATE about SET generation = generation + 1")
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            if self.path.with_name(f"{self.path.name}-wal").stat().st_size > WAL_BYTES:
                self._fold()

    def erase_log(self) -> None:
        """Fold the write-ahead log into the database and empty it, so that what was removed stands nowhere.

        Done in part where another process reads for long; the next write or the last one to close does the rest.
        """
        with self._one_writer, self._faults():
            self._refuse_closed()
            self._fold()

    def _fold(self) -> None:
        self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Close every connection; those at work are closed when they are given back. Closing twice is harmless."""
        with self._one_writer, self._pool:
            self._closed = True
            for connection in [*self._idle, self._writer]:
                connection.close()
            self._idle.clear()

    @staticmethod
    def _set_up(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout={round(BUSY_SECONDS * 1000)}")
        connection.execute("PRAGMA auto_vacuum=FULL")  # holds for a new file: freed pages go back to the file system
        connection.execute("PRAGMA journal_mode=WAL")
        for pragma in ("synchronous=FULL", "secure_delete=ON", "trusted_schema=OFF", "cell_size_check=ON",
                       "foreign_keys=OFF"):
            connection.execute(f"PRAGMA {pragma}")

    def _borrow(self) -> sqlite3.Connection:
        with self._pool:
            self._refuse_closed()
            if self._idle:
                return self._idle.pop()
        connection = self._engine.connect(self.path)
        self._set_up(connection)
        connection.execute("PRAGMA query_only=ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._pool:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ValueError(f"memory {self.path.parent} is closed")

    def _refuse_foreign(self) -> None:
        """Refuse a database of another application or schema, before anything in it is changed."""
        query = rows_of(self._writer)
        query("PRAGMA trusted_schema=OFF")
        header = [query(f"PRAGMA {name}")[0][0] for name in ("application_id", "user_version")]
        schema = _schema(query)
        if schema and (header != [APPLICATION_ID, FORMAT_VERSION] or schema != _expected()):
            raise Fault(f"memory {self.path}", expected=f"a memory of format {FORMAT_VERSION}",
                        actual="another database", remedy="name another folder")

    def _check_embedder(self, embedder: EmbedderId) -> None:
        rows = rows_of(self._writer)("SELECT embedder, dimension, text_dimension FROM about")
        if rows != [(embedder.id, embedder.dimension, embedder.text_dimension)]:
            raise Fault(f"memory {self.path}", expected=f"embedder {embedder.id!r}",
                        actual=repr(rows[0][0])[:60] if rows else "none",
                        remedy="choose the model it was made with, or name another folder")

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (self._engine.error, UnicodeDecodeError) as error:
            raise Fault(f"memory {self.path}", expected="a sound database with room on its disk", actual=str(error),
                        remedy="free some space, or restore the folder from a copy") from error


def _create_file(path: Path) -> None:
    """An empty file in a folder of its own, for the owner's eyes only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    sync_directory(path.parent)
    sync_directory(path.parent.parent)


def _create_schema(connection: sqlite3.Connection, embedder: EmbedderId) -> None:
    """All tables in one transaction, unless some process did it before."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _schema(rows_of(connection)):
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
            for statement in SCHEMA:
                connection.execute(statement)
            connection.execute("INSERT INTO about VALUES(?, ?, ?, 0)",
                               (embedder.id, embedder.dimension, embedder.text_dimension))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _expected() -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        for statement in SCHEMA:
            database.execute(statement)
        return _schema(rows_of(database))


def _schema(query: Query) -> list[tuple[Any, ...]]:
    return query("SELECT type, name, sql FROM sqlite_schema ORDER BY name")
