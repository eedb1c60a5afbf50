"""What left the device, byte for byte: an append-only file for each day, and the bytes themselves beside it.

FOLDER/2026-11-26.jsonl has one line for each write, on disk before the bytes leave; FOLDER/2026-11-26/ holds what each
exchange sent. Days are UTC's. The day's budget is read from the same file, so that neither can forget the other.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

KEEP_DAYS = 90
MAX_DAY_BYTES = 64 << 20  # of one day's lines: far above what any budget allows


@dataclass(frozen=True)
class Spent:
    """What left on one day: exchanges, and bytes over all of them."""

    exchanges: int
    sent: int


class Exchange:
    """One question to one server, however often it is tried."""

    def __init__(self, folder: Path, started: datetime, to: str, secret: bytes) -> None:
        day = f"{started:%Y-%m-%d}"
        self._lines = folder / f"{day}.jsonl"
        self._name = f"{started:%H%M%S}-{secrets.token_hex(4)}"
        self._content = folder / day / f"{self._name}.bin"
        self._content.parent.mkdir(mode=0o700, exist_ok=True)
        self._to, self._secret, self.sent = to, secret, 0

    def connecting(self) -> None:
        """Keep that a connection is about to be made: the host's name is looked up, and TLS shows it, too."""
        self._line("connection", b"")

    def leaving(self, content: bytes) -> None:
        """Keep bytes that are about to leave; returns when they are on disk. Raises OSError.

        A secret in them is kept as stars: a log is no place for a key.
        """
        kept = content.replace(self._secret, b"*" * len(self._secret)) if self._secret else content
        _append(self._content, kept)
        self._line("bytes", kept)
        self.sent += len(content)

    def _line(self, what: str, kept: bytes) -> None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "exchange": self._name, "to": self._to,
                "what": what, "bytes": len(kept), "sha256": hashlib.sha256(kept).hexdigest(),
                "content": f"{self._content.parent.name}/{self._content.name}", "offset": self.sent}
        _append(self._lines, json.dumps(line).encode() + b"\n")


class OutboundLog:
    """The log in a folder, made when something is about to leave."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder, self._now = folder, now

    def spent_today(self) -> Spent:
        """What left today. A line that a power cut tore counts as an exchange of its own."""
        path = self.folder / f"{self._now():%Y-%m-%d}.jsonl"
        if not path.exists():
            return Spent(0, 0)
        exchanges, sent = set(), 0
        with path.open("rb") as stream:
            for number, line in enumerate(stream.read(MAX_DAY_BYTES).splitlines()):
                try:
                    row = json.loads(line)
                    exchanges.add(str(row["exchange"]))
                    sent += int(row["bytes"])
                except (ValueError, KeyError, TypeError):
                    exchanges.add(f"line {number}")
        return Spent(len(exchanges), sent)

    @contextmanager
    def exchange(self, to: str, secret: bytes = b"") -> Iterator[Exchange]:
        """One exchange with "host:port"; no other process or thread has one at the same time.

        Raises BlockingIOError while another is under way, OSError where the folder cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(self.folder / ".lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._forget_old_days()
            yield Exchange(self.folder, self._now(), to, secret)

    def _forget_old_days(self) -> None:
        oldest = self._now().date() - timedelta(days=KEEP_DAYS)
        for path in self.folder.iterdir():
            with suppress(ValueError):
                if date.fromisoformat(path.stem) < oldest:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _opened(path: Path) -> BinaryIO:
    """A file to append to, for its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def _append(path: Path, content: bytes) -> None:
    with _opened(path) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
