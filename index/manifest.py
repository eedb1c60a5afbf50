"""Checking a pack before anything of it is opened: manifest, sizes, and the hash of every file."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, manifest_checksum, read_manifest, sha256_file, verify_files
from pixsearch.contract.plain_text import plain
from pixsearch.index import schema
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.entities import MAX_NAME_LENGTH

FIELDS = {"name": str, "version": int, "licence": str, "calibration": dict, "index": dict, "embedder": dict,
          "counts": dict, "files": dict}
CALIBRATION = ("gain", "offset")  # of visual scores; see `Pack.search_vectors`
MAX_VERSION = 2**53
REMEDY = "install the pack again"


def checked_manifest(folder: Path) -> dict[str, Any]:
    """Read and check a manifest; no other file is touched. Raises Fault."""
    manifest = read_manifest(folder, schema.PACK_KIND)
    path = folder / MANIFEST_NAME
    if manifest.get("kind") != schema.PACK_KIND:
        raise Fault(f"folder {folder}", expected="a knowledge pack", actual=repr(manifest.get("kind"))[:60],
                    remedy="check the path")
    if manifest.get("format_version") != schema.FORMAT_VERSION:
        raise Fault(f"pack {folder}", expected=f"format version {schema.FORMAT_VERSION}",
                    actual=repr(manifest.get("format_version"))[:60],
                    remedy="build it again with this version")
    if manifest.get("checksum") != manifest_checksum(manifest):
        raise Fault(f"pack manifest {path}", expected="the checksum of its content", actual="another one",
                    remedy=REMEDY)
    for field, kind in FIELDS.items():
        if not isinstance(manifest.get(field), kind):
            raise Fault(f"pack manifest {path}", expected=f"{field!r} of type {kind.__name__}",
                        actual=repr(manifest.get(field))[:60], remedy=REMEDY)
    _check_name_and_version(path, manifest)
    _check_counts(path, manifest["counts"])
    _check_calibration(path, manifest["calibration"])
    if (precision := manifest.get("precision", schema.FIRST_PRECISION)) not in list(schema.PRECISIONS):
        raise Fault(f"pack manifest {path}", expected=f"a precision among {', '.join(schema.PRECISIONS)}",
                    actual=repr(precision)[:60], remedy=REMEDY)
    for name in manifest["files"]:
        if not schema.FILE_NAME.fullmatch(name):
            raise Fault(f"pack manifest {path}", expected="only file names of a pack", actual=repr(name)[:60],
                        remedy=REMEDY)
    embedder_of(folder, manifest)
    return manifest


def embedder_of(folder: Path, manifest: dict[str, Any]) -> EmbedderId:
    """The embedder that the pack was built with. Raises Fault."""
    try:
        return EmbedderId(**manifest["embedder"])
    except (TypeError, ValueError) as error:
        raise Fault(f"pack manifest {folder / MANIFEST_NAME}", expected="an embedder", actual=str(error),
                    remedy=REMEDY) from error


def verify_pack_files(folder: Path, manifest: dict[str, Any], digest_of: Callable[[Path], str] = sha256_file) -> None:
    """Check the size, then the hash, of every file; no file may be missing or added. Raises Fault."""
    for name in manifest["files"]:
        path = folder / name
        size = path.stat().st_size if path.is_file() else 0
        if size > schema.MAX_FILE_BYTES:
            raise Fault(f"pack file {path}", expected=f"at most {schema.MAX_FILE_BYTES} bytes",
                        actual=str(size), remedy="split the pack")
    verify_files(folder, manifest, schema.PACK_KIND, digest_of)


def _check_name_and_version(path: Path, manifest: dict[str, Any]) -> None:
    if not 0 < len(plain(manifest["name"])) <= MAX_NAME_LENGTH:
        raise Fault(f"pack manifest {path}", expected=f"a name of 1 to {MAX_NAME_LENGTH} characters",
                    actual=repr(manifest["name"])[:60], remedy=REMEDY)
    if type(manifest["version"]) is not int or not 0 < manifest["version"] <= MAX_VERSION:
        raise Fault(f"pack manifest {path}", expected=f"a version from 1 to {MAX_VERSION}",
                    actual=repr(manifest["version"])[:60], remedy=REMEDY)


def _check_counts(path: Path, counts: dict[str, Any]) -> None:
    for name in schema.COUNTS:
        limit = schema.MAX_ENTITIES if name == "entities" else schema.MAX_VECTORS
        if name == "facts":
            limit = schema.MAX_FACTS
        if type(counts.get(name)) is not int or not 0 <= counts[name] <= limit:
            raise Fault(f"pack manifest {path}", expected=f"a count of {name} up to {limit}",
                        actual=repr(counts.get(name))[:60], remedy=REMEDY)


def _check_calibration(path: Path, calibration: dict[str, Any]) -> None:
    for name, value in calibration.items():
        if name not in CALIBRATION or type(value) not in (int, float) or not math.isfinite(value):
            raise Fault(f"pack manifest {path}", expected=f"finite numbers for {' and '.join(CALIBRATION)}",
                        actual=f"{name[:40]!r}: {value!r:.40}", remedy=REMEDY)
