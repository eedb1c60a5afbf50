"""What is fuzzed: the readers of manifests, signatures, archives, deltas and databases, each with hostile bytes.

An input is a short list of edits to a sound sample, so that most get past the first check; every second one edits the
content below the checksums and makes those right again, as a hostile tool would. A target returns, or raises what must
never be: anything but a Fault of one line, a file outside the folder, or a signature that holds for other content.
"""

import copy
import hashlib
import io
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from pixsearch.apps.torture.material import Colours, a_pack, quiet
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, manifest_checksum, sha256_file
from pixsearch.index import signatures
from pixsearch.index.archive import extract_into, write_archive
from pixsearch.index.delta import build_target, write_delta
from pixsearch.index.manifest import checked_manifest
from pixsearch.index.pack import Pack, sign
from pixsearch.index.schema import CACHE_NAMES, DATABASE_NAME

ENTITIES = 3
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1.5, float("nan"), float("inf"), "", "x", "../x", "/etc/passwd",
    "thumbnails/00000001.webp", "thumbnails/../x", "knowledge.sqlite", "\ud800", "a\0b", "\x1b[31m\n", "0" * 64,
    "x" * 5_000, [], {}, [0], {"x": 0}, [[[]]], "patches/00000000.zst", "manifest.json", 2**53)
INSERTS = (b"0", b"[" * 20_000, b'{"a":' * 5_000, b"\xff", b"\x00" * 64, b"1e999", b"9" * 5_000, b"PK\x05\x06", b"../",
           b"\n", b'"', b"NaN", b"\xed\xa0\x80", b"-", b"{}", b"PK\x06\x07")
ROW_TABLES = ("entities", "aliases", "facts", "vectors", "texts")
Edit = tuple[int, int, int]  # what to do, where (0 to 65535), with what (0 to 255)


class Samples:
    """Sound samples in a folder, and a place beside it where nothing may appear."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "out"
        with quiet():
            old, new = a_pack(folder / "old", 1, ENTITIES), a_pack(folder / "new", 2, ENTITIES)
            signatures.new_key(folder / "k.key")
            for pack in (old, new):
                sign(pack, signatures.read_secret_key(folder / "k.key"))
            write_archive(new, folder / "new.zip")
            write_delta(old, new, folder / "new.delta", signatures.read_secret_key(folder / "k.key"))
        self.old = old
        self.manifest = json.loads((new / MANIFEST_NAME).read_bytes())
        self.public_key = (folder / "k.pub").read_bytes()
        self.archive, self.delta = (_entries(folder / name) for name in ("new.zip", "new.delta"))
        self.archive_bytes, self.delta_bytes = ((folder / name).read_bytes() for name in ("new.zip", "new.delta"))
        self.out.mkdir()
        self._listing = sorted(path.name for path in [*folder.iterdir(), *folder.parent.iterdir()])

    def empty_out(self) -> Path:
        """The folder to write to, empty."""
        if any(self.out.iterdir()):
            shutil.rmtree(self.out)
            self.out.mkdir()
        return self.out

    def write(self, name: str, content: bytes) -> Path:
        """A hostile file, in the folder that is emptied."""
        path = self.out / name
        path.write_bytes(content)
        return path

    def check_nothing_escaped(self) -> None:
        """Raise AssertionError for a file beside the folder."""
        assert sorted(path.name for path in [*self.folder.iterdir(), *self.folder.parent.iterdir()]) == self._listing


def manifest(samples: Samples, data: bytes) -> None:
    """A manifest, checked as `Pack.open` does."""
    content = _json_input(samples.manifest, data)
    samples.empty_out()
    samples.write(MANIFEST_NAME, content)
    with only_faults(samples):
        signatures.signer_of(checked_manifest(samples.out), "pack")


def signature(samples: Samples, data: bytes) -> None:
    """A signed manifest of which anything was changed, or a key file."""
    if data[:1] > b"\xc0":
        samples.empty_out()
        path = samples.write("k.pub", edited_bytes(samples.public_key, data[1:]))
        for read in (signatures.read_public_key, signatures.read_secret_key):
            with only_faults(samples):
                read(path)
        return
    changed = edited_json(samples.manifest, data[1:])
    if not isinstance(changed, dict):
        return
    with only_faults(samples):
        signer = signatures.signer_of(changed, "pack")
        own = {key: value for key, value in samples.manifest.items() if key != "signature"}
        told = {key: value for key, value in changed.items() if key != "signature"}
        assert signer is None or told == own, "a signature holds for other content"


def archive(samples: Samples, data: bytes) -> None:
    """A pack archive, extracted."""
    content = _archive_input(samples.archive_bytes, samples.archive, data, repaired=False)
    path = samples.folder / "new.zip"  # written over: the sample itself is in memory
    path.write_bytes(content)
    with only_faults(samples):
        extract_into(path, samples.empty_out())


def delta(samples: Samples, data: bytes) -> None:
    """A delta, applied into an empty folder."""
    content = _archive_input(samples.delta_bytes, samples.delta, data, repaired=True)
    path = samples.folder / "new.delta"
    path.write_bytes(content)
    with only_faults(samples), quiet():
        build_target(samples.old, path, samples.empty_out())


def database(samples: Samples, data: bytes) -> None:
    """A pack whose database was changed and whose hashes were made right again, opened and searched."""
    pack = samples.empty_out() / "pack"
    shutil.copytree(samples.old, pack)
    path = pack / DATABASE_NAME
    if data[:1] < b"\x80":
        path.write_bytes(edited_bytes(path.read_bytes(), data[1:]))
    else:
        _edit_rows(path, data[1:])
    own = json.loads((pack / MANIFEST_NAME).read_bytes())
    own["files"][DATABASE_NAME] = sha256_file(path)
    if data[-1:] > b"\x80":  # without the caches, the database alone is searched
        for name in set(CACHE_NAMES) & set(own["files"]):
            (pack / name).unlink()
            del own["files"][name]
    own.pop("signature")
    (pack / MANIFEST_NAME).write_text(json.dumps(own))
    with only_faults(samples), quiet(), Pack.open(pack, Colours.id, read_all=True) as opened:
        query = Colours().text("thing")
        hits = opened.search_text("thing 1 object", query) + opened.search_vectors(np.ones(Colours.dimension))
        assert all(hit.as_json() for hit in hits)
        opened.looks("thing")


TARGETS: dict[str, Callable[[Samples, bytes], None]] = {
    "manifest": manifest, "signature": signature, "archive": archive, "delta": delta, "database": database}


class only_faults:
    """A block from which nothing but a Fault of one line may come, after which nothing lies outside the folder."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        self._samples.check_nothing_escaped()
        if isinstance(error, Fault):
            assert "\n" not in str(error)
            return True
        return False


