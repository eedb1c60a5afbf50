"""Packs that travel as one file and are installed: only newer, whole ones of the same signer ever take a place."""

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_pack_build import Histogram, a_folder, contents

from pixsearch.contract.faults import Fault
from pixsearch.index import archive, installed, signatures
from pixsearch.index.archive import extract_archive, write_archive
from pixsearch.index.build import build_pack
from pixsearch.index.installed import install, installed_folder, remove, rollback
from pixsearch.index.pack import Pack, sign, verify

Entry = tuple[str, bytes, dict[str, Any]]


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "data" / "pixsearch" / "packs"


def a_version(tmp_path: Path, version: int, name: str = "boxes", more: str = "") -> Path:
    """A pack whose content differs from version to version."""
    rows = [{"id": "r", "name": f"Red box {version}{more}", "images": ["red-cut.png", "blue.png"]}]
    output = tmp_path / f"{name}-{version}{more}.pxpack"
    build_pack(a_folder(tmp_path / "rows", rows), output, Histogram(), name, "CC0-1.0", version=version)
    return output


def names() -> list[str]:
    """What a search in the installed pack finds."""
    folder = installed_folder("boxes")
    assert folder
    with Pack.open(folder, "histogram-4") as pack:
        return [hit.entity for hit in pack.search_text("box")]


def test_a_pack_travels_as_one_file_and_is_the_same_afterwards(tmp_path: Path) -> None:
    pack = a_version(tmp_path, 1)
    for at in range(2):
        write_archive(pack, tmp_path / f"{at}.zip")
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()
    extract_archive(tmp_path / "0.zip", tmp_path / "out.pxpack")
    assert contents(tmp_path / "out.pxpack") == contents(pack)


def test_install_switches_keeps_the_version_before_and_goes_back(tmp_path: Path, own_folders: Path) -> None:
    for version in (1, 2, 3):
        source = a_version(tmp_path, version)
        if version == 2:
            write_archive(source, tmp_path / "two.zip")
            source = tmp_path / "two.zip"
        done = install(source)
        assert (done.version, done.previous) == (version, version - 1 or None)
        assert names() == [f"Red box {version}"]
    assert len(list((own_folders / "boxes").glob("v*"))) == 2
    assert rollback("boxes").version == 2 and names() == ["Red box 2"]
    assert rollback("boxes").version == 3
    assert [pack.version for pack in installed.installed()] == [3]
    remove("boxes")
    assert installed.installed() == [] and list(own_folders.iterdir()) == []
    with pytest.raises(Fault, match="none of that name"):
        remove("boxes")


def test_an_older_or_another_pack_of_the_same_version_is_refused(tmp_path: Path, own_folders: Path) -> None:
    install(a_version(tmp_path, 2))
    before = contents(own_folders)
    for source in (a_version(tmp_path, 1), a_version(tmp_path, 2, more=" forged")):
        with pytest.raises(Fault, match="a version above 2"):
            install(source)
    assert contents(own_folders) == before
    assert install(a_version(tmp_path, 2)).version == 2  # the same one again changes nothing
    assert contents(own_folders) == before


def test_an_update_of_a_signed_pack_needs_the_same_signer(tmp_path: Path, own_folders: Path) -> None:
    for name in ("museum", "thief"):
        signatures.new_key(tmp_path / f"{name}.key")
    museum, thief = (signatures.read_secret_key(tmp_path / f"{name}.key") for name in ("museum", "thief"))
    first, second, third = (a_version(tmp_path, at) for at in (1, 2, 3))
    sign(first, museum)
    install(first)
    before = contents(own_folders)
    with pytest.raises(Fault, match="got no signature"):
        install(second)
    sign(second, thief)
    with pytest.raises(Fault, match="as of the version before"):
        install(second)
    assert contents(own_folders) == before
    sign(third, museum)
    assert install(third).version == 3
    signatures.trust(tmp_path / "thief.pub")
    fourth = a_version(tmp_path, 4)
    sign(fourth, museum)
    with pytest.raises(Fault, match="the signature of a trusted key"):
        install(fourth, signatures.trusted_keys())


def test_files_of_two_versions_are_no_pack(tmp_path: Path, own_folders: Path) -> None:
    first, second = a_version(tmp_path, 1), a_version(tmp_path, 2)
    (second / "knowledge.sqlite").write_bytes((first / "knowledge.sqlite").read_bytes())
    with pytest.raises(Fault, match="sha256"):
        install(second)
    assert contents(own_folders) == {}


@pytest.mark.parametrize("name", ["../x", ".hidden", "a/b", "a\nb", "", " x"])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, own_folders: Path, name: str) -> None:
    pack = tmp_path / "p.pxpack"
    build_pack(a_folder(tmp_path / "rows"), pack, Histogram(), name, "CC0-1.0")
    with pytest.raises(Fault):
        install(pack)
    assert installed_folder(name) is None and contents(own_folders) == {}


@pytest.mark.parametrize("state", [b"", b"0", b"[]", b"{}", b'{"current": "../../..", "previous": null}',
                                   b'{"current": 7, "previous": null}', b"[" * 9000])
def test_a_damaged_state_is_one_line(tmp_path: Path, own_folders: Path, state: bytes) -> None:
    install(a_version(tmp_path, 1))
    (own_folders / "boxes" / "installed.json").write_bytes(state)
    for act in (lambda: installed_folder("boxes"), installed.installed, lambda: install(a_version(tmp_path, 2))):
        with pytest.raises(Fault, match="which version is installed"):
            act()


