"""A memory under a passphrase: nothing of it is readable, nothing is lost on the way, a wrong word opens nothing."""

import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import sqlcipher3

from pixsearch.contract.faults import Fault
from pixsearch.index.memory import MemoryPack
from pixsearch.index.memory_cipher import encrypt, engine_for
from pixsearch.index.memory_store import DATABASE_NAME, is_encrypted

WORD = "correct horse battery"
SECRET = "spare key behind the third brick"


class Embed:
    id, dimension, text_dimension = "red-1", 3, 3

    def text(self, text: str) -> np.ndarray:
        return np.array([1, 2, 3], np.float32)

    def region(self, frame: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        return np.array([1, 2, 3], np.float32)


def opened(folder: Path, passphrase: str | None = WORD) -> MemoryPack:
    return MemoryPack.open(folder, Embed(), engine=engine_for(folder, passphrase))


def content_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def fill(memory: MemoryPack, count: int) -> None:
    for number in range(count):
        memory.add(f"{SECRET} {number}", {"said": SECRET}, region=np.eye(3)[number % 3])


def test_nothing_told_can_be_read_from_the_folder_and_all_of_it_with_the_passphrase(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        fill(memory, 5)
        assert SECRET.encode() not in content_of(tmp_path)  # the write-ahead log, too
        assert len(memory.search_text("brick")) == 5 and memory.search_vectors(np.eye(3)[0])[0].score == 1
    assert is_encrypted(tmp_path)
    with opened(tmp_path) as memory:
        assert len(memory) == 5
        memory.check()
        memory.remove(1)
    assert SECRET.encode() not in content_of(tmp_path)


def test_any_sqlcipher_opens_it_with_the_passphrase(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        fill(memory, 2)
    connection = sqlcipher3.connect(str(tmp_path / DATABASE_NAME))
    connection.execute(f"PRAGMA key='{WORD}'")
    assert connection.execute("SELECT count(*) FROM entities").fetchone() == (2,)
    connection.close()


def test_a_plain_memory_is_encrypted_whole_and_nothing_plain_stays(tmp_path: Path) -> None:
    with opened(tmp_path, None) as memory:
        fill(memory, 7)
        before = memory.items()
    assert SECRET.encode() in content_of(tmp_path) and not is_encrypted(tmp_path)
    other_name = tmp_path.parent / "the same file"
    os.link(tmp_path / DATABASE_NAME, other_name)
    encrypt(tmp_path, WORD)
    assert is_encrypted(tmp_path) and [path.name for path in tmp_path.iterdir()] == [DATABASE_NAME]
    assert SECRET.encode() not in content_of(tmp_path) + other_name.read_bytes()
    assert (tmp_path / DATABASE_NAME).stat().st_mode & 0o077 == 0
    with opened(tmp_path) as memory:
        assert memory.items() == before and len(memory.search_text("brick", k=20)) == 7
        assert memory.add("one more") > max(item.id for item in before)


@pytest.mark.parametrize(
    ("locked", "passphrase", "told"),
    [(True, None, "passphrase"), (True, "wrong horse", "passphrase"), (True, "short", "8 characters"),
     (True, WORD + "\0", "8 characters"), (False, WORD, "memory encrypt")],
)
def test_a_wrong_passphrase_is_one_line_and_changes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], locked: bool, passphrase: str | None, told: str
) -> None:
    with opened(tmp_path, WORD if locked else None) as memory:
        fill(memory, 1)
    before = content_of(tmp_path)
    with pytest.raises(Fault, match=told):
        opened(tmp_path, passphrase)
    assert content_of(tmp_path) == before and capfd.readouterr() == ("", "")


def _hold(folder: Path, pipe: "multiprocessing.connection.Connection") -> None:
    with opened(folder, None) as memory:
        pipe.send(len(memory))
        pipe.recv()
        pipe.send(memory.add("one more"))


def test_a_memory_that_another_process_uses_is_not_encrypted_and_loses_nothing(tmp_path: Path) -> None:
    with opened(tmp_path, None) as memory:
        fill(memory, 3)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_hold, args=(tmp_path, theirs))
    process.start()
    assert ours.recv() == 3
    with pytest.raises(Fault, match="close other programs"):
        encrypt(tmp_path, WORD)
    ours.send("go on")
    assert ours.recv() == 4
    process.join()
    assert not is_encrypted(tmp_path)
    encrypt(tmp_path, WORD)
    with opened(tmp_path) as memory:
        assert len(memory) == 4


def test_only_a_plain_memory_can_be_encrypted(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="none"):
        encrypt(tmp_path, WORD)
    with opened(tmp_path) as memory:
        fill(memory, 1)
    with pytest.raises(Fault, match="an encrypted one"):
        encrypt(tmp_path, "another passphrase")


def _write(folder: Path, sent: "multiprocessing.connection.Connection") -> None:
    with opened(folder) as memory:
        while True:
            sent.send(memory.add(SECRET, region=np.eye(3)[0]))


def test_what_was_acknowledged_outlives_a_kill_under_encryption_too(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    acknowledged = 0
    for _ in range(3):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_write, args=(tmp_path, theirs))
        process.start()
        theirs.close()
        for _ in range(5):
            acknowledged = ours.recv()
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        while ours.poll():
            try:
                acknowledged = ours.recv()
            except EOFError:
                break
        with opened(tmp_path) as memory:
            assert {item.id for item in memory.items()} >= set(range(1, acknowledged + 1))
            memory.check()
