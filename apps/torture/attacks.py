"""Attacks on signed packs and their updates: all are refused, and what is installed stays as it was."""

import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pixsearch.apps.torture.material import NAME, Colours, a_pack, digests, quiet
from pixsearch.apps.torture.outcome import Outcome
from pixsearch.contract.faults import Fault
from pixsearch.contract.files import MANIFEST_NAME, write_manifest
from pixsearch.contract.user_folders import data_folder
from pixsearch.index import signatures
from pixsearch.index.archive import write_archive
from pixsearch.index.delta import apply_delta, write_delta
from pixsearch.index.installed import adopt, install, installed_folder
from pixsearch.index.pack import Pack, sign

BOMB_BYTES = 64 << 20


def attacks(folder: Path, progress: Callable[[int], None]) -> Outcome:
    """Try every attack once on an installed, signed pack of version 2."""
    outcome = Outcome("attacks on signed packs")
    with quiet():
        scene = Scene(folder)
        installed, outside = digests(data_folder()), digests(folder / "outside")
        for name, attack in ATTACKS.items():
            try:
                attack(scene)
                refused = ""
            except Fault as fault:
                refused = str(fault)
            except Exception as error:
                outcome.check(False, f"{name}: {type(error).__name__}: {error}")
                continue
            unchanged = digests(data_folder()) == installed and digests(folder / "outside") == outside
            outcome.check(bool(refused) and "\n" not in refused and unchanged,
                          f"{name}: {refused or 'was not refused'}" + "; something changed" * (not unchanged))
            outcome.notes.setdefault("refused", {})[name] = refused
            progress(1)
        found = installed_folder(NAME)
        assert found is not None
        Pack.open(found, Colours.id, trusted=scene.trusted).close()
    return outcome


