"""The wearer's memory: durable once acknowledged, searched while it is written, gone when it is forgotten."""

import io
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pack_build import Histogram, a_pack

from pixsearch.contract.faults import Fault
from pixsearch.index.hits import View
from pixsearch.index.memory import MemoryLimits, MemoryPack
from pixsearch.index.pack import Pack
from pixsearch.index.search import Library

D = Histogram.dimension


class Another(Histogram):
    id = "another"


def a_vector(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=D).astype(np.float32)


def a_picture(colour: tuple[int, int, int] = (200, 20, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


@pytest.fixture
def memory(tmp_path: Path):
    with MemoryPack.open(tmp_path / "memory", Histogram()) as opened:
        yield opened


def test_what_was_remembered_is_found_by_look_by_words_and_by_id(memory: MemoryPack) -> None:
    seen = datetime(2026, 1, 19, 8, 30, tzinfo=UTC)
    memory.add("mug", region=a_vector(1))
    item = memory.add("spare key", {"opens": "the shed", "hangs": "by the door"}, region=a_vector(2),
                      image=a_vector(3), thumbnail=a_picture(), kind="key", text="on a red ring", time=seen)
    for hit in (memory.search_vectors(a_vector(2))[0], memory.search_vectors(a_vector(3), [View.IMAGE])[0],
                memory.search_text("shed key")[0], memory.search_text("ring", Histogram().text("ring"))[0]):
        assert (hit.entity, int(hit.key), hit.pack) == ("spare key", item, "memory")
        assert hit.facts == ("opens: the shed", "hangs: by the door") and hit.source == f"memory:{item}"
        picture = memory.thumbnail(hit)
        assert picture is not None and picture[0, 0].tolist() == [200, 20, 30]
    assert memory.item(item).time == seen and memory.facts(str(item))["opens"] == "the shed"
    assert [one.entity for one in memory.items()] == ["mug", "spare key"]
    assert len(memory.looks("key")) == 1
    assert memory.has_name("spare key") and not memory.has_name("key")


def test_it_is_mounted_beside_packs(tmp_path: Path, memory: MemoryPack) -> None:
    red = Histogram().region(np.full((2, 2, 3), (200, 20, 30), np.uint8), None)
    memory.add("my red box", region=red)
    with Library([Pack.open(a_pack(tmp_path), Histogram.id), memory]) as library:
        assert {hit.pack for hit in library.search_vectors(red, k=3)} == {"boxes", "memory"}
        assert len(library.looks("the red box on the left")) == 2


def test_searches_keep_to_the_kinds_asked_for(tmp_path: Path, memory: MemoryPack) -> None:
    memory.add("old key", region=a_vector(1), kind="key")
    memory.add("mug", region=a_vector(1), kind="cup")
    with Library([Pack.open(a_pack(tmp_path), Histogram.id), memory]) as library:
        assert [hit.entity for hit in library.search_vectors(a_vector(1), kinds=["cup"])] == ["mug"]
        for vector in (None, Histogram().text("key mug")):
            assert [hit.entity for hit in library.search_text("key mug", vector, kinds=["key"])] == ["old key"]


def test_a_memory_opens_as_it_was_closed(tmp_path: Path) -> None:
    for at in range(3):
        with MemoryPack.open(tmp_path, Histogram()) as memory:
            assert len(memory) == at
            memory.add(f"thing {at}", region=a_vector(at))
    with MemoryPack.open(tmp_path, Histogram()) as memory:
        assert [memory.search_vectors(a_vector(at))[0].entity for at in range(3)] == ["thing 0", "thing 1", "thing 2"]
        memory.check()


def test_forgetting_leaves_no_trace_on_the_disk_and_frees_its_space(tmp_path: Path, memory: MemoryPack) -> None:
    def on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in sorted((tmp_path / "memory").iterdir()))

    kept = memory.add("kept thing", region=a_vector(0))
    before = len(on_disk())
    items = [memory.add(f"zanzibar {at}", {"quality": "unmistakable"}, region=a_vector(at), text="Xylophone",
                        thumbnail=a_picture()) for at in range(1, 40)]
    assert b"zanzibar" in on_disk() and b"xylophon" in on_disk()
    for item in items:
        memory.remove(item)
    assert [one.id for one in memory.items()] == [kept]
    assert memory.search_text("xylophone zanzibar") == [] and len(memory.search_vectors(a_vector(3))) == 1
    for word in (b"zanzibar", b"unmistak", b"ylophon", a_vector(3)[:4].tobytes(), a_picture()[20:60]):
        assert word not in on_disk()
    assert len(on_disk()) <= before + 2 * 4096
    with pytest.raises(KeyError):
        memory.remove(items[0])
    assert memory.add("new thing") > max(items)  # an id is never given out twice


@pytest.mark.parametrize(("change", "says"), [
    (lambda memory: memory.add(""), "memory name"), (lambda memory: memory.add("\x07\n"), "memory name"),
    (lambda memory: memory.add("x" * 201), "at most 200 characters"),
    (lambda memory: memory.add("x", {"a": ""}), "fact 'a'"),
    (lambda memory: memory.add("x", {str(at): "v" for at in range(201)}), "at most 200"),
    (lambda memory: memory.add("x", thumbnail=b"no picture"), "a whole picture"),
    (lambda memory: memory.add("x", thumbnail=bytes(1 << 20)), "at most 256 KB"),
])
def test_what_cannot_be_remembered_is_refused_and_leaves_nothing(
        memory: MemoryPack, change: Callable[[MemoryPack], object], says: str) -> None:
    with pytest.raises(Fault, match=says) as caught:
        change(memory)
    assert "\n" not in str(caught.value) and len(memory) == 0


@pytest.mark.parametrize("vector", [np.zeros(D), np.full(D, np.nan), np.ones(D + 1)])
def test_a_vector_that_is_none_is_refused(memory: MemoryPack, vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match="vector must"):
        memory.add("x", region=vector)
    assert len(memory) == 0


def test_control_characters_and_special_tokens_are_stored_as_text(memory: MemoryPack) -> None:
    item = memory.add("a\x1b[31m<search>\u202e", {"'; DROP TABLE facts; --": "</information>\x00"})
    assert memory.item(item).entity == "a [31m<search>"
    assert memory.item(item).facts == {"'; DROP TABLE facts; --": "</information>"}
    assert memory.search_text('" OR * NEAR(')  == []


@pytest.mark.parametrize("limits", [MemoryLimits(items=3), MemoryLimits(bytes=160 << 10)])
def test_a_full_memory_says_so_and_takes_more_once_something_is_forgotten(
        tmp_path: Path, limits: MemoryLimits) -> None:
    with MemoryPack.open(tmp_path, Histogram(), limits=limits) as memory:
        items = []
        with pytest.raises(Fault, match="forget something first"):
            for _ in range(100):
                items.append(memory.add("thing", text="word " * 3000))
        assert len(memory) == len(items) >= 3
        memory.remove(items[0])
        memory.add("thing", text="word " * 3000)


def test_a_memory_of_another_embedder_is_refused_by_name(tmp_path: Path) -> None:
    MemoryPack.open(tmp_path, Histogram()).close()
    with pytest.raises(Fault, match="'another'.*'histogram-4'"):
        MemoryPack.open(tmp_path, Another())


def test_what_is_no_memory_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "memory.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE notes(words)")
    database.close()
    before = path.read_bytes()
    with pytest.raises(Fault, match="another database"):
        MemoryPack.open(tmp_path, Histogram())
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(Fault, match="a sound database"):
        MemoryPack.open(tmp_path, Histogram())


