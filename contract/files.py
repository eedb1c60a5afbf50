"""Files that outlive a crash: hashing, bounded reads, atomic writes, and manifests written last."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault

CHUNK_BYTES = 1 << 20
MANIFEST_NAME = "manifest.json"
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


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: temporary file, fsync, rename, fsync of the folder."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """Yield a temporary sibling folder that becomes `target` on success and vanishes on failure.

    An existing `target` is moved aside first and removed only after the new one is in place.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        for path in sorted(temporary.rglob("*")):
            if path.is_file():
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
        os.chmod(temporary, 0o755)
        _put_in_place(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(target.parent)


def _put_in_place(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what stood there is put back when that fails, and removed when it is done."""
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    old = aside / target.name
    try:
        if target.exists():
            os.replace(target, old)
        os.replace(new, target)
    except BaseException:
        if old.exists() and not target.exists():
            os.replace(old, target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


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
    except ValueError as error:
        raise Fault(f"{kind} manifest {path}", expected="JSON", actual=str(error),
                    remedy=f"install the {kind} again") from error
    if not isinstance(manifest, dict):
        raise Fault(f"{kind} manifest {path}", expected="a JSON object", actual=type(manifest).__name__,
                    remedy=f"install the {kind} again")
    return manifest


def manifest_checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 over a manifest but its "files" (each proves itself), so that damage to the rest shows."""
    own = {key: value for key, value in manifest.items() if key not in ("files", "checksum")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """Add the hash of every other file below `folder` under "files" and write the manifest, last of all.

    Its own content is hashed under "checksum".
    """
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*")
                   if path.is_file() and path.name != MANIFEST_NAME)
    complete = {**manifest, "checksum": manifest_checksum(manifest),
                "files": {name: sha256_file(folder / name) for name in names}}
    write_atomic(folder / MANIFEST_NAME, json.dumps(complete, indent=1, sort_keys=True).encode())
    return complete


def verify_files(folder: Path, manifest: dict[str, Any], kind: str) -> None:
    """Check that every file in the manifest is there with its hash, and that nothing else is.

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
        if (actual := sha256_file(path)) != expected:
            raise Fault(f"{kind} file {path}", expected=f"sha256 {str(expected)[:12]}…", actual=f"{actual[:12]}…",
                        remedy=f"install the {kind} again")
