"""Hashes of a pack's files remembered between openings, so that an unchanged pack is not read again."""

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from pixsearch.contract.files import sha256_file, write_atomic
from pixsearch.contract.user_folders import cache_folder

MAX_CACHE_BYTES = 4 << 20
MAX_PACKS = 200  # remembered; the one opened longest ago is forgotten first
SETTLED_NS = 2 * 10**9  # a file changed later than this before it was hashed may change again unseen: FAT counts 2 s
FORMAT = 1

Stamp = list[int]


class HashCache:
    """SHA-256 of files by their device, inode, size, mtime and ctime.

    A cache that is missing, damaged or half written only means that files are read. `complete` says whether every
    hash asked for so far was remembered, that is, whether the pack was opened with these very bytes before.
    """

    def __init__(self, pack: Path) -> None:
        self._pack = pack
        name = hashlib.sha256(os.fsencode(pack.resolve())).hexdigest()[:32]
        self._path = cache_folder() / "hashes" / f"{name}.json"
        self._known = _read(self._path)
        self._found: dict[str, tuple[Stamp, str]] = {}
        self.complete = True

    def sha256(self, path: Path) -> str:
        """Hex SHA-256 of a file of the pack, read only when it may have changed."""
        name, before = str(path.relative_to(self._pack)), _stamp(path)
        stamp, digest = self._known.get(name, (None, ""))
        if stamp != before:
            self.complete = False
            began = time.time_ns()
            digest = sha256_file(path)
            if _stamp(path) != before or began - max(before[-2:]) < SETTLED_NS:
                return digest  # changed meanwhile, or so lately that a second change would leave the same times
        self._found[name] = (before, digest)
        return digest

    def save(self) -> None:
        """Remember what was found; call it once the pack has proved sound. A cache that cannot be written is none."""
        if self.complete or not self._found:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._path, json.dumps({"format": FORMAT, "files": self._found}).encode())
            for old in sorted(self._path.parent.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-MAX_PACKS]:
                old.unlink(missing_ok=True)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _read(path: Path) -> dict[str, tuple[Stamp, str]]:
    """What a cache file holds, as far as it is one."""
    try:
        if path.stat().st_size > MAX_CACHE_BYTES:
            return {}
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {str(name): (list(stamp), str(digest)) for name, (stamp, digest) in content["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