def test_a_trigger_that_someone_planted_is_refused(tmp_path: Path) -> None:
    MemoryPack.open(tmp_path, Histogram()).close()
    with sqlite3.connect(tmp_path / "memory.sqlite") as database:
        database.execute("CREATE TRIGGER t AFTER INSERT ON facts BEGIN DELETE FROM facts; END")
    database.close()
    with pytest.raises(Fault, match="another database"):
        MemoryPack.open(tmp_path, Histogram())


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with MemoryPack.open(tmp_path / "memory", Histogram()) as memory:
        memory.add("secret")
        assert {path.stat().st_mode & 0o077 for path in [memory.folder, *memory.folder.iterdir()]} == {0}


def test_readers_in_threads_and_another_opening_see_each_write_and_no_half_of_one(
        tmp_path: Path, memory: MemoryPack) -> None:
    """Every thing is stored with two vectors and a fact; any reader must see all three or none."""
    errors: list[BaseException] = []
    done = threading.Event()

    def read(pack: MemoryPack) -> None:
        try:
            while not done.is_set():
                before = len(pack)
                regions = pack.search_vectors(a_vector(0), [View.REGION], 100)
                images = pack.search_vectors(a_vector(0), [View.IMAGE], 100)
                assert before - 1 <= len(regions) <= len(images) + 1
                assert all(hit.fact_map == {"number": hit.entity} for hit in regions + images)
        except BaseException as error:
            errors.append(error)

    with MemoryPack.open(tmp_path / "memory", Histogram()) as second:
        threads = [threading.Thread(target=read, args=(pack,)) for pack in (memory, memory, second)]
        for thread in threads:
            thread.start()
        oldest = []
        for at in range(24):
            oldest.append(memory.add(str(at), {"number": str(at)}, region=a_vector(at), image=a_vector(-at - 1 + 99)))
            assert memory.search_vectors(a_vector(at), [View.REGION], 1)[0].entity == str(at)
            assert second.search_vectors(a_vector(at), [View.REGION], 1)[0].entity == str(at)
            if at % 4 == 3:
                memory.remove(oldest.pop(0))
        done.set()
        for thread in threads:
            thread.join()
    assert errors == []


WRITER = """
import sys
import numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_pack_build import Histogram
from pixsearch.index.memory import MemoryPack
with MemoryPack.open(Path(sys.argv[1]), Histogram()) as memory:
    for at in range(10_000):
        item = memory.add(f"thing {at}", {"at": str(at)}, region=np.eye(64)[at % 64], text="words " * 50)
        print("added", item, flush=True)
        if at % 5 == 4:
            print("removing", item - 2, flush=True)
            memory.remove(item - 2)
            print("removed", item - 2, flush=True)
"""


def test_a_writer_killed_at_any_instant_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    added: set[int] = set()
    removed: set[int] = set()
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path / "memory", Path(__file__).parent],
                              stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            lines = [writer.stdout.readline() for _ in range(int(random.integers(1, 12)))]
            os.kill(writer.pid, signal.SIGKILL)
            lines += writer.stdout.readlines()
        said = [line.split() for line in lines if line.endswith("\n")]
        added |= {int(number) for what, number in said if what == "added"}
        removed |= {int(number) for what, number in said if what == "removed"}
        begun = {int(number) for what, number in said if what == "removing"}
        with MemoryPack.open(tmp_path / "memory", Histogram()) as memory:
            memory.check()
            present = {item.id for item in memory.items()}
            assert added - removed - begun <= present and not removed & present
            assert all(item.facts for item in memory.items())
            added |= present
            removed |= begun - present


def test_times_keep_their_zone(memory: MemoryPack) -> None:
    before = datetime.now(UTC)
    item = memory.item(memory.add("now"))
    assert timedelta(0) <= item.time - before < timedelta(minutes=1)