def edits(data: bytes) -> Iterator[Edit]:
    """Four bytes an edit."""
    for at in range(0, len(data) - 3, 4):
        yield data[at], int.from_bytes(data[at + 1:at + 3], "big"), data[at + 3]


def edited_bytes(sample: bytes, data: bytes) -> bytes:
    """A sample with bytes set, flipped, cut out, doubled, put in, or its end cut off."""
    content = bytearray(sample)
    for what, where, value in edits(data):
        at = where * len(content) >> 16
        match what % 6:
            case 0:
                content[at:at + 1] = bytes([value])
            case 1 if content:
                content[at] ^= 1 << value % 8
            case 2:
                del content[at:at + value]
            case 3:
                content[at:at] = content[at:at + value]
            case 4:
                content[at:at] = INSERTS[value % len(INSERTS)]
            case 5:
                del content[at + value:]
    return bytes(content)


def edited_json(sample: Any, data: bytes) -> Any:
    """A copy of a JSON value with parts replaced, left out, renamed or wrapped."""
    top = [copy.deepcopy(sample)]
    for what, where, value in edits(data):
        holder: Any = top
        key: Any = 0
        while isinstance(holder[key], (dict, list)) and holder[key] and where:
            holder = holder[key]
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            where, place = divmod(where, len(keys) + 1)
            if place == len(keys):
                place = 0
                where = 0
            key = keys[place]
        match what % 4:
            case 0 | 1:
                holder[key] = copy.deepcopy(VALUES[value % len(VALUES)])
            case 2 if holder is not top:
                gone = holder.pop(key)
                if isinstance(holder, dict) and value % 2:
                    holder[str(VALUES[value % len(VALUES)])] = gone
            case 3:
                holder[key] = [holder[key]] if value % 2 else {str(value): holder[key]}
    return top[0]


def _edit_rows(path: Path, data: bytes) -> None:
    """Put values of any type into any column."""
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("PRAGMA synchronous=OFF")
        for what, where, value in edits(data):
            table = ROW_TABLES[what % len(ROW_TABLES)]
            columns = [row[1] for row in opened.execute(f"PRAGMA table_info({table})")]
            changed = VALUES[value % len(VALUES)]
            if isinstance(changed, (list, dict)) or changed == "\ud800" or isinstance(changed, int) and changed >> 63:
                changed = bytes([value]) * (value % 9)
            try:
                opened.execute(f"UPDATE {table} SET {columns[where % len(columns)]} = ? WHERE rowid % 3 = ?",
                               (changed, where % 3))
            except sqlite3.Error:
                continue  # a rule of the schema stands against it


def _json_input(sample: dict[str, Any], data: bytes) -> bytes:
    if data[:1] < b"\x60":
        return edited_bytes(json.dumps(sample).encode(), data[1:])
    return json.dumps(_repaired(edited_json(sample, data[1:]))).encode()


def _repaired(value: Any) -> Any:
    """A manifest whose checksum fits again."""
    return {**value, "checksum": manifest_checksum(value)} if isinstance(value, dict) else value


def _archive_input(whole: bytes, entries: dict[str, bytes], data: bytes, repaired: bool) -> bytes:
    """An archive with bytes changed, or one made anew of changed entries; `repaired`: hashes in its manifest too."""
    if data[:1] < b"\x60":
        return edited_bytes(whole, data[1:])
    changed = dict(entries)
    names = sorted(changed)
    where = names[data[1] % len(names)] if len(data) > 1 else names[0]
    if data[:1] < b"\xb0":
        changed[where] = edited_bytes(changed[where], data[2:])
    elif data[:1] < b"\xd0":
        changed[str(VALUES[data[1] % len(VALUES)] if len(data) > 1 else "x")] = b"more"
        changed.pop(names[len(data) % len(names)], None)
    told = edited_json(json.loads(entries[MANIFEST_NAME]), data[2:] if data[:1] >= b"\xd0" else b"")
    if repaired and isinstance(told, dict) and isinstance(told.get("files"), dict):
        told["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in changed.items()
                         if name != MANIFEST_NAME}
        told.pop("signature", None)
    if where != MANIFEST_NAME or data[:1] >= b"\xd0":
        changed[MANIFEST_NAME] = json.dumps(_repaired(told)).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if data[-1:] > b"\x80" else zipfile.ZIP_STORED) as made:
        for name, content in changed.items():
            made.writestr(name.encode("utf-8", "replace").decode() or "empty", content)
    return stream.getvalue()


def _entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive_:
        return {name: archive_.read(name) for name in archive_.namelist()}
