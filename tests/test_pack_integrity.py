"""A pack is opened whole and unchanged, or not at all."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_pack_build import Histogram, a_pack, contents

from pixsearch.contract.faults import Fault
from pixsearch.contract.files import write_manifest
from pixsearch.index import caches, schema
from pixsearch.index.pack import Pack, info, rebuild_cache, verify


def reseal(pack: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest and make its hashes right again, as a careless or hostile tool would."""
    manifest = json.loads((pack / "manifest.json").read_bytes())
    change(manifest)
    write_manifest(pack, {key: value for key, value in manifest.items() if key != "files"})


def test_a_flipped_bit_in_any_file_is_refused(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    random = np.random.default_rng(0)
    names = sorted(contents(pack))
    assert {"manifest.json", "regions.hnsw", "regions.npy", "knowledge.sqlite",
            "thumbnails/00000001.webp"} <= set(names)
    for name in names:
        sound = (pack / name).read_bytes()
        for at in {0, len(sound) - 1, *random.integers(0, len(sound), 20).tolist()}:
            broken = bytearray(sound)
            broken[at] ^= 1 << int(random.integers(8))
            (pack / name).write_bytes(broken)
            with pytest.raises(Fault) as caught:
                Pack.open(pack, "histogram-4")
            assert "\n" not in str(caught.value)
        (pack / name).write_bytes(sound)
    verify(pack)


def test_damaged_bytes_reach_neither_hnswlib_nor_sqlite(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = a_pack(tmp_path)
    opened: list[Path] = []
    monkeypatch.setattr(schema, "open_database", opened.append)
    monkeypatch.setattr(caches, "load_graph", lambda path, *sizes: opened.append(path))
    monkeypatch.setattr(caches, "open_rows", lambda path, *sizes: opened.append(path))
    for name in ("regions.hnsw", "regions.npy", "knowledge.sqlite", "thumbnails/00000001.webp"):
        sound = (pack / name).read_bytes()
        (pack / name).write_bytes(sound[:-1])
        with pytest.raises(Fault, match="sha256"):
            Pack.open(pack, "histogram-4")
        (pack / name).write_bytes(sound)
    assert opened == []


@pytest.mark.parametrize("name", [
    "manifest.json", "regions.hnsw", "regions.npy", "knowledge.sqlite", "thumbnails/00000001.webp"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    pack = a_pack(tmp_path)
    (pack / name).unlink()
    with pytest.raises(Fault, match=r"none there"):
        verify(pack)


@pytest.mark.parametrize("name", ["extra.txt", "thumbnails/99999999.webp", ".hidden"])
def test_an_added_file_is_refused(tmp_path: Path, name: str) -> None:
    pack = a_pack(tmp_path)
    (pack / name).write_bytes(b"more")
    with pytest.raises(Fault, match="only files named in the manifest"):
        verify(pack)


def test_a_pack_of_another_embedder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="'nano-2'.*'histogram-4'"):
        Pack.open(a_pack(tmp_path), "nano-2")


@pytest.mark.parametrize(("change", "says"), [
    (lambda m: m.update(format_version=2), "format version 1, got 2"),
    (lambda m: m.update(kind="bundle"), "a knowledge pack"),
    (lambda m: m.update(name=7), "'name' of type str"),
    (lambda m: m.update(embedder={"id": "x"}), "an embedder"),
    (lambda m: m["embedder"].update(dimension=10 ** 9), "an embedder"),
    (lambda m: m["embedder"].update(dimension=8), "vectors of 8 bytes"),
    (lambda m: m["embedder"].update(dimension=4096), "vectors of 4096 bytes"),
    (lambda m: m["embedder"].update(text_dimension=8), "vectors of 8 bytes"),
    (lambda m: m.update(precision="int4"), "a precision among float16, int8"),
    (lambda m: m.update(precision=[]), "a precision among float16, int8"),
    (lambda m: m["counts"].update(entities=10 ** 9), "a count of entities"),
    (lambda m: m["counts"].update(entities=True), "a count of entities"),
    (lambda m: m["counts"].update(entities=2), "2 entities, got 3"),
])
def test_a_manifest_that_lies_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], object],
                                         says: str) -> None:
    pack = a_pack(tmp_path)
    reseal(pack, change)
    with pytest.raises(Fault, match=says):
        Pack.open(pack, "histogram-4")


@pytest.mark.parametrize("name", [
    "../outside", "/etc/passwd", "thumbnails/../../x", "a.so", "thumbnails/1.webp"])