class Scene:
    """Versions 1 to 3 signed by the museum, whose key alone is trusted; version 2 is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "outside").mkdir()
        self.keys: dict[str, Ed25519PrivateKey] = {}
        for who in ("museum", "thief"):
            signatures.new_key(folder / f"{who}.key")
            self.keys[who] = signatures.read_secret_key(folder / f"{who}.key")
        signatures.trust(folder / "museum.pub", "museum")
        self.trusted = signatures.trusted_keys()
        self.packs = {version: a_pack(folder / f"v{version}", version) for version in (1, 2, 3)}
        self.unsigned = shutil.copytree(self.packs[3], folder / "unsigned")
        for pack in self.packs.values():
            sign(pack, self.keys["museum"])
        install(self.packs[2], self.trusted)
        self._copies = 0

    def copy(self, version: int) -> Path:
        """A copy of a version to spoil."""
        self._copies += 1
        return shutil.copytree(self.packs[version], self.folder / f"copy{self._copies}")

    def install(self, source: Path) -> None:
        """Install with a signature required."""
        install(source, self.trusted)

    def archive(self, change: Callable[[dict[str, tuple[zipfile.ZipInfo, bytes]]], None]) -> Path:
        """Version 3 as an archive whose entries were changed."""
        write_archive(self.packs[3], self.folder / "sound.zip")
        with zipfile.ZipFile(self.folder / "sound.zip") as sound:
            entries = {info.filename: (info, sound.read(info)) for info in sound.infolist()}
        change(entries)
        with zipfile.ZipFile(self.folder / "hostile.zip", "w") as hostile:
            for info, content in entries.values():
                hostile.writestr(info, content)
        return self.folder / "hostile.zip"

    def delta(self, old: int = 2, new: int = 3, key: str | None = "museum") -> Path:
        """An update between two versions."""
        output = self.folder / "update.delta"
        write_delta(self.packs[old], self.packs[new], output, self.keys[key] if key else None)
        return output

    def apply(self, delta: Path) -> None:
        """Apply to the installed pack with a signature required."""
        from pixsearch.index.delta import build_target

        current = installed_folder(NAME)
        assert current is not None
        adopt(lambda target: build_target(current, delta, target, self.trusted), self.trusted)


def _tampered(scene: Scene) -> None:
    pack = scene.copy(3)
    path = pack / "knowledge.sqlite"
    path.write_bytes(path.read_bytes().replace(b"thing 7", b"thing 8"))
    scene.install(pack)


def _tampered_with_fitting_hashes(scene: Scene) -> None:
    pack = scene.copy(3)
    manifest = json.loads((pack / MANIFEST_NAME).read_bytes())
    path = pack / "knowledge.sqlite"
    path.write_bytes(path.read_bytes().replace(b"thing 7", b"thing 8"))
    kept = manifest.pop("signature")
    made = write_manifest(pack, {key: value for key, value in manifest.items() if key != "files"})
    (pack / MANIFEST_NAME).write_text(json.dumps({**made, "signature": kept}))
    scene.install(pack)


def _signed_by_another(scene: Scene) -> None:
    pack = scene.copy(3)
    sign(pack, scene.keys["thief"])
    scene.install(pack)


def _another_signer_without_requirement(scene: Scene) -> None:
    pack = scene.copy(3)
    sign(pack, scene.keys["thief"])
    install(pack)


def _signature_of_another_version(scene: Scene) -> None:
    pack = scene.copy(3)
    manifest = json.loads((pack / MANIFEST_NAME).read_bytes())
    manifest["signature"] = json.loads((scene.packs[2] / MANIFEST_NAME).read_bytes())["signature"]
    (pack / MANIFEST_NAME).write_text(json.dumps(manifest))
    scene.install(pack)


def _higher_number_on_old_content(scene: Scene) -> None:
    pack = scene.copy(1)
    manifest = json.loads((pack / MANIFEST_NAME).read_bytes())
    (pack / MANIFEST_NAME).write_text(json.dumps({**manifest, "version": 9}))
    scene.install(pack)


def _mixed(scene: Scene) -> None:
    pack = scene.copy(3)
    shutil.copy(scene.packs[1] / "regions.hnsw", pack / "regions.hnsw")
    scene.install(pack)


def _linked(scene: Scene) -> None:
    pack = scene.copy(3)
    (pack / "knowledge.sqlite").unlink()
    (pack / "knowledge.sqlite").symlink_to(scene.packs[3] / "knowledge.sqlite")
    scene.install(pack)


def _more_in_folder(scene: Scene) -> None:
    pack = scene.copy(3)
    manifest = json.loads((pack / MANIFEST_NAME).read_bytes())
    manifest["files"]["../../outside/evil"] = "0" * 64
    (pack / MANIFEST_NAME).write_text(json.dumps(manifest))
    scene.install(pack)


def _entry(name: str, content: bytes = b"x", mode: int = stat.S_IFREG) -> Callable[[Scene], None]:
    """An archive with one more entry."""
    def attack(scene: Scene) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = (mode | 0o777) << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        scene.install(scene.archive(lambda entries: entries.update({name: (info, content)})))
    return attack


def _oversized_manifest(scene: Scene) -> None:
    def grow(entries: dict[str, tuple[zipfile.ZipInfo, bytes]]) -> None:
        info, content = entries[MANIFEST_NAME]
        entries[MANIFEST_NAME] = (info, content + b" " * BOMB_BYTES)
    scene.install(scene.archive(grow))


def _tampered_delta(scene: Scene) -> None:
    delta = scene.delta()
    content = bytearray(delta.read_bytes())
    content[len(content) // 3] ^= 1
    delta.write_bytes(content)
    scene.apply(delta)


ATTACKS: dict[str, Callable[[Scene], None]] = {
    "tampered database": _tampered,
    "tampered database with hashes made right": _tampered_with_fitting_hashes,
    "signed by a key that is not trusted": _signed_by_another,
    "signed by another key than before, signature not required": _another_signer_without_requirement,
    "not signed where a signature is required": lambda scene: scene.install(scene.unsigned),
    "not signed after a signed version, signature not required": lambda scene: _drop(install(scene.unsigned)),
    "rolled back to version 1": lambda scene: scene.install(scene.packs[1]),
    "old content under a higher number": _higher_number_on_old_content,
    "signature of another version": _signature_of_another_version,
    "files of two versions": _mixed,
    "link in place of a file": _linked,
    "name outside the folder in the manifest": _more_in_folder,
    "archive with ../": _entry("../../outside/evil"),
    "archive with an absolute name": _entry("/tmp/evil"),
    "archive with a symbolic link": _entry("thumbnails/99999999.webp", b"/etc/passwd", stat.S_IFLNK),
    "archive with a file that is not in the manifest": _entry("thumbnails/99999999.webp"),
    "archive with a bomb": _entry("thumbnails/99999999.webp", bytes(BOMB_BYTES)),
    "archive with an oversized manifest": _oversized_manifest,
    "tampered delta": _tampered_delta,
    "delta that is not signed": lambda scene: scene.apply(scene.delta(key=None)),
    "delta signed by a key that is not trusted": lambda scene: scene.apply(scene.delta(key="thief")),
    "delta for another base": lambda scene: scene.apply(scene.delta(old=1)),
    "delta back to an older version": lambda scene: _drop(scene.delta(old=3, new=2)),
    "delta for another base, in a folder": lambda scene: _drop(
        apply_delta(scene.copy(3), scene.delta(), scene.trusted)),
}


def _drop(_: object) -> None:
    """Attacks return nothing."""
