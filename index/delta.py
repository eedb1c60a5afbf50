"""Updates that carry only what changed: `delta` between two versions of a pack, `apply` to the older one.

A delta is an archive of the new version's manifest and of patches, one for each stretch of a file: Zstandard frames
that use a stretch of the old file as their dictionary. The result has the very bytes of the new version, so that its
hashes and its signature hold; memory is bounded whatever the size of the pack.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import click
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import (
    MANIFEST_NAME,
    MAX_MANIFEST_BYTES,
    atomic_directory,
    manifest_bytes,
    manifest_checksum,
)
from pixsearch.index import schema, signatures
from pixsearch.index.archive import Archive, add, broken, reading, writing
from pixsearch.index.manifest import MAX_VERSION, checked_manifest
from pixsearch.index.pack import verify
from pixsearch.index.successor import refuse_step_back

KIND, FORMAT_VERSION = "pack delta", 1
TARGET_NAME = "target.json"
NAMES = re.compile(r"target\.json|patches/[0-9]{8}\.zst")
STRETCH_BYTES = 16 << 20  # of the new file that one patch makes
REACH_BYTES = 16 << 20  # how far before and after its own place a stretch is looked for in the old file
WINDOW_LOG = 26  # 2**26 bytes hold a stretch and its dictionary
MAX_ENTRIES = schema.MAX_THUMBNAILS + 6 + 4 * schema.MAX_FILE_BYTES // STRETCH_BYTES
_LEVEL, _SEARCH_LOG = 3, 2
_REMEDY = "get the update again from its source"


@dataclass(frozen=True)
class _Patch:
    """One stretch of a new file: `size` bytes of it, made from `length` bytes at `start` of the old file `old`."""

    old: str
    start: int
    length: int
    size: int
    name: str


def write_delta(old: Path, new: Path, output: Path, key: Ed25519PrivateKey | None = None) -> dict[str, Any]:
    """Write what leads from one version of a pack to a later one; returns its manifest. Raises Fault.

    key : signs the delta; the new version itself is signed with `pack.sign` before
    """
    for folder in (old, new):
        verify(folder)
    before, after = checked_manifest(old), checked_manifest(new)
    if before["name"] != after["name"]:
        raise Fault(f"pack {new}", expected=f"a later version of {before['name']!r}", actual=repr(after["name"]),
                    remedy="name two versions of one pack")
    refuse_step_back(before["name"], before, after)
    kept = set(before["files"].values())
    changed = sorted(name for name, digest in after["files"].items() if digest not in kept)
    manifest: dict[str, Any] = {
        "kind": KIND, "format_version": FORMAT_VERSION, "name": before["name"],
        "base": {"version": before["version"], "digest": content_digest(before)},
        "target": {"version": after["version"], "digest": content_digest(after)}}
    with writing(output) as archive:
        target = manifest_bytes(after)
        add(archive, TARGET_NAME, target)
        files = {TARGET_NAME: hashlib.sha256(target).hexdigest()}
        manifest["patches"] = _write_patches(archive, old, new, before, changed, files)
        manifest = {**manifest, "checksum": manifest_checksum(manifest), "files": files}
        if key is not None:
            manifest = signatures.signed(manifest, key)
        add(archive, MANIFEST_NAME, manifest_bytes(manifest))
    return manifest


def apply_delta(folder: Path, delta: Path, trusted: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Turn a pack into the later version, whole or not at all; returns its manifest.

    trusted : where given, one of these keys must have signed the delta, and the new version
    Raises Fault for a delta of another pack or version, named, and for one that is damaged.
    """
    with atomic_directory(folder) as target:
        build_target(folder, delta, target, trusted)
        verify(target, trusted)
    return checked_manifest(folder)


def build_target(folder: Path, delta: Path, target: Path, trusted: Mapping[str, str] | None = None) -> None:
    """Write the later version of a pack into an empty folder; `folder` stays as it is. Raises Fault."""
    with reading(delta, NAMES, MAX_ENTRIES) as archive:
        manifest, patches = _checked(delta, archive.read(MANIFEST_NAME, MAX_MANIFEST_BYTES))
        signatures.require_trusted(manifest, trusted, f"delta {delta}")
        before = checked_manifest(folder)
        _check_base(delta, manifest, before)
        content = _sound(delta, archive, manifest, TARGET_NAME, MAX_MANIFEST_BYTES)
        (target / MANIFEST_NAME).write_bytes(content)
        after = checked_manifest(target)
        signatures.require_trusted(after, trusted, f"delta {delta}")
        refuse_step_back(before["name"], before, after)
        if content_digest(after) != manifest["target"]["digest"]:
            raise broken(delta, "the manifest that it was made for", "another one")
        _copy_kept(delta, folder, target, before, after, patches)
        with click.progressbar(list(patches.items()), label="applying", file=sys.stderr) as bar:
            for name, stretches in bar:
                _make(delta, archive, manifest, folder, target / name, stretches)


