"""The form of a pack: file names, limits and SQLite schema. SQLite is the truth; what finds its vectors is a cache."""

import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from pixsearch.contract.faults import Fault
from pixsearch.index.hits import View

PACK_KIND = "pack"
FORMAT_VERSION = 1
APPLICATION_ID = 0x70787061  # "pxpa" in the SQLite header
PAGE_BYTES = 4096
MAPPED_BYTES = 1 << 30  # of a database that is read, instead of copying its pages

# How vectors are stored: what a manifest calls it, and the type of one number. Only directions count, so that int8
# needs no scale: the largest number of each vector becomes 127.
PRECISIONS: dict[str, np.dtype[Any]] = {"float16": np.dtype("<f2"), "int8": np.dtype("i1")}
DEFAULT_PRECISION = "int8"  # `make bench-index` says what others cost and bring
FIRST_PRECISION = "float16"  # of packs whose manifest does not say
INT8_MOST = 127
TINY = np.finfo(np.float32).tiny

DATABASE_NAME = "knowledge.sqlite"
INDEX_NAME = "regions.hnsw"
ROWS_NAME = "regions.npy"
CACHE_NAMES = (INDEX_NAME, ROWS_NAME)  # both made from the database
REPORT_NAME = "report.html"  # for the curator; nothing on a device reads it
THUMBNAIL_FOLDER = "thumbnails"
THUMBNAIL_PIXELS = 160
FILE_NAME = re.compile(r"knowledge\.sqlite|regions\.(hnsw|npy)|report\.html|thumbnails/[0-9]{8}\.webp")

MAX_FILE_BYTES = 2 << 30
MAX_THUMBNAILS = 8_000  # each has a line in the manifest, which is bounded at 1 MiB
MAX_ENTITIES = 1_000_000
MAX_VECTORS = 2_000_000
MAX_FACTS = 20_000_000

DAMAGED = (sqlite3.Error, UnicodeDecodeError)  # what reading raises; the latter where a message quotes broken bytes

# FTS5 keeps no copy of the words (content=''): entities, aliases and facts hold them already.
SCHEMA = """
CREATE TABLE entities(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
                      kind TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE aliases(entity INTEGER NOT NULL REFERENCES entities(id), alias TEXT NOT NULL);
CREATE TABLE facts(entity INTEGER NOT NULL REFERENCES entities(id), attribute TEXT NOT NULL,
                   value TEXT NOT NULL);
CREATE INDEX facts_of_entity ON facts(entity);
CREATE TABLE vectors(id INTEGER PRIMARY KEY, entity INTEGER NOT NULL REFERENCES entities(id),
                     view TEXT NOT NULL, embedding BLOB NOT NULL, thumbnail TEXT);
CREATE INDEX vectors_of_entity ON vectors(entity);
CREATE TABLE texts(id INTEGER PRIMARY KEY, entity INTEGER NOT NULL REFERENCES entities(id),
                   embedding BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(name, aliases, facts, text, content='',
                                      tokenize='porter unicode61 remove_diacritics 2');
"""

COUNTS = {
    "entities": "SELECT count(*) FROM entities",
    "facts": "SELECT count(*) FROM facts",
    "regions": f"SELECT count(*) FROM vectors WHERE view != '{View.IMAGE}'",
    "images": f"SELECT count(*) FROM vectors WHERE view = '{View.IMAGE}'",
    "texts": "SELECT count(*) FROM texts",
}


def create_database(path: Path | str) -> sqlite3.Connection:
    """A new database with the schema. The same inserts give the same bytes."""
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(f"PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; "
                           f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={FORMAT_VERSION};")
    database.executescript(SCHEMA)
    return database


def open_database(path: Path) -> sqlite3.Connection:
    """Open a sealed database read-only. Raises Fault when it is damaged or has anything but our schema.

    The connection may be used from any thread, by one at a time.
    """
    try:
        database = _connect(path)
        if _schema(database) == _schema(create_database(":memory:")):
            return database
    except DAMAGED as error:
        raise Fault(f"pack database {path}", expected="an SQLite database", actual=str(error),
                    remedy="install the pack again") from error
    database.close()
    raise Fault(f"pack database {path}", expected=f"the schema of format {FORMAT_VERSION}",
                actual="another one", remedy="build the pack again with this version")


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    database = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
    database.executescript("PRAGMA trusted_schema=OFF; PRAGMA query_only=ON; PRAGMA cell_size_check=ON; "
                           f"PRAGMA mmap_size={MAPPED_BYTES};")
    return database


def _schema(database: sqlite3.Connection) -> list[Any]:
    header = [database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
    return header + database.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


def reopen_database(path: Path) -> sqlite3.Connection:
    """One more read-only connection to a database that `open_database` found to be sound."""
    return _connect(path)


def to_blob(vector: NDArray[np.floating], precision: str) -> bytes:
    """A vector as stored, in one of PRECISIONS."""
    kind = PRECISIONS[precision]
    if kind.kind == "i":
        vector = np.rint(vector * (INT8_MOST / np.abs(vector).max()))
    return vector.astype(kind).tobytes()


def from_blobs(blobs: Sequence[bytes], dimension: int, precision: str) -> NDArray[Any]:
    """Stored vectors, of the type that PRECISIONS names, shape (N, dimension)."""
    return np.frombuffer(b"".join(blobs), PRECISIONS[precision]).reshape(-1, dimension)


def unit_rows(stored: NDArray[Any]) -> NDArray[np.float32]:
    """Stored vectors (N, D) as unit vectors; whatever is not finite becomes zero."""
    rows = np.nan_to_num(stored.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
