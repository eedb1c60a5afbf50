"""A pack made smaller: entities taken out whole, and the space of everything that is no longer used given back."""

import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, atomic_directory, manifest_bytes, write_atomic
from pixsearch.index import schema, signatures
from pixsearch.index.manifest import checked_manifest
from pixsearch.index.pack import verify
from pixsearch.index.words import indexed
from pixsearch.index.writer import seal

SEALED_FIELDS = ("files", "checksum", signatures.FIELD)  # made anew


def compact(folder: Path, without: Collection[str] = (), key: Ed25519PrivateKey | None = None) -> dict[str, Any]:
    """Take entities out of a pack by key and give back all unused space; returns the new manifest.

    The pack is replaced in one step. Where something was taken out its version counter grows by one and its signature
    is gone, unless `key` signs it again; rows that stay are copied as they are. Nothing unused: nothing is done.
    Raises Fault for keys that the pack does not have.
    """
    verify(folder)
    manifest = checked_manifest(folder)
    if not without and not _has_unused(folder, manifest["files"]):
        return manifest
    with atomic_directory(folder) as target:
        shutil.copyfile(folder / schema.DATABASE_NAME, target / schema.DATABASE_NAME)
        with closing(sqlite3.connect(target / schema.DATABASE_NAME, isolation_level=None)) as database:
            database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA trusted_schema=OFF; BEGIN;")
            _take_out(database, folder, without)
            database.execute("INSERT INTO words(words) VALUES('optimize')")
            database.execute("COMMIT")
            database.execute("VACUUM")
            _copy_files(database, folder, target, manifest["files"], with_report=not without)
            counts = {name: database.execute(sql).fetchone()[0] for name, sql in schema.COUNTS.items()}
            made = {key: value for key, value in manifest.items() if key not in SEALED_FIELDS}
            made["counts"] = {**manifest["counts"], **counts}
            made["version"] += bool(without)
            sealed = seal(target, made, database)
        if key is not None:
            sealed = signatures.signed(sealed, key)
            write_atomic(target / MANIFEST_NAME, manifest_bytes(sealed))
        return sealed


def _has_unused(folder: Path, files: Collection[str]) -> bool:
    with closing(schema.open_database(folder / schema.DATABASE_NAME)) as database:
        pictures = {name for name in files if name.startswith(schema.THUMBNAIL_FOLDER)}
        return bool(database.execute("PRAGMA freelist_count").fetchone()[0] or pictures - _thumbnails(database))


def _thumbnails(database: sqlite3.Connection) -> set[str]:
    """Files of the thumbnails that some vector names."""
    return {f"{schema.THUMBNAIL_FOLDER}/{name}" for (name,) in database.execute(
        "SELECT thumbnail FROM vectors WHERE thumbnail NOT NULL")}


def _take_out(database: sqlite3.Connection, folder: Path, keys: Collection[str]) -> None:
    for key in keys:
        row = database.execute("SELECT id FROM entities WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise Fault(f"pack {folder}", expected="the id of an entity", actual=repr(key)[:60],
                        remedy="see `pixsearch pack search`")
        for table in _tables_of_entities(database):
            database.execute(f"DELETE FROM {table} WHERE entity = ?", row)
        database.execute("DELETE FROM entities WHERE id = ?", row)
    if not database.execute("SELECT count(*) FROM entities").fetchone()[0]:
        raise Fault(f"pack {folder}", expected="at least one entity left", actual="none", remedy="remove the pack")
    if keys:
        _number_anew(database, "entities", [(table, "entity") for table in _tables_of_entities(database)])
        _number_anew(database, "vectors", [])
        _index_words(database)


def _number_anew(database: sqlite3.Connection, table: str, references: Collection[tuple[str, str]]) -> None:
    """Give the rows of a table, and columns that name them, numbers without gaps, as caches and searches expect.

    By way of negative numbers, all of which are free.
    """
    database.execute("CREATE TEMP TABLE numbers(old INTEGER PRIMARY KEY, new INTEGER NOT NULL)")
    database.execute(f"INSERT INTO numbers SELECT id, row_number() OVER (ORDER BY id) FROM {table}")
    for name, column in (*references, (table, "id")):
        database.execute(f"UPDATE {name} SET {column} = -(SELECT new FROM numbers WHERE old = {column})")
        database.execute(f"UPDATE {name} SET {column} = -{column}")
    database.execute("DROP TABLE numbers")


def _index_words(database: sqlite3.Connection) -> None:
    """Make the word index anew: it keeps no text of its own from which rows could be numbered again."""
    database.execute("INSERT INTO words(words) VALUES('delete-all')")
    told = database.execute("SELECT id, name, kind, text FROM entities ORDER BY id").fetchall()
    for entity, name, kind, text in told:
        aliases = [alias for (alias,) in database.execute(
            "SELECT alias FROM aliases WHERE entity = ? ORDER BY rowid", (entity,))]
        facts = dict(database.execute("SELECT attribute, value FROM facts WHERE entity = ? ORDER BY rowid", (entity,)))
        database.execute("INSERT INTO words(rowid, name, aliases, facts, text) VALUES(?, ?, ?, ?, ?)",
                         (entity, *indexed(name, aliases, kind, facts, text)))


def _tables_of_entities(database: sqlite3.Connection) -> list[str]:
    """Every table whose rows belong to an entity."""
    return [name for (name,) in database.execute(
        "SELECT s.name FROM sqlite_schema AS s JOIN pragma_table_info(s.name) AS c "
        "WHERE s.type = 'table' AND c.name = 'entity'").fetchall()]


def _copy_files(database: sqlite3.Connection, folder: Path, target: Path, files: Collection[str],
                with_report: bool) -> None:
    """Copy what is still used. A report page tells of the entities that the pack was built with."""
    used = _thumbnails(database)
    if with_report:
        used.add(schema.REPORT_NAME)
    for name in sorted(used & set(files)):
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(folder / name, target / name)