def content_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 that names a version: over its manifest but the signature."""
    own = {key: value for key, value in manifest.items() if key != signatures.FIELD}
    return hashlib.sha256(manifest_bytes(own)).hexdigest()


def _write_patches(archive: ZipFile, old: Path, new: Path, before: dict[str, Any], changed: list[str],
                   files: dict[str, str]) -> dict[str, list[list[Any]]]:
    """Patches of every changed file: [old file, start, length, size, name of the patch] each."""
    patches: dict[str, list[list[Any]]] = {name: [] for name in changed}
    stretches = [(name, at) for name in changed
                 for at in range(0, max(1, (new / name).stat().st_size), STRETCH_BYTES)]
    with click.progressbar(stretches, label="comparing", file=sys.stderr) as bar:
        for number, (name, at) in enumerate(bar):
            source = old / name if name in before["files"] else None
            start, dictionary = _near(source, at, (new / name).stat().st_size)
            stretch = _part(new / name, at, STRETCH_BYTES)
            patch = f"patches/{number:08d}.zst"
            content = _packed(stretch, dictionary)
            add(archive, patch, content)
            files[patch] = hashlib.sha256(content).hexdigest()
            patches[name].append([name if source else "", start, len(dictionary), len(stretch), patch])
    return patches


def _packed(stretch: bytes, dictionary: bytes) -> bytes:
    """A frame that takes from the dictionary what it can.

    Strategy and table sizes were found by trial on rows of vectors whose numbers moved: faster strategies, and tables
    with less than a place for every byte, miss most of what both have in common.
    """
    places = max(12, min(WINDOW_LOG - 1, (len(stretch) + len(dictionary)).bit_length()))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=WINDOW_LOG, strategy=zstandard.STRATEGY_GREEDY, hash_log=places, chain_log=places,
        search_log=_SEARCH_LOG)
    packer = zstandard.ZstdCompressor(compression_params=parameters, dict_data=_dictionary(dictionary))
    return packer.compress(stretch)


def _near(source: Path | None, at: int, size: int) -> tuple[int, bytes]:
    """Where the old file most likely holds what stands at `at` in the new one, and what is there."""
    if source is None or not (length := source.stat().st_size):
        return 0, b""
    start = max(0, at * length // max(1, size) - REACH_BYTES)
    return start, _part(source, start, STRETCH_BYTES + 2 * REACH_BYTES)


def _part(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(start)
        return stream.read(length)


def _dictionary(content: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def _checked(path: Path, content: bytes) -> tuple[dict[str, Any], dict[str, list[_Patch]]]:
    """A delta's manifest, every field of it checked, and its patches by file. Raises Fault."""
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad(path, "JSON", str(error)) from error
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise _bad(path, "a pack delta", "something else")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise _bad(path, f"format version {FORMAT_VERSION}", repr(manifest.get("format_version"))[:60])
    if manifest.get("checksum") != manifest_checksum(manifest):
        raise _bad(path, "the checksum of its content", "another one")
    for field in ("base", "target"):
        one = manifest.get(field)
        if not isinstance(one, dict) or type(one.get("version")) is not int or not isinstance(one.get("digest"), str) \
                or not 0 < one["version"] <= MAX_VERSION:
            raise _bad(path, f"version and digest of its {field}", repr(one)[:60])
    if not isinstance(manifest.get("name"), str) or not isinstance(manifest.get("files"), dict):
        raise _bad(path, "a name and hashes", "something else")
    if not isinstance(manifest.get("patches"), dict):
        raise _bad(path, "patches", "none")
    return manifest, {name: list(_patches(path, name, rows)) for name, rows in manifest["patches"].items()}


