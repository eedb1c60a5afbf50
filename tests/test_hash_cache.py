"""An unchanged pack is not read a second time; a changed one always is, whatever the cache says."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from test_pack_build import a_pack

from pixsearch.contract.faults import Fault
from pixsearch.index import graph, hash_cache
from pixsearch.index.pack import Pack, verify

EMBEDDER = "histogram-4"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Names of the files that were read for their hash; files count as settled at once."""
    read: list[str] = []
    real = hash_cache.sha256_file
    monkeypatch.setattr(hash_cache, "sha256_file", lambda path: read.append(path.name) or real(path))
    monkeypatch.setattr(hash_cache, "SETTLED_NS", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return read


def cache_file(tmp_path: Path) -> Path:
    return next((tmp_path / "cache" / "pixsearch" / "hashes").glob("*.json"))


def test_a_second_opening_reads_nothing(tmp_path: Path, reads: list[str]) -> None:
    pack = a_pack(tmp_path)
    Pack.open(pack, EMBEDDER).close()
    assert {"knowledge.sqlite", "regions.hnsw"} <= set(reads)
    reads.clear()
    Pack.open(pack, EMBEDDER).close()
    assert reads == []


def test_links_are_checked_until_these_very_bytes_were_found_sound(tmp_path: Path, reads: list[str],
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    pack, checked = a_pack(tmp_path), []
    monkeypatch.setattr(graph, "check_graph", lambda path, neighbours: checked.append(path.name))
    Pack.open(pack, EMBEDDER).close()
    Pack.open(pack, EMBEDDER).close()
    assert checked == ["regions.hnsw"]
    os.utime(pack / "regions.hnsw")
    Pack.open(pack, EMBEDDER).close()
    verify(pack)
    assert checked == ["regions.hnsw"] * 3


@pytest.mark.parametrize("name", ["knowledge.sqlite", "regions.hnsw", "thumbnails/00000001.webp"])
def test_a_file_of_the_same_size_and_mtime_with_other_bytes_is_read_and_refused(
        tmp_path: Path, reads: list[str], name: str) -> None:
    pack = a_pack(tmp_path)
    Pack.open(pack, EMBEDDER).close()
    path = pack / name
    status, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(Fault, match="sha256"):
        Pack.open(pack, EMBEDDER)


def test_verify_reads_every_byte_whatever_is_remembered(tmp_path: Path, reads: list[str]) -> None:
    pack = a_pack(tmp_path)
    Pack.open(pack, EMBEDDER).close()
    cache = cache_file(tmp_path)
    content = json.loads(cache.read_bytes())
    path = pack / "regions.hnsw"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    status = path.stat()
    content["files"]["regions.hnsw"][0] = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns,
                                           status.st_ctime_ns]  # as if the disk had changed it, behind the times' back
    cache.write_text(json.dumps(content))
    with pytest.raises(Fault, match=r"regions\.hnsw"):
        verify(pack)


def test_a_file_that_was_changed_just_now_is_not_remembered(
        tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_cache, "SETTLED_NS", 3600 * 10**9)
    pack = a_pack(tmp_path)
    for _ in range(2):
        reads.clear()
        Pack.open(pack, EMBEDDER).close()
        assert "regions.hnsw" in reads


@pytest.mark.parametrize("spoil", [
    lambda content: b"", lambda content: content[:len(content) // 2], lambda content: b"0", lambda content: b"[]",
    lambda content: b'{"format": 1, "files": 7}', lambda content: b'{"format": 1, "files": {"regions.hnsw": [1]}}',
    lambda content: b"[" * 100_000, lambda content: content.replace(b'"format": 1', b'"format": 9')])
def test_a_damaged_cache_only_means_reading(tmp_path: Path, reads: list[str], spoil: Callable[[bytes], bytes]) -> None:
    pack = a_pack(tmp_path)
    Pack.open(pack, EMBEDDER).close()
    cache = cache_file(tmp_path)
    cache.write_bytes(spoil(cache.read_bytes()))
    reads.clear()
    Pack.open(pack, EMBEDDER).close()
    assert "regions.hnsw" in reads


def test_a_cache_that_cannot_be_written_is_none(
        tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    Pack.open(a_pack(tmp_path), EMBEDDER).close()
