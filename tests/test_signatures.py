"""Signed packs: what was changed after signing, or signed by another, is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_pack_build import a_pack, contents

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_manifest
from pixsearch.index import signatures
from pixsearch.index.pack import Pack, rebuild_cache, sign, verify
from pixsearch.index.signatures import distrust, new_key, read_public_key, read_secret_key, trust, trusted_keys


@pytest.fixture(autouse=True)
def own_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "museum.key")
    return tmp_path / "museum.key"


@pytest.fixture
def pack(tmp_path: Path, key: Path) -> Path:
    folder = a_pack(tmp_path)
    sign(folder, read_secret_key(key))
    return folder


def test_a_signed_pack_opens_for_who_trusts_the_key_and_else_only_without_asking(pack: Path, key: Path) -> None:
    verify(pack)
    with pytest.raises(Fault, match="the signature of a trusted key, got one of key"):
        verify(pack, trusted_keys())
    trust(key.with_suffix(".pub"))
    verify(pack, trusted_keys())
    Pack.open(pack, "histogram-4", trusted=trusted_keys()).close()
    distrust("museum")
    with pytest.raises(Fault, match="trusted key"):
        Pack.open(pack, "histogram-4", trusted=trusted_keys())


def test_an_unsigned_pack_is_refused_where_a_signature_is_required(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="no signature"):
        verify(a_pack(tmp_path), trusted_keys())


def hashes_made_right(pack: Path) -> None:
    """What a thief would do: change content, and make checksum and hashes fit again, but not the signature."""
    manifest = json.loads((pack / "manifest.json").read_bytes())
    signature = manifest["signature"]
    made = write_manifest(pack, {key: value for key, value in manifest.items() if key not in ("files", "signature")})
    (pack / "manifest.json").write_text(json.dumps({**made, "signature": signature}))


def test_changed_content_with_fitting_hashes_is_refused(pack: Path) -> None:
    picture = pack / "thumbnails" / "00000001.webp"
    picture.write_bytes(picture.read_bytes() + b"\0")
    hashes_made_right(pack)
    with pytest.raises(Fault, match="signature of this very content"):
        verify(pack)


@pytest.mark.parametrize("change", [
    lambda s: s.update(value="00" * 64), lambda s: s.update(key="00" * 32), lambda s: s.update(algorithm="none"),
    lambda s: s.update(value=7), lambda s: s.update(key="zz" * 32), lambda s: s.pop("value"),
    lambda s: s.update(more=1), lambda s: s.update(value=s["value"].upper())])
def test_a_signature_of_another_form_or_key_is_refused(pack: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((pack / "manifest.json").read_bytes())
    change(manifest["signature"])
    (pack / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Fault, match="signature"):
        verify(pack)


def test_a_signature_of_none_is_no_signature_and_not_a_way_around(pack: Path) -> None:
    manifest = json.loads((pack / "manifest.json").read_bytes())
    for value in (None, 0, [], ""):
        (pack / "manifest.json").write_text(json.dumps({**manifest, "signature": value}))
        with pytest.raises(Fault, match="another form"):
            verify(pack)


def test_a_damaged_pack_is_not_signed(pack: Path, key: Path) -> None:
    (pack / "regions.hnsw").write_bytes(b"x")
    before = contents(pack)
    with pytest.raises(Fault, match="sha256"):
        sign(pack, read_secret_key(key))
    assert contents(pack) == before


def test_a_rebuilt_cache_of_the_same_bytes_keeps_the_signature(pack: Path) -> None:
    before = contents(pack)
    (pack / "regions.hnsw").unlink()
    rebuild_cache(pack)
    assert contents(pack) == before


def test_keys_are_kept_safe(key: Path, tmp_path: Path) -> None:
    assert key.stat().st_mode & 0o077 == 0
    with pytest.raises(Fault, match="a new file"):
        new_key(key)
    new_key(tmp_path / "other.key")
    shutil.copy(tmp_path / "other.pub", tmp_path / "sub.pub")
    trust(key.with_suffix(".pub"), "m")
    with pytest.raises(Fault, match="that of another key"):
        trust(tmp_path / "other.pub", "m")
    assert trusted_keys() == {read_public_key(key.with_suffix(".pub")): "m"}


@pytest.mark.parametrize("content", [
    b"", b"x" * 20_000, b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k.pub").write_bytes(content)
    for read in (read_public_key, read_secret_key, trust):
        with pytest.raises(Fault, match="Ed25519 key as PEM"):
            read(tmp_path / "k.pub")


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "x" * 65, "a\0b"])
def test_a_key_s_name_stays_in_its_folder(key: Path, name: str) -> None:
    if name:
        with pytest.raises(Fault, match="key name"):
            trust(key.with_suffix(".pub"), name)
    with pytest.raises(Fault, match="key name"):
        distrust(name)


def test_a_public_key_cannot_sign(key: Path) -> None:
    with pytest.raises(Fault, match="a secret Ed25519 key"):
        read_secret_key(key.with_suffix(".pub"))
    with pytest.raises(Fault, match="a public Ed25519 key"):
        signatures.read_public_key(key)