def _patches(path: Path, name: str, rows: Any) -> Iterator[_Patch]:
    if not schema.FILE_NAME.fullmatch(name) or not isinstance(rows, list):
        raise _bad(path, "patches of files of a pack", repr(name)[:60])
    for row in rows:
        if not isinstance(row, list) or [type(one) for one in row] != [str, int, int, int, str]:
            raise _bad(path, "patches as [old file, start, length, size, name]", repr(row)[:60])
        patch = _Patch(*row)
        if not (patch.old == "" or schema.FILE_NAME.fullmatch(patch.old)) or not NAMES.fullmatch(patch.name) \
                or not 0 <= patch.start <= schema.MAX_FILE_BYTES or not 0 <= patch.size <= STRETCH_BYTES \
                or not 0 <= patch.length <= STRETCH_BYTES + 2 * REACH_BYTES:
            raise _bad(path, "patches within their limits", repr(row)[:60])
        yield patch


def _check_base(path: Path, manifest: dict[str, Any], before: dict[str, Any]) -> None:
    base = manifest["base"]
    if (manifest["name"], base["digest"]) != (before["name"], content_digest(before)):
        raise Fault(f"delta {path}", expected=f"pack {manifest['name'][:60]!r} version {base['version']} "
                    f"({base['digest'][:12]}…) to apply to",
                    actual=f"{before['name'][:60]!r} version {before['version']} ({content_digest(before)[:12]}…)",
                    remedy="get the update for the version that you have, or the whole pack")


def _copy_kept(path: Path, folder: Path, target: Path, before: dict[str, Any], after: dict[str, Any],
               patches: Mapping[str, Any]) -> None:
    """Copy the files that the old version has under this or another name."""
    named = {digest: name for name, digest in before["files"].items()}
    for name, digest in after["files"].items():
        if name in patches:
            continue
        if not isinstance(digest, str) or digest not in named:
            raise broken(path, f"a patch for {name}", "none")
        (target / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(_inside(folder, named[digest]), target / name)
    if extra := set(patches) - set(after["files"]):
        raise broken(path, "patches for files of the new version", repr(min(extra))[:60])


def _make(path: Path, archive: Archive, manifest: dict[str, Any], folder: Path, made: Path,
          patches: list[_Patch]) -> None:
    """Write one file from its patches."""
    if sum(patch.size for patch in patches) > schema.MAX_FILE_BYTES:
        raise broken(path, f"files of at most {schema.MAX_FILE_BYTES} bytes", "more")
    made.parent.mkdir(exist_ok=True)
    with made.open("xb") as stream:
        for patch in patches:
            content = _sound(path, archive, manifest, patch.name, 2 * STRETCH_BYTES)
            dictionary = _part(_inside(folder, patch.old), patch.start, patch.length) if patch.old else b""
            stream.write(_unpacked(path, patch, content, dictionary))


def _unpacked(path: Path, patch: _Patch, content: bytes, dictionary: bytes) -> bytes:
    """Decode a patch; zstandard believes the size that a frame names, so it is compared first."""
    frame = zstandard.get_frame_parameters(content)
    if frame.content_size != patch.size:
        raise broken(path, f"{patch.size} bytes from {patch.name}", str(frame.content_size))
    unpack = zstandard.ZstdDecompressor(dict_data=_dictionary(dictionary), max_window_size=1 << WINDOW_LOG)
    result = unpack.decompress(content, max_output_size=STRETCH_BYTES, allow_extra_data=False)
    if len(result) != patch.size:
        raise broken(path, f"{patch.size} bytes from {patch.name}", str(len(result)))
    return result


def _sound(path: Path, archive: Archive, manifest: dict[str, Any], name: str, limit: int) -> bytes:
    """The content of a file of the delta, its hash checked."""
    content = archive.read(name, limit)
    if hashlib.sha256(content).hexdigest() != manifest["files"].get(name):
        raise broken(path, f"the hash of {name}", "another one")
    return content


def _inside(folder: Path, name: str) -> Path:
    """A file of the old version, which is no link out of it."""
    path = folder / name
    if folder.resolve() not in path.resolve().parents or not path.is_file():
        raise Fault(f"pack file {path}", expected="a file of the manifest", actual="none there",
                    remedy="install the pack again")
    return path


def _bad(path: Path, expected: str, actual: str) -> Fault:
    return Fault(f"delta {path}", expected=expected, actual=actual, remedy=_REMEDY)
