"""Files that outlive a crash: hashing, bounded reads, atomic writes, and manifests written last."""

import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pixsearch.contract.faults import Fault

CHUNK_BYTES = 1 << 20
MANIFEST_NAME = "manifest.json"
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of Linux
MAX_MANIFEST_BYTES = 1 << 20


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def sync_directory(path: Path) -> None:
    """Make a rename inside `path` durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make every file and folder below `folder`, and itself, durable."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        elif path.is_dir():
            sync_directory(path)
    sync_directory(folder)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes `path`, durably, when the block ends, and vanishes when it raises."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename, fsync of the folder."""
    with atomic_file(path) as stream:
        stream.write(content)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes `target` on success and vanishes on failure.

    An existing `target` changes places with the new one in one step, and is removed then. What an earlier process left
    when it was killed is removed first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    with locked(temporary):
        try:
            yield temporary
            sync_tree(temporary)
            os.chmod(temporary, 0o755)
            _put_in_place(temporary, target)
            sync_directory(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what stood there stands at `new` afterwards."""
    if not target.exists():
        os.replace(new, target)
    elif not _exchange(new, target):
        aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
        os.replace(target, aside)
        try:
            os.replace(new, target)
        except BaseException:
            os.replace(aside, target)
            raise
        os.replace(aside, new)


def _exchange(one: Path, other: Path) -> bool:
    """Let two paths change places in one step; False where the system cannot, as on FAT."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    names = os.fsencode(one.absolute()), os.fsencode(other.absolute())
    if rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number), str(other))


@contextmanager
def locked(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold a folder for this process alone, until the block or the process ends. Raises BlockingIOError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(target: Path) -> None:
    """Remove temporary siblings of `target` whose process was killed; those of living ones are locked."""
    for path in target.parent.glob(f".{glob.escape(target.name)}.*"):
        if path.is_symlink() or not path.is_dir():
            continue
        try:
            with locked(path, wait=False):
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue


def read_manifest(folder: Path, kind: str) -> dict[str, Any]:
    """Read `folder/manifest.json` as an object, bounded in size. `kind` names the artefact in faults."""
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise Fault(f"{kind} {folder}", expected=f"a folder with {MANIFEST_NAME}", actual="none there",
                    remedy=f"check the path, or build the {kind} again")
    if (size := path.stat().st_size) > MAX_MANIFEST_BYTES:
        raise Fault(f"{kind} manifest {path}", expected=f"at most {MAX_MANIFEST_BYTES} bytes",
                    actual=f"{size} bytes", remedy=f"install the {kind} again")
    try:
        manifest = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Fault(f"{kind} manifest {path}", expected="JSON", actual=str(error),
                    remedy=f"install the {kind} again") from error
    if not isinstance(manifest, dict):
        raise Fault(f"{kind} manifest {path}", expected="a JSON object", actual=type(manifest).__name__,
                    remedy=f"install the {kind} again")
    return manifest


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over a manifest but what proves itself, files and signature, so that damage to the rest shows."""
    own = {key: value for key, value in manifest.items() if key not in ("files", "checksum", "signature")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Add the hash of every other file below `folder` under "files" and write the manifest, last of all.

    Its own content is hashed under "checksum".
    """
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                   if path.is_file() and path.name != MANIFEST_NAME)
    complete = {**manifest, "checksum": manifest_checksum(manifest),
                "files": {name: sha256_file(folder / name) for name in names}}
    write_atomic(folder / MANIFEST_NAME, manifest_bytes(complete))
    return complete


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """A manifest as its file holds it."""
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


def verify_files(folder: Path, manifest: dict[str, Any], kind: str,
                 digest_of: Callable[[Path], str] = sha256_file) -> None:
    """Check that every file in the manifest is there with its hash, and that nothing else is.

    digest_of : hex SHA-256 of a file
    Raises Fault that names the first file at fault.
    """
    files = manifest.get("files")
    if not isinstance(files, dict) or not files:
        raise Fault(f"{kind} manifest {folder / MANIFEST_NAME}", expected='hashes under "files"',
                    actual="none", remedy=f"install the {kind} again")
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name in sorted(present - set(files) - {MANIFEST_NAME}):
        raise Fault(f"{kind} file {folder / name}", expected="only files named in the manifest",
                    actual="one more", remedy=f"remove it, or install the {kind} again")
    for name, expected in sorted(files.items()):
        path = folder / name
        if folder.resolve() not in path.resolve().parents or not path.is_file():
            raise Fault(f"{kind} file {path}", expected="a file of the manifest", actual="none there",
                        remedy=f"install the {kind} again")
        if (actual := digest_of(path)) != expected:
            raise Fault(f"{kind} file {path}", expected=f"sha256 {str(expected)[:12]}…", actual=f"{actual[:12]}…",
                        remedy=f"install the {kind} again")
