"""A pack as one file for transport: a plain zip archive, extracted with every name, size and ratio checked."""

import re
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import CHUNK_BYTES, MANIFEST_NAME, MAX_MANIFEST_BYTES, atomic_directory, atomic_file
from pixsearch.index import schema
from pixsearch.index.manifest import checked_manifest
from pixsearch.index.pack import verify
from pixsearch.index.signatures import require_trusted
from pixsearch.index.writer import refuse_foreign

MAX_BYTES = (4 << 30) - 1  # of an archive, and of what it holds: that a zip file without extensions can hold no more
MAX_RATIO = 100  # of a file's size to its compressed size
RATIO_MATTERS = 1 << 20  # bytes from which on the ratio is limited
MAX_ENTRIES = schema.MAX_THUMBNAILS + 5  # manifest, database, two caches, report
MAX_ENTRY_HEADER = 256  # bytes of the central directory an entry
SINCE = (1980, 1, 1, 0, 0, 0)  # zip's earliest date: the same pack gives the same bytes on every day

_END = struct.Struct("<4s4H2LH")  # end of central directory: mark, 4 counts, size, offset, length of a comment
_END_MARK, _LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x07"
_LOCATOR_BYTES = 20
_REMEDY = "get it again from its source"


def write_archive(folder: Path, output: Path) -> None:
    """Write a pack as one file, whole or not at all; the same pack gives the same bytes. Raises Fault."""
    verify(folder)
    manifest = checked_manifest(folder)
    if output.is_dir():
        raise Fault(f"output {output}", expected="a file name", actual="a folder", remedy="choose another name")
    with writing(output) as archive:
        for name in (MANIFEST_NAME, *sorted(manifest["files"])):
            add(archive, name, folder / name)


@contextmanager
def writing(output: Path) -> Iterator[ZipFile]:
    """A new archive that becomes `output` when the block ends. Raises Fault for more than 4 GB."""
    with atomic_file(output) as stream:
        try:
            with ZipFile(stream, "w", allowZip64=False) as archive:
                yield archive
        except Exception as error:  # zipfile names no exceptions of its own for this
            if isinstance(error, (Fault, OSError)):
                raise
            raise Fault(f"archive {output}", expected="at most 4 GB", actual="more", remedy="split the pack") from error


def add(archive: ZipFile, name: str, content: Path | bytes) -> None:
    """Add a file; what is compressed already is stored as it is."""
    entry = ZipInfo(name, SINCE)
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.compress_type = ZIP_STORED if name.endswith((".webp", ".zst")) else ZIP_DEFLATED
    with archive.open(entry, "w") as target:
        if isinstance(content, bytes):
            target.write(content)
            return
        with content.open("rb") as source:
            while chunk := source.read(CHUNK_BYTES):
                target.write(chunk)


def extract_archive(path: Path, output: Path, trusted: dict[str, str] | None = None) -> None:
    """Extract a pack archive as the folder `output`, whole, checked, or not at all. Raises Fault."""
    refuse_foreign(output)
    with atomic_directory(output) as folder:
        extract_into(path, folder, trusted)
        verify(folder, trusted)


def extract_into(path: Path, folder: Path, trusted: dict[str, str] | None = None) -> None:
    """Extract a pack archive into an empty folder: the manifest first, then only files that it names. Raises Fault."""
    with reading(path, schema.FILE_NAME, MAX_ENTRIES) as archive:
        (folder / MANIFEST_NAME).write_bytes(archive.read(MANIFEST_NAME, MAX_MANIFEST_BYTES))
        manifest = checked_manifest(folder)
        require_trusted(manifest, trusted, f"archive {path}")
        if set(archive.names) != {MANIFEST_NAME, *manifest["files"]}:
            raise broken(path, "the files of its manifest", "others")
        for name in sorted(manifest["files"]):
            archive.extract(name, folder)


