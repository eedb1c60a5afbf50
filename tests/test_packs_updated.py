"""Deltas lead from one version of a pack to the very bytes of a later one; compact takes things out for good."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_pack_build import contents

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import manifest_checksum
from pixsearch.index import delta as deltas
from pixsearch.index import installed, signatures
from pixsearch.index.compact import compact
from pixsearch.index.delta import apply_delta, write_delta
from pixsearch.index.embedder import EmbedderId
from pixsearch.index.hits import View
from pixsearch.index.installed import install
from pixsearch.index.pack import Pack, sign, verify
from pixsearch.index.writer import PackWriter

D = 32


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "config", "cache"):
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / "user" / name))


def a_version(folder: Path, version: int, entities: int = 300, changed: int = 0, name: str = "museum") -> Path:
    """A pack of `entities` things with a picture each; the first `changed` differ from those of other versions."""
    output = folder / f"{name}-{version}-{changed}.pxpack"
    with PackWriter(output, name=name, embedder=EmbedderId("e", D, 4), licence="CC0-1.0", version=version) as writer:
        for at in range(entities):
            random = np.random.default_rng(at + (10_000 * version if at < changed else 0))
            row = writer.add_entity(f"k{at}", f"thing {at}", kind="thing", aliases=[f"object {at}"],
                                    facts={"number": f"no. {at}" + f" of {version}" * (at < changed)})
            picture = random.integers(0, 255, (8, 8, 3), np.uint8) if at % 10 == 0 else None
            writer.add_vector(row, random.normal(size=D), View.REGION, picture)
            writer.add_text_vector(row, random.normal(size=4))
    return output


def test_a_delta_makes_the_very_bytes_of_the_new_version_and_is_smaller(tmp_path: Path) -> None:
    old, new = a_version(tmp_path, 1, 1000), a_version(tmp_path, 2, 1010, changed=5)
    write_delta(old, new, tmp_path / "d")
    apply_delta(old, tmp_path / "d")
    assert contents(old) == contents(new)
    whole = sum(map(len, contents(new).values()))
    assert (tmp_path / "d").stat().st_size < 0.5 * whole


def test_a_file_longer_than_a_stretch_is_made_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "STRETCH_BYTES", 10_000)
    monkeypatch.setattr(deltas, "REACH_BYTES", 20_000)
    old, new = a_version(tmp_path, 1), a_version(tmp_path, 2, 290, changed=2)
    assert len(write_delta(old, new, tmp_path / "d")["patches"]["knowledge.sqlite"]) > 3
    apply_delta(old, tmp_path / "d")
    assert contents(old) == contents(new)


def test_a_delta_of_another_base_is_refused_by_name(tmp_path: Path) -> None:
    first, second, third = (a_version(tmp_path, at, 20, changed=at) for at in (1, 2, 3))
    other = a_version(tmp_path, 2, 20, name="garden")
    write_delta(second, third, tmp_path / "d")
    for wrong, says in ((first, "'museum' version 2 .* got 'museum' version 1"), (third, "got 'museum' version 3"),
                        (other, "got 'garden' version 2")):
        before = contents(wrong)
        with pytest.raises(Fault, match=says):
            apply_delta(wrong, tmp_path / "d")
        assert contents(wrong) == before
    with pytest.raises(Fault, match="a version above 3"):
        write_delta(third, second, tmp_path / "back")
    with pytest.raises(Fault, match="a later version of 'museum'"):
        write_delta(first, other, tmp_path / "other")


def test_deltas_are_signed_like_packs(tmp_path: Path) -> None:
    signatures.new_key(tmp_path / "m.key")
    key = signatures.read_secret_key(tmp_path / "m.key")
    old, new = a_version(tmp_path, 1, 20), a_version(tmp_path, 2, 20, changed=3)
    sign(old, key)
    with pytest.raises(Fault, match="as of the version before"):
        write_delta(old, new, tmp_path / "d", key)
    sign(new, key)
    write_delta(old, new, tmp_path / "unsigned")
    write_delta(old, new, tmp_path / "signed", key)
    before = contents(old)
    with pytest.raises(Fault, match="trusted key, got one of key"):
        apply_delta(old, tmp_path / "signed", signatures.trusted_keys())
    signatures.trust(tmp_path / "m.pub")
    with pytest.raises(Fault, match="no signature"):
        apply_delta(old, tmp_path / "unsigned", signatures.trusted_keys())
    assert contents(old) == before
    apply_delta(old, tmp_path / "signed", signatures.trusted_keys())
    verify(old, signatures.trusted_keys())


def test_an_installed_pack_is_updated_and_can_go_back(tmp_path: Path, run: Any) -> None:
    old, new = a_version(tmp_path, 1, 20), a_version(tmp_path, 2, 20, changed=3)
    install(old)
    assert run("pack", "delta", old, new, "-o", tmp_path / "d").exit_code == 0
    assert "version 2" in run("pack", "apply", "museum", tmp_path / "d").stdout
    assert [(pack.version, pack.previous) for pack in installed.installed()] == [(2, 1)]
    assert installed.rollback("museum").version == 1


Change = Callable[[dict[str, Any], dict[str, bytes]], object]


def _first(manifest: dict[str, Any]) -> list[Any]:
    return manifest["patches"]["knowledge.sqlite"][0]


@pytest.mark.parametrize(("change", "says"), [
    (lambda m, f: _first(m).__setitem__(0, "../../etc/passwd"), "within their limits"),
    (lambda m, f: _first(m).__setitem__(1, -1), "within their limits"),
    (lambda m, f: _first(m).__setitem__(2, 1 << 60), "within their limits"),
    (lambda m, f: _first(m).__setitem__(3, 1 << 60), "within their limits"),
    (lambda m, f: _first(m).__setitem__(3, 7), "7 bytes from patches"),
    (lambda m, f: _first(m).__setitem__(3, True), "start, length, size"),
    (lambda m, f: _first(m).__setitem__(2, 0), "sha256|sound zip"),
    (lambda m, f: m["patches"].pop("knowledge.sqlite"), "a patch for knowledge.sqlite"),
    (lambda m, f: m["patches"].update({"../evil": []}), "files of a pack"),
    (lambda m, f: m["patches"].update({"thumbnails/77777777.webp": []}), "files of the new version"),
    (lambda m, f: m["patches"]["knowledge.sqlite"].extend(
        m["patches"]["knowledge.sqlite"] * 200_000), "limits|at most|compressed"),
    (lambda m, f: m.update(target={"version": 9, "digest": "x"}), "the manifest that it was made for"),
    (lambda m, f: m.update(base=0), "version and digest of its base"),
    (lambda m, f: m.update(kind="pack"), "a pack delta"),
    (lambda m, f: m.update(format_version=2), "format version 1"),
    (lambda m, f: f.update({"target.json": b"0"}), "a JSON object"),
    (lambda m, f: f.update({_first(m)[4]: b"not zstandard"}), "sound zip|bytes from"),
    (lambda m, f: f.update({_first(m)[4]: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"x" * 50}), "bytes from|sound"),
    (lambda m, f: f.pop(_first(m)[4]), "none"),
])
def test_a_hostile_delta_is_refused_and_changes_nothing(tmp_path: Path, change: Change, says: str) -> None:
    """Hashes and checksum are made right again, so that nothing but the checks themselves stands in the way."""
    old, new = a_version(tmp_path, 1, 20), a_version(tmp_path, 2, 20, changed=3)
    write_delta(old, new, tmp_path / "d")
    with zipfile.ZipFile(tmp_path / "d") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(files.pop("manifest.json"))
    change(manifest, files)
    manifest["files"] = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest["checksum"] = manifest_checksum(manifest)
    with zipfile.ZipFile(tmp_path / "hostile", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    before = contents(tmp_path)
    with pytest.raises(Fault, match=says) as caught:
        apply_delta(old, tmp_path / "hostile")
    assert "\n" not in str(caught.value) and contents(tmp_path) == before


def test_a_flipped_byte_anywhere_in_a_delta_is_refused_or_does_not_matter(tmp_path: Path) -> None:
    old, new = a_version(tmp_path, 1, 10), a_version(tmp_path, 2, 10, changed=3)
    write_delta(old, new, tmp_path / "d")
    sound, before, after = (tmp_path / "d").read_bytes(), contents(old), contents(new)
    for at in np.random.default_rng(0).integers(0, len(sound), 60):
        broken = bytearray(sound)
        broken[at] ^= 0x10
        (tmp_path / "d").write_bytes(broken)
        try:
            apply_delta(old, tmp_path / "d")
        except Fault:
            assert contents(old) == before
        else:  # a date, or another field of the archive that says nothing
            assert contents(old) == after
            for name, content in before.items():
                (old / name).write_bytes(content)


def test_what_is_taken_out_is_gone_and_the_rest_is_as_it_was(tmp_path: Path) -> None:
    pack = a_version(tmp_path, 1)
    size = sum(map(len, contents(pack).values()))
    query = np.random.default_rng(253).normal(size=D)
    with Pack.open(pack, "e") as opened:
        score = opened.search_vectors(query, k=1)[0].score
    gone = [f"k{at}" for at in range(0, 300) if at % 3 != 1]
    manifest = compact(pack, gone)
    verify(pack)
    assert (manifest["version"], manifest["counts"]["entities"], manifest["counts"]["regions"]) == (2, 100, 100)
    assert sum(map(len, contents(pack).values())) < 0.6 * size
    everything = b"".join(contents(pack).values())
    assert b"thing 249" not in everything and b"thing 253" in everything
    with Pack.open(pack, "e") as opened:
        hit = opened.search_vectors(query, k=1)[0]
        assert (hit.key, hit.score) == ("k253", score) and hit.facts == ("number: no. 253",)
        assert {hit.key for hit in opened.search_text("thing", k=300)} == {f"k{at}" for at in range(1, 300, 3)}
        assert opened.search_text("249") == []
        assert opened.search_vectors(query, k=1, kinds=["thing"])[0].key == "k253"
        assert len(opened.search_text("thing", k=300, kinds=["thing"])) == 100
        shown = opened.search_text("thing 10", k=1)[0]
        assert shown.key == "k10" and opened.thumbnail(shown) is not None


def test_compacting_a_compact_pack_changes_nothing_not_even_its_signature(tmp_path: Path) -> None:
    signatures.new_key(tmp_path / "m.key")
    pack = a_version(tmp_path, 1, 30)
    sign(pack, signatures.read_secret_key(tmp_path / "m.key"))
    before = contents(pack)
    compact(pack)
    assert contents(pack) == before


@pytest.mark.parametrize("keys", [["nobody"], ["k1", "nobody"], [f"k{at}" for at in range(10)]])
def test_what_cannot_be_taken_out_leaves_the_pack_alone(tmp_path: Path, keys: list[str]) -> None:
    pack = a_version(tmp_path, 1, 10)
    before = contents(tmp_path)
    with pytest.raises(Fault, match="'nobody'|one entity left"):
        compact(pack, keys)
    assert contents(tmp_path) == before


def test_a_compacted_pack_follows_the_one_before_when_its_key_signs_it(tmp_path: Path, run: Any) -> None:
    signatures.new_key(tmp_path / "m.key")
    pack = a_version(tmp_path, 1, 10)
    sign(pack, signatures.read_secret_key(tmp_path / "m.key"))
    install(pack)
    done = run("pack", "compact", pack, "--without", "k3", "--key", tmp_path / "m.key")
    assert "version 2, 9 entities" in done.stdout
    assert install(pack).version == 2
