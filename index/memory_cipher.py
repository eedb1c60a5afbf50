"""A memory that is encrypted at rest, whole: SQLCipher's pages, under a passphrase that is stored nowhere.

The key is made of the passphrase as SQLCipher itself makes it (PBKDF2-HMAC-SHA512, with the salt that opens the file),
so that any SQLCipher tool opens a memory with its passphrase. It is made once here, and not for each connection.
"""

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import cast

import sqlcipher3

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import CHUNK_BYTES, sync_directory
from pixsearch.index.memory_store import DATABASE_NAME, PLAIN, PLAIN_HEADER, Engine, is_encrypted

MIN_PASSPHRASE_CHARS = 8
BUSY_S = 1.0  # for which another program's lock is waited for
SALT_BYTES, KEY_BYTES, ITERATIONS = 16, 32, 256_000
_COPIED = ("application_id", "user_version", "auto_vacuum")  # of a database's header; tables are copied by SQLCipher


def engine_for(folder: Path, passphrase: str | None) -> Engine:
    """How to open a memory. Raises Fault where a passphrase is missing, too short, or given to an open memory."""
    if passphrase is None:
        if is_encrypted(folder):
            raise _wrong(folder, "its passphrase", "none", "give it, or set PIXSEARCH_PASSPHRASE")
        return PLAIN
    path = folder / DATABASE_NAME
    if path.exists() and _head(path) == PLAIN_HEADER:
        raise _wrong(folder, "no passphrase", "one", "run `pixsearch memory encrypt` first")
    return _locked(passphrase)


def encrypt(folder: Path, passphrase: str) -> None:
    """Put an encrypted database in place of a plain one, and overwrite that.

    Whole or not at all. Nobody else may have the memory open: who comes meanwhile waits, and is then refused.
    Raises Fault. On flash memory an overwritten file may still leave traces that only the drive could erase.
    """
    path, new = folder / DATABASE_NAME, folder / f".{DATABASE_NAME}.new"
    if not path.exists() or is_encrypted(folder):
        raise _wrong(folder, "a memory that is not encrypted", "an encrypted one" if path.exists() else "none",
                     "check the folder")
    key = _key(_checked(passphrase), secrets.token_bytes(SALT_BYTES))
    with path.open("r+b") as old:  # opened first and closed last: closing a file drops SQLite's locks on it
        try:
            new.unlink(missing_ok=True)
            os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with closing(sqlcipher3.connect(str(path), timeout=BUSY_S, isolation_level=None)) as plain:
                _hold_alone(plain)
                _copy(plain, new, key)
                os.replace(new, path)
                sync_directory(folder)
                _overwrite(old.fileno())
        except sqlcipher3.Error as error:
            raise _wrong(folder, "a memory that nobody else uses", str(error), "close other programs") from error
        finally:
            new.unlink(missing_ok=True)


def _hold_alone(plain: sqlcipher3.Connection) -> None:
    """Lock a database against everybody, its write-ahead log folded in and gone."""
    plain.execute("PRAGMA locking_mode=EXCLUSIVE")
    if plain.execute("PRAGMA journal_mode=DELETE").fetchone() != ("delete",):
        raise sqlcipher3.OperationalError("it is in use")
    plain.execute("BEGIN EXCLUSIVE").close()
    plain.execute("COMMIT").close()  # the exclusive mode keeps the lock; ATTACH is not possible within a transaction


def _copy(plain: sqlcipher3.Connection, new: Path, key: str) -> None:
    plain.execute(f"ATTACH DATABASE ? AS locked KEY {key}", (str(new),))
    for name in _COPIED:
        value = plain.execute(f"PRAGMA main.{name}").fetchone()[0]
        plain.execute(f"PRAGMA locked.{name}={value}")
    plain.execute("SELECT sqlcipher_export('locked')").fetchall()
    plain.execute("DETACH DATABASE locked")
    with new.open("rb") as stream:
        os.fsync(stream.fileno())


def _overwrite(descriptor: int) -> None:
    for start in range(0, os.fstat(descriptor).st_size, CHUNK_BYTES):
        os.pwrite(descriptor, bytes(min(CHUNK_BYTES, os.fstat(descriptor).st_size - start)), start)
    os.fsync(descriptor)


def _locked(passphrase: str) -> Engine:
    made: dict[bytes, str] = {}
    checked = _checked(passphrase)

    def connect(path: Path) -> sqlite3.Connection:
        salt = _head(path) or next(iter(made), secrets.token_bytes(SALT_BYTES))
        if salt not in made:
            made[salt] = _key(checked, salt)
        connection = sqlcipher3.connect(str(path), check_same_thread=False, isolation_level=None)
        try:
            connection.execute("PRAGMA cipher_log_level=NONE")  # a mistyped passphrase is told in one line, by us
            connection.execute(f"PRAGMA key={made[salt]}")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlcipher3.DatabaseError as error:
            connection.close()
            raise _wrong(path.parent, "its passphrase", "another one, or a damaged file",
                         "try again, or restore the folder from a copy") from error
        return cast(sqlite3.Connection, connection)

    return Engine(cast(Callable[[Path], sqlite3.Connection], connect), sqlcipher3.Error)


def _key(passphrase: str, salt: bytes) -> str:
    """The raw key with its salt, as SQLCipher's pragma takes it."""
    key = hashlib.pbkdf2_hmac("sha512", passphrase.encode(), salt, ITERATIONS, KEY_BYTES)
    return f"\"x'{key.hex()}{salt.hex()}'\""


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(SALT_BYTES)


def _checked(passphrase: str) -> str:
    if len(passphrase) < MIN_PASSPHRASE_CHARS or "\0" in passphrase:
        raise Fault("passphrase", expected=f"at least {MIN_PASSPHRASE_CHARS} characters", actual=str(len(passphrase)),
                    remedy="choose a longer one")
    return passphrase


def _wrong(folder: Path, expected: str, actual: str, remedy: str) -> Fault:
    return Fault(f"memory {folder}", expected=expected, actual=actual, remedy=remedy)