class Archive:
    """An opened archive whose list of files was checked."""

    def __init__(self, path: Path, archive: ZipFile, names: re.Pattern[str]) -> None:
        self._path, self._archive = path, archive
        self._entries = {entry.filename: entry for entry in archive.infolist()}
        self.names = list(self._entries)
        if len(self._entries) != len(archive.infolist()):
            raise broken(path, "each file once", "a repeated name")
        for entry in self._entries.values():
            _check_entry(path, entry, names)
        if (total := sum(entry.file_size for entry in self._entries.values())) > MAX_BYTES:
            raise broken(path, f"at most {MAX_BYTES} bytes of content", str(total))

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file. Raises Fault where it is missing or over the limit."""
        entry = self._entry(name)
        if entry.file_size > limit:
            raise broken(self._path, f"at most {limit} bytes of {name}", str(entry.file_size))
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The content of a file in pieces, never more than its list says."""
        entry, size = self._entry(name), 0
        with self._archive.open(entry) as source:
            while chunk := source.read(CHUNK_BYTES):
                size += len(chunk)
                yield chunk
        if size != entry.file_size:
            raise broken(self._path, f"{entry.file_size} bytes of {name}", str(size))

    def extract(self, name: str, folder: Path) -> None:
        """Write a file below `folder`; its name was checked when the archive was opened."""
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        with target.open("xb") as stream:
            for chunk in self.chunks(name):
                stream.write(chunk)

    def _entry(self, name: str) -> ZipInfo:
        if name not in self._entries:
            raise broken(self._path, f"a file {name}", "none")
        return self._entries[name]


@contextmanager
def reading(path: Path, names: re.Pattern[str], entries: int) -> Iterator[Archive]:
    """Open an archive of at most so many files, all named as the pattern says or `manifest.json`. Raises Fault."""
    if not path.is_file():
        raise Fault(f"archive {path}", expected="a file", actual="none there", remedy="check the path")
    _check_end(path, entries)
    try:
        with ZipFile(path) as archive:
            yield Archive(path, archive, names)
    except Fault:
        raise
    except Exception as error:  # zipfile and zlib let many kinds through on broken input, OSError without a name too
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise broken(path, "a sound zip archive, and room for what is in it",
                     f"{type(error).__name__}: {error}"[:120]) from error


def _check_end(path: Path, entries: int) -> None:
    """Check count and size of the list of files before zipfile reads it into memory."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _END.size - _LOCATOR_BYTES))
        tail = stream.read()
    if size > MAX_BYTES or len(tail) < _END.size:
        raise broken(path, f"a zip archive of at most {MAX_BYTES} bytes", f"{size} bytes")
    mark, disk, first_disk, here, count, list_bytes, _, comment = _END.unpack(tail[-_END.size:])
    if mark != _END_MARK or disk or first_disk or here != count or comment or tail.startswith(_LOCATOR_MARK):
        raise broken(path, "a plain zip archive: one part, no comment, no 64-bit extension", "something else")
    if count > entries or list_bytes > count * MAX_ENTRY_HEADER:
        raise broken(path, f"a list of at most {entries} files", f"{count} in {list_bytes} bytes")


def _check_entry(path: Path, entry: ZipInfo, names: re.Pattern[str]) -> None:
    name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
    if entry.orig_filename != name or not (name == MANIFEST_NAME or names.fullmatch(name)):
        raise broken(path, "only file names of a pack", repr(entry.orig_filename)[:60])
    if kind not in (0, stat.S_IFREG):
        raise broken(path, "only plain files", f"{name}, a link or device")
    if entry.flag_bits & 1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise broken(path, "files that are stored or deflated", f"{name} otherwise")
    if entry.file_size > schema.MAX_FILE_BYTES:
        raise broken(path, f"at most {schema.MAX_FILE_BYTES} bytes a file", f"{entry.file_size} of {name}")
    if entry.file_size > max(RATIO_MATTERS, MAX_RATIO * entry.compress_size):
        raise broken(path, f"files compressed at most {MAX_RATIO} times", f"{name}: {entry.file_size} bytes from "
                     f"{entry.compress_size}")


def broken(path: Path, expected: str, actual: str) -> Fault:
    """What to raise for an archive that is not as it should be."""
    return Fault(f"archive {path}", expected=expected, actual=actual, remedy=_REMEDY)
