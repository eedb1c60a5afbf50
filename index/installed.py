"""Packs installed for this user: put in place in one step, the previous version kept to go back to."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, locked, manifest_bytes, sync_directory, sync_tree, write_atomic
from pixsearch.contract.user_folders import data_folder
from pixsearch.index import schema
from pixsearch.index.archive import extract_into
from pixsearch.index.manifest import checked_manifest
from pixsearch.index.pack import verify
from pixsearch.index.signatures import require_trusted, signer_of
from pixsearch.index.successor import refuse_step_back

STATE_NAME = "installed.json"
MAX_STATE_BYTES = 10_000
NAME = re.compile(r"\w[\w .-]{0,99}")
_VERSION_FOLDER = re.compile(r"v[0-9]{1,16}-[0-9a-f]{16}")
_TEMPORARY = ".incoming."


@dataclass(frozen=True)
class Installed:
    """An installed pack. `folder` is that of its current version; `signer` the key that signed it, if any."""

    name: str
    version: int
    folder: Path
    signer: str | None
    previous: int | None

    def as_json(self) -> dict[str, Any]:
        """As `pack list --json` prints it."""
        return {"name": self.name, "version": self.version, "folder": str(self.folder), "signer": self.signer,
                "previous": self.previous}


def install(source: Path, trusted: dict[str, str] | None = None) -> Installed:
    """Install a pack, a folder or an archive, for this user; the version before it is kept.

    trusted : where given, one of these keys must have signed it
    Raises Fault, and leaves everything as it was, for a pack that is damaged, whose version is not above that of the
    installed one, or that another key signed than that one.
    """
    with _changing(), _incoming() as incoming:
        if source.is_dir():
            _copy(source, incoming, trusted)
        else:
            extract_into(source, incoming, trusted)
        verify(incoming, trusted)
        return _adopt(incoming)


def adopt(build: Callable[[Path], None], trusted: dict[str, str] | None = None) -> Installed:
    """Install what `build` writes into an empty folder; see `install`."""
    with _changing(), _incoming() as incoming:
        build(incoming)
        verify(incoming, trusted)
        return _adopt(incoming)


def installed() -> list[Installed]:
    """All installed packs by name. Raises Fault for a damaged one."""
    return [_describe(path.parent.name) for path in sorted(packs_folder().glob(f"*/{STATE_NAME}"))]


def installed_folder(name: str) -> Path | None:
    """The folder of an installed pack's current version, or None."""
    if not NAME.fullmatch(name) or not (packs_folder() / name / STATE_NAME).is_file():
        return None
    return packs_folder() / name / _read_state(name)["current"]


def remove(name: str) -> None:
    """Remove an installed pack and its previous version. Raises Fault for one that is not installed."""
    with _changing():
        home = _home(name)
        (home / STATE_NAME).unlink()  # in one step it is no longer installed; what is left is swept
        sync_directory(home)
        shutil.rmtree(home, ignore_errors=True)


def rollback(name: str) -> Installed:
    """Go back to the version before; going back again returns to the newer one. Raises Fault where there is none."""
    with _changing():
        state = _read_state(_home(name).name)
        if state["previous"] is None:
            raise Fault(f"pack {name}", expected="a previous version", actual="none", remedy="install one")
        verify(packs_folder() / name / state["previous"])
        _write_state(name, state["previous"], state["current"])
        return _describe(name)


def packs_folder() -> Path:
    """Where packs are installed."""
    return data_folder() / "packs"


def _adopt(incoming: Path) -> Installed:
    """Move a verified pack to its place and switch to it."""
    manifest = checked_manifest(incoming)
    name = manifest["name"]
    if not NAME.fullmatch(name):
        raise Fault(f"pack name {name[:60]!r}", expected="letters, digits, spaces, '.', '_' and '-'",
                    actual="something else", remedy="build it with another --name")
    home = packs_folder() / name
    current = None
    if (home / STATE_NAME).is_file():
        current = _read_state(name)["current"]
        refuse_step_back(name, checked_manifest(home / current), manifest)
    folder = f"v{manifest['version']}-{hashlib.sha256(manifest_bytes(manifest)).hexdigest()[:16]}"
    if folder == current:
        return _describe(name)
    home.mkdir(exist_ok=True)
    shutil.rmtree(home / folder, ignore_errors=True)  # of an install that was killed before it was switched to
    sync_tree(incoming)
    incoming.chmod(0o755)
    incoming.rename(home / folder)
    sync_directory(home)
    sync_directory(packs_folder())
    _write_state(name, folder, current)
    for path in home.iterdir():
        if path.is_dir() and path.name not in (folder, current):
            shutil.rmtree(path, ignore_errors=True)
    return _describe(name)


def _copy(source: Path, folder: Path, trusted: dict[str, str] | None) -> None:
    """Copy what the manifest names, and nothing that lies elsewhere."""
    manifest = checked_manifest(source)
    require_trusted(manifest, trusted, f"pack {source}")
    (folder / MANIFEST_NAME).write_bytes(manifest_bytes(manifest))
    for name in manifest["files"]:
        path = source / name
        if source.resolve() not in path.resolve().parents or not path.is_file():
            raise Fault(f"pack file {path}", expected="a file of the manifest", actual="none there",
                        remedy="get the pack again from its source")
        if (size := path.stat().st_size) > schema.MAX_FILE_BYTES:
            raise Fault(f"pack file {path}", expected=f"at most {schema.MAX_FILE_BYTES} bytes", actual=str(size),
                        remedy="split the pack")
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / name)


def _describe(name: str) -> Installed:
    state = _read_state(name)
    folder = packs_folder() / name / state["current"]
    manifest = checked_manifest(folder)
    previous = None if state["previous"] is None else int(state["previous"][1:].split("-")[0])
    return Installed(name, manifest["version"], folder, signer_of(manifest, f"pack {name}"), previous)


def _home(name: str) -> Path:
    if installed_folder(name) is None:
        raise Fault(f"pack {name[:60]!r}", expected="the name of an installed pack", actual="none of that name",
                    remedy="see `pixsearch pack list`")
    return packs_folder() / name


def _read_state(name: str) -> dict[str, Any]:
    """Folder names of the current version and of the one before, or None for that. Raises Fault."""
    path = packs_folder() / name / STATE_NAME
    try:
        with path.open("rb") as stream:
            state = json.loads(stream.read(MAX_STATE_BYTES))
        for key, optional in (("current", False), ("previous", True)):
            if not (optional and state[key] is None or _VERSION_FOLDER.fullmatch(state[key])):
                raise ValueError(key)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise Fault(f"file {path}", expected="which version is installed", actual="something else",
                    remedy=f"remove {path.parent} and install the pack again") from error
    return dict(state)


def _write_state(name: str, current: str, previous: str | None) -> None:
    """The switch: whoever opens the pack from now on gets the current version."""
    content = json.dumps({"current": current, "previous": previous}).encode()
    write_atomic(packs_folder() / name / STATE_NAME, content)


@contextmanager
def _changing() -> Iterator[None]:
    """One process at a time; what a killed one left is swept first."""
    packs_folder().mkdir(parents=True, exist_ok=True)
    with locked(packs_folder()):
        for path in packs_folder().iterdir():
            if path.is_dir() and (path.name.startswith(_TEMPORARY) or not (path / STATE_NAME).is_file()):
                shutil.rmtree(path, ignore_errors=True)
        yield


@contextmanager
def _incoming() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=packs_folder(), prefix=_TEMPORARY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