def test_what_a_killed_install_left_is_swept(tmp_path: Path, own_folders: Path) -> None:
    install(a_version(tmp_path, 1))
    (own_folders / ".incoming.x" / "deep").mkdir(parents=True)
    (own_folders / "half" / "v1-0000000000000000").mkdir(parents=True)
    install(a_version(tmp_path, 2))
    assert [path.name for path in own_folders.iterdir()] == ["boxes"]


def an_archive(path: Path, entries: list[Entry]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content, fields in entries:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            for field, value in fields.items():
                setattr(info, field, value)
            file.writestr(info, content)
    return path


LINK = {"external_attr": (stat.S_IFLNK | 0o777) << 16}


@pytest.mark.parametrize(("change", "says"), [
    (lambda e: [*e, ("../evil", b"x", {})], "only file names of a pack"),
    (lambda e: [*e, ("/etc/evil", b"x", {})], "only file names of a pack"),
    (lambda e: [*e, ("thumbnails/../../evil.webp", b"x", {})], "only file names of a pack"),
    (lambda e: [*e, ("thumbnails/", b"", {})], "only file names of a pack"),
    (lambda e: [*e, ("thumbnails/99999999.webp", b"/etc/passwd", LINK)], "a link or device"),
    (lambda e: [*e, ("thumbnails/99999999.webp", b"x", {})], "the files of its manifest"),
    (lambda e: [one for one in e if one[0] != "regions.hnsw"], "the files of its manifest"),
    (lambda e: [one for one in e if one[0] != "manifest.json"], "a file manifest.json"),
    (lambda e: [*e, e[0]], "each file once"),
    (lambda e: [*e, ("thumbnails/99999999.webp", bytes(20 << 20), {})], "compressed at most 100 times"),
    (lambda e: [(n, b"0" if n == "manifest.json" else c, f) for n, c, f in e], "a JSON object"),
    (lambda e: [(n, b"[" * 10**6 if n == "manifest.json" else c, f) for n, c, f in e], "JSON|compressed"),
    (lambda e: [(n, b" " * (2 << 20) if n == "manifest.json" else c, f) for n, c, f in e], "manifest|compressed"),
    (lambda e: [(n, c + b"x" if n == "knowledge.sqlite" else c, f) for n, c, f in e], "sha256"),
    (lambda e: [(n, c, {"compress_type": zipfile.ZIP_LZMA}) for n, c, f in e], "stored or deflated"),
])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_hostile_archives_are_refused_and_leave_nothing(
        tmp_path: Path, own_folders: Path, change: Callable[[list[Entry]], list[Entry]], says: str) -> None:
    pack = a_version(tmp_path, 1)
    hostile = an_archive(tmp_path / "hostile.zip", change([(n, c, {}) for n, c in sorted(contents(pack).items())]))
    before = contents(tmp_path)
    with pytest.raises(Fault, match=says) as caught:
        install(hostile)
    assert "\n" not in str(caught.value)
    with pytest.raises(Fault, match=says):
        extract_archive(hostile, tmp_path / "out" / "o.pxpack")
    assert contents(tmp_path) == before


def test_a_list_of_files_too_long_to_read_is_refused_before_it_is_read(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for at in range(archive.MAX_ENTRIES + 1):
            file.writestr(f"thumbnails/{at:08d}.webp", b"")
    (tmp_path / "many.zip").write_bytes(stream.getvalue())
    with pytest.raises(Fault, match="a list of at most"):
        install(tmp_path / "many.zip")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), bytes(5000), b"PK\x06\x07" + bytes(40)])
def test_what_is_no_archive_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(Fault, match="archive"):
        install(tmp_path / "x.zip")


def test_links_in_a_folder_are_not_followed_out_of_it(tmp_path: Path, own_folders: Path) -> None:
    pack = a_version(tmp_path, 1)
    (pack / "knowledge.sqlite").rename(tmp_path / "elsewhere")
    (pack / "knowledge.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="a file of the manifest"):
        install(pack)
    assert contents(own_folders) == {}


def test_the_command_line_installs_lists_finds_and_removes(tmp_path: Path, run: Any) -> None:
    pack = a_version(tmp_path, 1)
    assert run("pack", "keys", "new", tmp_path / "m.key").exit_code == 0
    assert run("pack", "sign", pack, "--key", tmp_path / "m.key").exit_code == 0
    assert run("pack", "install", pack, "--require-signature").exit_code == 1
    assert "m: key" in run("pack", "keys", "trust", tmp_path / "m.pub").stdout
    assert json.loads(run("pack", "keys", "list", "--json").stdout)[0]["name"] == "m"
    assert "signed by m" in run("pack", "install", pack, "--require-signature").stdout
    assert json.loads(run("pack", "list", "--json").stdout)[0]["version"] == 1
    assert run("pack", "verify", "boxes", "--require-signature").exit_code == 0
    assert run("pack", "archive", "boxes", "-o", tmp_path / "b.zip").exit_code == 0
    assert run("pack", "extract", tmp_path / "b.zip", "-o", tmp_path / "again.pxpack").exit_code == 0
    verify(tmp_path / "again.pxpack")
    assert run("pack", "rollback", "boxes").exit_code == 1
    assert run("pack", "keys", "distrust", "m").exit_code == 0
    assert run("pack", "remove", "boxes").exit_code == 0
    lost = run("pack", "verify", "boxes")
    assert lost.exit_code == 1 and lost.stderr.count("\n") == 1