def test_file_names_that_no_pack_has_are_refused(tmp_path: Path, name: str) -> None:
    pack = a_pack(tmp_path)
    manifest = json.loads((pack / "manifest.json").read_bytes())
    manifest["files"][name] = "0" * 64
    (pack / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(Fault, match="only file names of a pack"):
        info(pack)


def test_links_out_of_the_pack_are_refused(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    shutil.move(pack / "knowledge.sqlite", tmp_path / "elsewhere")
    (pack / "knowledge.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Fault, match="knowledge.sqlite"):
        verify(pack)


@pytest.mark.parametrize("sql", [
    "CREATE TRIGGER t AFTER INSERT ON facts BEGIN SELECT 1; END", "CREATE VIEW v AS SELECT 1",
    "DROP TABLE aliases", "PRAGMA user_version=9"])
def test_a_database_of_another_schema_is_refused(tmp_path: Path, sql: str) -> None:
    pack = a_pack(tmp_path)
    with sqlite3.connect(pack / "knowledge.sqlite") as database:
        database.execute(sql)
    reseal(pack, lambda manifest: None)
    with pytest.raises(Fault, match="the schema of format 1"):
        Pack.open(pack, "histogram-4")


def test_the_database_cannot_be_written(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    before = contents(pack)
    with Pack.open(pack, "histogram-4") as opened:
        opened.search_text("box", Histogram().text("box"))
        with pytest.raises(Fault, match="readonly|query_only"):
            opened._store.rows("DELETE FROM facts")
    assert contents(pack) == before


@pytest.mark.parametrize("damage", ["missing", "flipped", "sound"])
def test_a_rebuilt_cache_equals_the_first_one(tmp_path: Path, damage: str) -> None:
    pack = a_pack(tmp_path)
    before = contents(pack)
    if damage == "missing":
        (pack / "regions.hnsw").unlink()
    elif damage == "flipped":
        (pack / "regions.hnsw").write_bytes(before["regions.hnsw"][:-4] + b"oops")
    rebuild_cache(pack)
    assert contents(pack) == before
    verify(pack)


def test_a_cache_is_never_rebuilt_from_a_damaged_database(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    sound = (pack / "knowledge.sqlite").read_bytes()
    (pack / "knowledge.sqlite").write_bytes(sound[:-1] + b"?")
    before = contents(pack)
    with pytest.raises(Fault, match="knowledge.sqlite"):
        rebuild_cache(pack)
    assert contents(pack) == before


def test_a_cache_with_the_right_hash_and_wrong_sizes_is_not_loaded(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    sound = (pack / "regions.hnsw").read_bytes()
    for content in (b"", sound[:40], sound[:8] + (1 << 40).to_bytes(8, "little") + sound[16:],
                    sound[:24] + (1 << 20).to_bytes(8, "little") + sound[32:]):
        (pack / "regions.hnsw").write_bytes(content)
        reseal(pack, lambda manifest: None)
        with pytest.raises(Fault, match=r"HNSW index of \d vectors"):
            Pack.open(pack, "histogram-4")


def test_a_cache_of_another_library_version_is_not_loaded(tmp_path: Path) -> None:
    pack = a_pack(tmp_path)
    (pack / "regions.hnsw").write_bytes(b"a format of the future")
    reseal(pack, lambda manifest: manifest["index"].update(version="99.0"))
    query = Histogram().region(np.full((2, 2, 3), (200, 20, 30), np.uint8), None)
    with Pack.open(pack, "histogram-4") as opened:
        assert opened.search_vectors(query, k=1)[0].key == "r"
    assert rebuild_cache(pack)["index"]["version"] == caches.recipe()["version"]
    verify(pack)


@pytest.mark.parametrize("calibration", [{"gain": "2"}, {"gain": True}, {"bias": 1.0}])
def test_a_calibration_that_is_no_pair_of_numbers_is_refused(tmp_path: Path, calibration: dict[str, Any]) -> None:
    pack = a_pack(tmp_path)
    reseal(pack, lambda manifest: manifest.update(calibration=calibration))
    with pytest.raises(Fault, match="gain and offset"):
        Pack.open(pack, "histogram-4")


@pytest.mark.parametrize("sql", [
    "UPDATE entities SET name = x'00ff'",
    "UPDATE facts SET value = x'41'", "UPDATE entities SET text = hex(zeroblob(20000))",
    "UPDATE vectors SET entity = 'x'", "UPDATE vectors SET entity = x'00'", "UPDATE vectors SET thumbnail = x'37'",
    "UPDATE vectors SET view = 'sound'", "UPDATE texts SET entity = 1.5", "UPDATE vectors SET embedding = 'x'"])
def test_a_database_whose_columns_hold_something_else_is_refused(tmp_path: Path, sql: str) -> None:
    pack = a_pack(tmp_path)
    with sqlite3.connect(pack / "knowledge.sqlite") as database:
        database.execute(sql)
    reseal(pack, lambda manifest: None)
    with pytest.raises(Fault) as caught:
        Pack.open(pack, "histogram-4")
    assert "\n" not in str(caught.value)
